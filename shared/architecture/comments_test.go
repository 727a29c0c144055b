package architecture

import (
	"go/ast"
	"regexp"
	"testing"
)

// TestCommentsReadLikeTheStandardLibrary: a function returns and reports whether. It answers nothing and says nothing.
func TestCommentsReadLikeTheStandardLibrary(t *testing.T) {
	odd := regexp.MustCompile(`^(\w+) (answers|says whether|tells whether)\b`)
	for _, f := range goFiles(t) {
		for _, d := range f.syntax.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if m := odd.FindStringSubmatch(f.Doc.Text()); m != nil && m[1] == f.Name.Name {
				t.Errorf("the comment of %s says that it %s: write returns, reports whether, or what it does", m[1], m[2])
			}
		}
	}
}
