// Package definitions is what an administrator deploys to a Salesforce org before the connector can write to it: the custom
// objects of messages and conversations, the custom fields of leads, contacts and activities, and a permission set, in the Metadata API's format
// (https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/). The simulator has the fields that are here.
package definitions

import (
	"archive/zip"
	"bytes"
	"embed"
	"encoding/xml"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

//go:embed package.xml objects permissionsets
var files embed.FS

// Field is one custom field.
type Field struct {
	Name        string `xml:"fullName"`
	Type        string `xml:"type"` // Text, LongTextArea, Checkbox, DateTime, Number, Lookup
	Length      int    `xml:"length"`
	ExternalID  bool   `xml:"externalId"`
	Unique      bool   `xml:"unique"`
	ReferenceTo string `xml:"referenceTo"`
}

// Objects returns the objects that have custom fields. The fields of Activity are those of Task.
func Objects() []string {
	return []string{"Activity", "Case", "Contact", "Lead", "Msg_Conversation__c", "Msg_Event__c"}
}

// Fields returns the custom fields of one of Objects.
func Fields(object string) ([]Field, error) {
	encoded, err := files.ReadFile("objects/" + object + ".object")
	if err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	fields, err := Decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("definitions of %s: %w", object, err)
	}
	return fields, nil
}

// Decode returns the custom fields that a file of an object has.
func Decode(encoded []byte) ([]Field, error) {
	var decoded struct {
		Fields []Field `xml:"fields"`
	}
	err := xml.Unmarshal(encoded, &decoded)
	return decoded.Fields, err
}

// PermissionSetName is what the permission set is called that the integration user needs.
const PermissionSetName = "Signalbox"

// PermissionSet returns the permission set.
func PermissionSet() []byte {
	encoded, _ := files.ReadFile("permissionsets/" + PermissionSetName + ".permissionset") // embedded, and tested
	return encoded
}

// Archive returns the zip that the Metadata API deploys, the same bytes each time. Without a task key the key of activities is a text that
// two may have, for an org that takes no external id there.
func Archive(taskKey bool) ([]byte, error) {
	var out bytes.Buffer
	zipped := zip.NewWriter(&out)
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		if path == "objects/Activity.object" && !taskKey {
			data = key.ReplaceAll(data, nil)
		}
		w, err := zipped.Create(path)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err == nil {
		err = zipped.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	return out.Bytes(), nil
}

// key is what makes a field of a file an external id.
var key = regexp.MustCompile(`\s*<(externalId|unique|caseSensitive)>(true|false)</(externalId|unique|caseSensitive)>`)

// Since returns the release of the package that a field of an object came with.
func Since(object, name string) int {
	switch {
	case object == "Case" || name == "Msg_Status_Set_At__c":
		return 5
	case name == "Status_Reason__c":
		return 4
	case object == "Msg_Conversation__c":
		return 3
	case name == "Msg_Address__c" || strings.HasPrefix(strings.TrimPrefix(name, "Msg_"), "Ad_"):
		return 2
	default:
		return 1
	}
}
