package definitions_test

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
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
	if keys != 6 {
		t.Errorf("%d external ids, want those of leads, contacts, messages, conversations, tasks and cases", keys)
	}
	if fields, err := definitions.Fields("Goat"); err == nil {
		t.Errorf("%v", fields)
	}
}

// TestWhatIsDeployedIsXML: package.xml once was none, for a comment that held two hyphens.
func TestWhatIsDeployedIsXML(t *testing.T) {
	for _, keyed := range []bool{true, false} {
		archive, err := definitions.Archive(keyed)
		if err != nil {
			t.Fatal(err)
		}
		again, err := definitions.Archive(keyed)
		if err != nil || !bytes.Equal(archive, again) {
			t.Error("it is another one each time")
		}
		zipped, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
		if err != nil || len(zipped.File) != 8 {
			t.Fatal(err)
		}
		for _, f := range zipped.File {
			opened, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(opened)
			if err != nil {
				t.Fatal(err)
			}
			decoder := xml.NewDecoder(bytes.NewReader(data))
			for err == nil {
				_, err = decoder.Token()
			}
			if !errors.Is(err, io.EOF) {
				t.Errorf("%s: %v", f.Name, err)
			}
			if f.Name == "objects/Activity.object" && strings.Contains(string(data), "<externalId>true") != keyed {
				t.Errorf("a task key is wanted: %v; %s", keyed, data)
			}
		}
	}
}

// TestEachFieldHasItsRelease: a binding that names an older package does not miss the fields of a newer one.
func TestEachFieldHasItsRelease(t *testing.T) {
	for name, want := range map[string]int{
		"Lead.Msg_Sender_Key__c": 1, "Lead.Msg_Address__c": 2, "Contact.Msg_Ad_Id__c": 2, "Msg_Event__c.Ad_Url__c": 2, "Msg_Event__c.Body__c": 1,
		"Msg_Conversation__c.Status__c": 3, "Msg_Event__c.Status_Reason__c": 4,
	} {
		object, field, _ := strings.Cut(name, ".")
		if got := definitions.Since(object, field); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}
