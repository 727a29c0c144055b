// Package definitions is what an administrator deploys to a Salesforce org before the connector can write to it: the custom
// objects of messages and conversations, the custom fields of leads, contacts and activities, and a permission set, in the Metadata API's format
// (https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/). The simulator has the fields that are here.
package definitions

import (
	"embed"
	"encoding/xml"
	"fmt"
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
	return []string{"Activity", "Contact", "Lead", "Msg_Conversation__c", "Msg_Event__c"}
}

// Fields returns the custom fields of one of Objects.
func Fields(object string) ([]Field, error) {
	encoded, err := files.ReadFile("objects/" + object + ".object")
	if err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	var decoded struct {
		Fields []Field `xml:"fields"`
	}
	if err := xml.Unmarshal(encoded, &decoded); err != nil {
		return nil, fmt.Errorf("definitions of %s: %w", object, err)
	}
	return decoded.Fields, nil
}
