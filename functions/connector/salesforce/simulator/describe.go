package simulator

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// describedField is a field as describe shows it, as far as it is simulated.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/resources-sobject-describe.
type describedField struct {
	Name        string   `json:"name"`
	Label       string   `json:"label"`
	Type        string   `json:"type"`
	Length      int      `json:"length"`
	Custom      bool     `json:"custom"`
	ExternalID  bool     `json:"externalId"`
	IDLookup    bool     `json:"idLookup"`
	Unique      bool     `json:"unique"`
	Nillable    bool     `json:"nillable"`
	Createable  bool     `json:"createable"`
	Updateable  bool     `json:"updateable"`
	ReferenceTo []string `json:"referenceTo"`
}

// describedObject is an object as describe shows it, as far as it is simulated.
type describedObject struct {
	Name       string            `json:"name"`
	Label      string            `json:"label"`
	KeyPrefix  string            `json:"keyPrefix"`
	Custom     bool              `json:"custom"`
	Createable bool              `json:"createable"`
	Updateable bool              `json:"updateable"`
	Queryable  bool              `json:"queryable"`
	URLs       map[string]string `json:"urls"`
	Fields     []describedField  `json:"fields,omitempty"`
}

// fieldType returns describe's word for a type of the Metadata API.
func fieldType(kind string) string {
	return map[string]string{
		"Text": "string", "LongTextArea": "textarea", "Checkbox": "boolean", "DateTime": "datetime", "Date": "date", "Number": "double",
		"Lookup": "reference", "Email": "email",
	}[kind]
}

func (t *table) describe() describedObject {
	custom, written := strings.HasSuffix(t.object, "__c"), t.object != trackerObject
	at := recordURL(t.object, "")
	return describedObject{
		Name: t.object, Label: t.object, KeyPrefix: prefix(t.object), Custom: custom, Createable: written, Updateable: written, Queryable: true,
		URLs: map[string]string{"sobject": strings.TrimSuffix(at, "/"), "describe": at + "describe", "rowTemplate": at + "{ID}"},
	}
}

func (t *table) describeFields() reply {
	described := t.describe()
	described.Fields = []describedField{{Name: "Id", Label: "Id", Type: "id", Length: 18, IDLookup: true, ReferenceTo: []string{}}}
	for _, name := range slices.Sorted(maps.Keys(t.fields)) {
		f, custom := t.fields[name], strings.HasSuffix(name, "__c")
		written := !f.readOnly && described.Updateable
		described.Fields = append(described.Fields, describedField{
			Name: name, Label: name, Type: fieldType(f.kind), Length: f.length, Custom: custom, ExternalID: f.key && custom, IDLookup: f.key,
			Unique: f.unique, Nillable: !f.required, Createable: written, Updateable: written, ReferenceTo: append([]string{}, f.to...),
		})
	}
	return reply{Status: http.StatusOK, Body: described}
}

// describeAll returns GET sobjects.
func (s *Simulator) describeAll() reply {
	objects := []describedObject{}
	for _, name := range slices.Sorted(maps.Keys(s.tables)) {
		if t := s.tables[name]; len(t.fields) > 0 {
			objects = append(objects, t.describe())
		}
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"encoding": "UTF-8", "maxBatchSize": maxRows, "sobjects": objects}}
}
