package simulator

import (
	definitions "signalbox/functions/connector/hubspot/package"
	"signalbox/shared/mapping"
)

// shownOn returns where a portal shows what a tenant maps.
func shownOn(o mapping.Object) string {
	return map[mapping.Object]string{mapping.Person: contacts, mapping.Conversation: contacts, mapping.Lead: leads, mapping.Activity: communications}[o]
}

// DefineMapped makes a property of the tenant's own, as an administrator of the portal would. The types are described at
// https://developers.hubspot.com/docs/api-reference/crm-properties-v3/guide.
func (s *Simulator) DefineMapped(o mapping.Object, f mapping.Described) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	p := property{Property: definitions.Property{Name: f.Name, Label: f.Name, GroupName: "own", Type: "string", FieldType: "textarea"}, ReadOnly: f.ReadOnly}
	options := f.Options
	switch f.Type {
	case mapping.Number:
		p.Type, p.FieldType = "number", "number"
	case mapping.Boolean:
		p.Type, p.FieldType, options = "bool", "booleancheckbox", []string{"true", "false"}
	case mapping.Datetime:
		p.Type, p.FieldType = "datetime", "date"
	case mapping.Date:
		p.Type, p.FieldType = "date", "date"
	case mapping.Choice:
		p.Type, p.FieldType = "enumeration", "select"
	case mapping.Text:
	}
	for _, option := range options {
		p.Options = append(p.Options, definitions.Option{Label: option, Value: option})
	}
	s.Tables[shownOn(o)].known[f.Name] = p
}

// Mapped returns the records that show what a tenant maps.
func (s *Simulator) Mapped(o mapping.Object) []Record {
	held, _ := s.Records(shownOn(o))
	return held
}
