// Package definitions is what an administrator installs in a HubSpot portal before the connector can write to it: the
// custom properties of contacts, communications, leads and tickets, one JSON file an object type, in the form of HubSpot's properties
// API (https://developers.hubspot.com/docs/api-reference/crm-properties-v3/guide). The connector's Connect
// writes them through the API.
package definitions

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed contacts.json communications.json leads.json tickets.json
var files embed.FS

// Property is one custom property as the properties API takes it.
type Property struct {
	Name           string   `json:"name"`
	Label          string   `json:"label"`
	Description    string   `json:"description,omitempty"`
	GroupName      string   `json:"groupName"`
	Type           string   `json:"type"`
	FieldType      string   `json:"fieldType"`
	HasUniqueValue bool     `json:"hasUniqueValue,omitempty"`
	Hidden         bool     `json:"hidden,omitempty"`
	Options        []Option `json:"options,omitempty"`
}

// Group is a group of properties as the properties API takes it. A property can only be made in a group that is there.
type Group struct {
	Name  string `json:"name"`
	Label string `json:"label"`
}

// PropertyGroup returns the group that all the custom properties of an object type are in. It is one of our own, because not every
// object type has one of HubSpot's whose name is known.
func PropertyGroup() Group { return Group{Name: "signalbox", Label: "Signalbox"} }

// Option is one value of an enumeration or a yes-or-no property.
type Option struct {
	Label        string `json:"label"`
	Value        string `json:"value"`
	DisplayOrder int    `json:"displayOrder"`
	Hidden       bool   `json:"hidden"`
}

// Objects returns the object types that have custom properties, in the order they are installed.
func Objects() []string { return []string{"contacts", "communications", "leads", "tickets"} }

// Properties returns the custom properties of an object type, none for an unknown one.
func Properties(object string) ([]Property, error) {
	encoded, err := files.ReadFile(object + ".json")
	if err != nil {
		return nil, nil //nolint:nilerr // an object type without a file has no custom properties
	}
	var properties []Property
	if err := json.Unmarshal(encoded, &properties); err != nil {
		return nil, fmt.Errorf("definitions of %s: %w", object, err)
	}
	return properties, nil
}
