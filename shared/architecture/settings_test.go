package architecture

import (
	"encoding/json"
	"go/ast"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestEveryCRMHasASchemaOfItsSettings, which names what its Settings do: a tenant's file is checked with the one and read with the
// other.
func TestEveryCRMHasASchemaOfItsSettings(t *testing.T) {
	found := 0
	for _, f := range goFiles(t) {
		if f.test || plugin(f.folder) != f.folder || family(f.folder) != "connector" {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != "Settings" {
				return true
			}
			fields, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			found++
			name := filepath.Join(root(t), filepath.FromSlash(f.folder), "settings.schema.json")
			data, err := os.ReadFile(name)
			if err != nil {
				t.Errorf("%s: a CRM has a JSON Schema of its settings: %v", f.folder, err)
				return true
			}
			var schema struct {
				AdditionalProperties *bool
				Properties           map[string]struct{ Description, Ref, Type string }
			}
			if err := json.Unmarshal(data, &schema); err != nil {
				t.Errorf("%s: %v", name, err)
				return true
			}
			if schema.AdditionalProperties == nil || *schema.AdditionalProperties {
				t.Errorf("%s: additionalProperties is to be false, or a mistyped setting passes", name)
			}
			for property, p := range schema.Properties {
				if p.Description == "" && p.Type != "" {
					t.Errorf("%s: %s needs a description: it is what a tenant is told", name, property)
				}
			}
			delete(schema.Properties, "fields") // the same for every CRM, and read by package connector
			if read, listed := tags(fields), slices.Sorted(maps.Keys(schema.Properties)); !slices.Equal(read, listed) {
				t.Errorf("%s lists %v, Settings in %s read %v", name, listed, f.path, read)
			}
			return true
		})
	}
	if found == 0 {
		t.Error("the settings of no CRM were found")
	}
}

// tags returns the JSON names of a struct's fields, in order.
func tags(s *ast.StructType) []string {
	var names []string
	for _, field := range s.Fields.List {
		if field.Tag == nil {
			continue
		}
		tag := reflect.StructTag(strings.Trim(field.Tag.Value, "`"))
		name, _, _ := strings.Cut(tag.Get("json"), ",")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
