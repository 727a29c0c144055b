package architecture

import (
	"go/ast"
	"go/token"
	"regexp"
	"testing"
)

// TestCommentsReadLikeTheStandardLibrary: a function returns and reports whether. To answer is for an HTTP status, or a person.
func TestCommentsReadLikeTheStandardLibrary(t *testing.T) {
	begins := regexp.MustCompile(`^\w+ (?:answers|(?:says|tells) whether)\b`)
	within := regexp.MustCompile(`(?:\b[Ii]t|\b(?:and|or|then)) answers\s+\D`) // an HTTP status is answered
	for _, f := range goFiles(t) {
		for _, d := range f.syntax.Decls {
			d, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			for _, odd := range []*regexp.Regexp{begins, within} {
				if m := odd.FindString(d.Doc.Text()); m != "" {
					t.Errorf("%s: %q in the comment of %s: write returns, reports whether, or what it does", f.path, m, d.Name.Name)
				}
			}
		}
	}
}

// TestNamesSayTheJob keeps out names and comments of a mood or a picture, and names that meant several things.
func TestNamesSayTheJob(t *testing.T) {
	name := regexp.MustCompile(`^(?i:bury|hurried|unhurried|softly|inTheWay|moody|glimpse|frugal|stubborn)$`)
	comment := regexp.MustCompile(`(?i)\b(?:bur(?:y|ies|ied)|softly|unhurried|knocks?)\b`)
	for _, f := range goFiles(t) {
		for _, group := range f.syntax.Comments {
			if m := comment.FindString(group.Text()); m != "" {
				t.Errorf("%s: a comment has %q: say what happens", f.path, m)
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			for _, id := range declared(n) {
				if name.MatchString(id.Name) {
					t.Errorf("%s: %s is a mood, a picture, or meant several things: name what it does or holds", f.path, id.Name)
				}
			}
			return true
		})
	}
}

// declared returns the names that a node declares.
func declared(n ast.Node) (names []*ast.Ident) {
	switch d := n.(type) {
	case *ast.FuncDecl:
		return []*ast.Ident{d.Name}
	case *ast.TypeSpec:
		return []*ast.Ident{d.Name}
	case *ast.ValueSpec:
		return d.Names
	case *ast.Field:
		return d.Names
	case *ast.AssignStmt:
		for _, e := range d.Lhs {
			if id, ok := e.(*ast.Ident); ok && d.Tok == token.DEFINE {
				names = append(names, id)
			}
		}
	}
	return names
}
