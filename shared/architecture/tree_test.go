package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "signalbox"

// file is one Go file of the module. The files are parsed rather than listed by the go command, whose answer the test cache
// would serve stale.
type file struct {
	path    string // from the root, with slashes
	folder  string
	test    bool
	lines   int
	code    int // lines of what is declared, without imports and what is written above declarations
	imports []string
	syntax  *ast.File
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatalf("the module's root is expected two folders up: %v", err)
	}
	return dir
}

func goFiles(t *testing.T) []file {
	t.Helper()
	top := root(t)
	var files []file
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") && name != top {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		positions := token.NewFileSet()
		syntax, err := parser.ParseFile(positions, name, source, parser.ParseComments)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		f := file{path: filepath.ToSlash(relative), test: strings.HasSuffix(name, "_test.go"), syntax: syntax, lines: strings.Count(string(source), "\n")}
		f.folder = path.Dir(f.path)
		for _, d := range syntax.Decls {
			if g, ok := d.(*ast.GenDecl); !ok || g.Tok != token.IMPORT {
				f.code += positions.Position(d.End()).Line - positions.Position(d.Pos()).Line + 1
			}
		}
		for _, i := range syntax.Imports {
			f.imports = append(f.imports, strings.Trim(i.Path.Value, `"`))
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("only %d Go files found: the rules would be checked on nothing", len(files))
	}
	return files
}

// within reports whether a slash path is dir or below it.
func within(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }

// local returns the folder of an import of this module, or "".
func local(imported string) string {
	folder, ok := strings.CutPrefix(imported, module+"/")
	if !ok {
		return ""
	}
	return folder
}

// family returns "adapter" for functions/adapter/twilio, and "" outside functions/.
func family(folder string) string {
	parts := strings.Split(folder, "/")
	if len(parts) < 2 || parts[0] != "functions" {
		return ""
	}
	return parts[1]
}

// plugin returns "functions/adapter/twilio" for what lies in or below a provider's or a CRM's folder, and "" elsewhere.
func plugin(folder string) string {
	parts := strings.Split(folder, "/")
	if len(parts) < 3 || parts[0] != "functions" {
		return ""
	}
	familys := slices.Contains([]string{"cmd", "health"}, parts[2]) || strings.HasSuffix(parts[2], "test") // what its plug-ins share
	if parts[1] != "adapter" && parts[1] != "connector" || familys {
		return ""
	}
	return strings.Join(parts[:3], "/")
}

func isCommand(folder string) bool {
	parts := strings.Split(folder, "/")
	return len(parts) >= 2 && parts[len(parts)-2] == "cmd"
}

// importRule forbids some imports to some files, for a reason.
type importRule struct {
	forbidden func(f file, imported string) bool
	reason    string
}

func importRules() map[string]importRule {
	return map[string]importRule{
		"shared code knows no function": {
			func(f file, imported string) bool {
				return within(f.folder, "shared") && !within(f.folder, "shared/dev") && within(local(imported), "functions")
			},
			"move what it needs to shared/, or itself into the family",
		},
		"families meet at queues and records only": {
			func(f file, imported string) bool {
				other := family(local(imported))
				return family(f.folder) != "" && other != "" && other != family(f.folder)
			},
			"hand over by a queue or a record; a contract two families need goes to shared/",
		},
		"a provider's or CRM's folder can be deleted": {
			func(f file, imported string) bool {
				target := plugin(local(imported))
				return target != "" && !within(f.folder, target) && f.folder != "shared/dev/plugins"
			},
			"only its own folder and the list of shared/dev/plugins may import it",
		},
		"only shared/aws knows AWS": {
			func(f file, imported string) bool {
				return strings.HasPrefix(imported, "github.com/aws/") && !within(f.folder, "shared/aws") && (!within(f.folder, "shared/dev") || !f.test)
			},
			"take an interface of your own; shared/aws implements it",
		},
		"only entry points wire AWS in": {
			func(f file, imported string) bool {
				return within(local(imported), "shared/aws") && !isCommand(f.folder) && !within(f.folder, "shared/aws") && (!within(f.folder, "shared/dev") || !f.test)
			},
			"wire it in cmd/<name>/main.go, or in the family's cmd/wire",
		},
		"what mains share is imported by mains alone": {
			func(f file, imported string) bool {
				return isCommand(local(imported)) && !isCommand(f.folder) && (!within(f.folder, "shared/dev") || !f.test)
			},
			"it knows AWS and the environment: take what it makes as an argument",
		},
		"only entry points and shared/aws read the environment": {
			func(f file, imported string) bool {
				return imported == module+"/shared/config" && !isCommand(f.folder) && !within(f.folder, "shared/aws") && !within(f.folder, "shared/config") && !within(f.folder, "shared/dev")
			},
			"take the value as an argument",
		},
		"tests use the standard library and go-cmp": {
			func(_ file, imported string) bool {
				return strings.Contains(imported, "testify") || strings.Contains(imported, "gomock") || strings.Contains(imported, "gomega")
			},
			"write the comparison out",
		},
	}
}

func TestImports(t *testing.T) {
	files := goFiles(t)
	for name, rule := range importRules() {
		t.Run(name, func(t *testing.T) {
			for _, f := range files {
				for _, imported := range f.imports {
					if rule.forbidden(f, imported) {
						t.Errorf("%s imports %s: %s", f.path, imported, rule.reason)
					}
				}
			}
		})
	}
}

// TestImportRulesCanFail shows each rule something it must refuse, so that none of them is vacuous.
func TestImportRulesCanFail(t *testing.T) {
	offences := map[string]struct {
		file     file
		imported string
	}{
		"shared code knows no function":                         {file{folder: "shared/queue"}, module + "/functions/router"},
		"families meet at queues and records only":              {file{folder: "functions/router"}, module + "/functions/adapter"},
		"a provider's or CRM's folder can be deleted":           {file{folder: "functions/connector/salesforce"}, module + "/functions/connector/hubspot"},
		"only shared/aws knows AWS":                             {file{folder: "shared/store"}, "github.com/aws/aws-sdk-go-v2/aws"},
		"only entry points wire AWS in":                         {file{folder: "functions/router"}, module + "/shared/aws/sqsqueue"},
		"what mains share is imported by mains alone":           {file{folder: "functions/router"}, module + "/functions/router/cmd/wire"},
		"only entry points and shared/aws read the environment": {file{folder: "functions/router"}, module + "/shared/config"},
		"tests use the standard library and go-cmp":             {file{folder: "shared/store"}, "github.com/stretchr/testify/require"},
	}
	for name, rule := range importRules() {
		offence, ok := offences[name]
		if !ok || !rule.forbidden(offence.file, offence.imported) {
			t.Errorf("rule %q does not refuse its example", name)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented, seen := map[string]bool{}, map[string]bool{}
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		seen[f.folder] = true
		if f.syntax.Doc != nil && len(f.syntax.Doc.Text()) > 60 {
			documented[f.folder] = true
		}
		if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "misc", "base"}, f.syntax.Name.Name) {
			t.Errorf("%s: package %s: name the package after what it provides", f.path, f.syntax.Name.Name)
		}
	}
	for folder := range seen {
		if !documented[folder] {
			t.Errorf("%s: a package comment must say in a sentence or more what the package is for", folder)
		}
	}
}

func TestMainsOnlyWire(t *testing.T) {
	names := map[string]string{}
	for _, f := range goFiles(t) {
		if f.syntax.Name.Name != "main" || f.test {
			continue
		}
		deployed := within(f.folder, "functions") && isCommand(f.folder)
		operators := within(f.folder, "shared/operations/cmd") && isCommand(f.folder)
		if !deployed && !operators && !within(f.folder, "shared/dev") {
			t.Errorf("%s: a program is functions/**/cmd/<name>/main.go, shared/operations/cmd/<name>/main.go, or below shared/dev", f.path)
		}
		if (deployed || operators) && (f.code > 20 || path.Base(f.path) != "main.go") {
			t.Errorf("%s has %d lines of code: a main is one file, main.go, of at most 20 that say which parts it is made of; what mains of a family share is in its cmd/wire", f.path, f.code)
		}
		name := path.Base(f.folder)
		if other, taken := names[name]; taken && other != f.folder {
			t.Errorf("%s and %s have one name: building them into one folder would overwrite one silently", f.folder, other)
		}
		names[name] = f.folder
	}
}

func TestNoInitAndNoMutableGlobals(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		for _, declaration := range f.syntax.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					t.Errorf("%s: init(): construct it and pass it", f.path)
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					checkGlobals(t, f, d)
				}
			}
		}
	}
}

// checkGlobals accepts what cannot change or is never changed by its type: sentinel errors, compiled patterns, embedded files,
// and assertions that a type has an interface.
func checkGlobals(t *testing.T, f file, d *ast.GenDecl) {
	t.Helper()
	for _, s := range d.Specs {
		spec, ok := s.(*ast.ValueSpec)
		if !ok {
			continue
		}
		embedded := strings.Contains(comments(d.Doc)+comments(spec.Doc), "go:embed")
		for i, name := range spec.Names {
			if name.Name == "_" || embedded || i < len(spec.Values) && constantCall(spec.Values[i]) {
				continue
			}
			t.Errorf("%s: package variable %s: make it a constant, a function or a field", f.path, name.Name)
		}
	}
}

func comments(group *ast.CommentGroup) string {
	if group == nil {
		return ""
	}
	var all strings.Builder
	for _, c := range group.List { // Text() would drop directives
		all.WriteString(c.Text)
	}
	return all.String()
}

func constantCall(value ast.Expr) bool {
	call, ok := value.(*ast.CallExpr)
	if !ok {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := selector.X.(*ast.Ident)
	if !ok {
		return false
	}
	return slices.Contains([]string{"errors.New", "regexp.MustCompile", "fmt.Errorf"}, pkg.Name+"."+selector.Sel.Name)
}

// TestInterfacesAreSmall also counts the methods of embedded interfaces, those of this module one by one.
func TestInterfacesAreSmall(t *testing.T) {
	small, all := 0, 0
	files := goFiles(t)
	for _, f := range files {
		for name, i := range interfaces(f) {
			all++
			switch size := len(methods(files, f, i)); {
			case size <= 3:
				small++
			case size > 6:
				t.Errorf("%s: interface %s has %d methods: split it by user", f.path, name, size)
			}
		}
	}
	if small*100 < all*80 {
		t.Errorf("%d of %d interfaces have at most three methods; four in five should", small, all)
	}
}

// interfaces returns the interfaces that a file declares, by name.
func interfaces(f file) map[string]*ast.InterfaceType {
	found := map[string]*ast.InterfaceType{}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if i, ok := spec.Type.(*ast.InterfaceType); ok {
				found[spec.Name.Name] = i
			}
		}
		return true
	})
	return found
}

// methods returns the methods of an interface of a file; what it embeds of other modules is one.
func methods(files []file, f file, i *ast.InterfaceType) map[string]bool {
	found := map[string]bool{}
	for _, field := range i.Methods.List {
		for _, name := range field.Names {
			found[name.Name] = true
		}
		folder, name := f.folder, ""
		switch embedded := field.Type.(type) {
		case *ast.Ident:
			name = embedded.Name
		case *ast.SelectorExpr:
			name = embedded.Sel.Name
			at := slices.IndexFunc(f.imports, func(path string) bool { return strings.HasSuffix("/"+path, "/"+embedded.X.(*ast.Ident).Name) })
			folder = local(f.imports[max(at, 0)])
		}
		embeds := false
		for _, other := range files {
			if embedded := interfaces(other)[name]; other.folder == folder && embedded != nil {
				maps.Copy(found, methods(files, other, embedded))
				embeds = true
			}
		}
		if name != "" && !embeds {
			found["of "+name] = true
		}
	}
	return found
}

// TestSharedIsShared keeps code that one family uses in that family.
func TestSharedIsShared(t *testing.T) {
	users := map[string]map[string]bool{}
	files := goFiles(t)
	for _, f := range files {
		if f.test {
			continue
		}
		user := family(f.folder)
		if user == "" {
			user = strings.Join(strings.SplitN(f.folder, "/", 3)[:min(2, strings.Count(f.folder, "/")+1)], "/")
		}
		for _, imported := range f.imports {
			target := local(imported)
			if within(target, "shared") && !within(f.folder, target) {
				if users[target] == nil {
					users[target] = map[string]bool{}
				}
				users[target][user] = true
			}
		}
	}
	for target, by := range users {
		if within(target, "shared/aws") || within(target, "shared/dev") {
			continue
		}
		families := 0
		for user := range by {
			if !within(user, target) && !within(target, user) {
				families++
			}
		}
		if families == 1 {
			for user := range by {
				if !strings.HasPrefix(user, "shared") {
					t.Errorf("%s is used by functions/%s alone: move it there", target, user)
				}
			}
		}
	}
}

// TestAdaptersStartFast keeps out of every adapter's binary what was measured to slow its start.
func TestAdaptersStartFast(t *testing.T) {
	heavy := []string{"github.com/nyaruka/phonenumbers", "github.com/santhosh-tekuri/jsonschema", "go.opentelemetry.io/otel", "gopkg.in/yaml"}
	checkLinked(t, func(folder string) bool { return family(folder) == "adapter" && isCommand(folder) }, heavy, "keep it out of an adapter's start")
}

// TestOnlyWhoAppliesFilesCompilesSchemas: on the path of a message validation is code.
func TestOnlyWhoAppliesFilesCompilesSchemas(t *testing.T) {
	others := func(folder string) bool {
		return within(folder, "functions") && isCommand(folder) && folder != "functions/console/cmd/apply-tenant"
	}
	checkLinked(t, others, []string{"github.com/santhosh-tekuri/jsonschema"}, "validate with code that a test pins to the schema")
}

// TestFunctionsLinkNoOperatorsClients keeps out of every function what only operators' programs need of AWS.
func TestFunctionsLinkNoOperatorsClients(t *testing.T) {
	const sdk = "github.com/aws/aws-sdk-go-v2/"
	operators := []string{sdk + "service/lambda", sdk + "service/cloudformation", sdk + "service/apigatewayv2", sdk + "config", sdk + "credentials"}
	checkLinked(t, func(folder string) bool { return within(folder, "functions") && isCommand(folder) }, operators, "a function calls no function and changes no stack")
	for _, f := range goFiles(t) {
		if !within(f.folder, "shared/aws") && !f.test {
			continue
		}
		for _, imported := range f.imports {
			if slices.Contains(operators, imported) && !within(f.folder, "shared/aws/awsstack") {
				t.Errorf("%s imports %s: shared/aws/awsstack has what operators need of AWS", f.path, imported)
			}
		}
	}
}

// checkLinked refuses that a program reaches, through packages of this module, an import that begins like one of unwanted.
func checkLinked(t *testing.T, program func(folder string) bool, unwanted []string, reason string) {
	t.Helper()
	imports := map[string][]string{}
	for _, f := range goFiles(t) {
		if !f.test {
			imports[f.folder] = append(imports[f.folder], f.imports...)
		}
	}
	checked := 0
	for folder := range imports {
		if !program(folder) {
			continue
		}
		checked++
		for _, link := range links(imports, folder) {
			for _, u := range unwanted {
				if link.imported == u || strings.HasPrefix(link.imported, u+"/") {
					t.Errorf("%s reaches %s through %s: %s", folder, link.imported, link.by, reason)
				}
			}
		}
	}
	if checked == 0 {
		t.Error("no entry point was found")
	}
}

// link is one import, and the folder that has it.
type link struct{ by, imported string }

// links returns every import that a folder reaches.
func links(imports map[string][]string, folder string) (all []link) {
	seen, next := map[string]bool{folder: true}, []string{folder}
	for len(next) > 0 {
		at := next[0]
		next = next[1:]
		for _, imported := range imports[at] {
			all = append(all, link{at, imported})
			if target := local(imported); target != "" && !seen[target] {
				seen[target] = true
				next = append(next, target)
			}
		}
	}
	return all
}
