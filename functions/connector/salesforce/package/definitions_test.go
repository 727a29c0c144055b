package definitions_test

import (
	"os"
	"strings"
	"testing"

	definitions "signalbox/functions/connector/salesforce/package"
)

func TestTheIntegrationUserMayWriteEveryField(t *testing.T) {
	permissions, err := os.ReadFile("permissionsets/Signalbox.permissionset")
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for _, object := range definitions.Objects() {
		fields, err := definitions.Fields(object)
		if err != nil || len(fields) == 0 {
			t.Fatalf("%s: %d fields, %v", object, len(fields), err)
		}
		if object == "Activity" { // whose fields are granted on tasks
			object = "Task"
		}
		for _, f := range fields {
			if !strings.HasSuffix(f.Name, "__c") || f.Type == "" || f.Type == "Text" && f.Length == 0 {
				t.Errorf("%s: %+v", object, f)
			}
			if f.ExternalID != f.Unique {
				t.Errorf("%s.%s: a key that two records may have is none", object, f.Name)
			}
			if f.ExternalID {
				keys++
			}
			if !strings.Contains(string(permissions), "<field>"+object+"."+f.Name+"</field>") {
				t.Errorf("%s.%s is not in the permission set", object, f.Name)
			}
		}
	}
	if keys != 5 {
		t.Errorf("%d external ids, want those of leads, contacts, messages, conversations and tasks", keys)
	}
	if fields, err := definitions.Fields("Goat"); err == nil {
		t.Errorf("%v", fields)
	}
}
