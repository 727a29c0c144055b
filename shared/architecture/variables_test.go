package architecture

import (
	"go/ast"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestVariablesAreGivenAndRead: one that is optional and spelled in two ways is never set.
func TestVariablesAreGivenAndRead(t *testing.T) {
	variable := regexp.MustCompile(`^"([A-Z][A-Z0-9_]+)"$`)
	read := map[string]bool{"STACK": true} // by package telemetry
	for _, f := range goFiles(t) {
		deployed := within(f.folder, "functions") && isCommand(f.folder) && path.Base(f.folder) != "simulate" || f.folder == "shared/aws/function"
		if f.test || !deployed {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if name := variable.FindStringSubmatch(literal.Value); name != nil {
					read[name[1]] = true
				}
			}
			return true
		})
	}
	tm, given := written(t), map[string]bool{}
	add := func(properties any) {
		variables, _ := at(properties, "Environment", "Variables").(map[string]any)
		for name := range variables {
			if !strings.HasPrefix(name, "AWS_") { // the SDK's
				given[name] = true
			}
		}
	}
	add(tm.Globals["Function"])
	for _, f := range tm.of("AWS::Serverless::Function") {
		add(f.Properties)
	}
	if got, want := slices.Sorted(maps.Keys(read)), slices.Sorted(maps.Keys(given)); !slices.Equal(got, want) {
		t.Errorf("functions read %v,\nand the template gives them %v", got, want)
	}
}
