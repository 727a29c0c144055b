package simulator

import (
	"cmp"
	"slices"

	"signalbox/shared/mapping"
)

// shownOn returns where an org shows what a tenant maps.
func shownOn(o mapping.Object) []string {
	return map[mapping.Object][]string{
		mapping.Person: {contactObject, leadObject}, mapping.Lead: {leadObject}, mapping.Activity: {taskObject, eventObject}, mapping.Conversation: {conversationObject},
	}[o]
}

// DefineMapped makes a field of the tenant's own, as an administrator of the org would. A Choice is a restricted picklist.
func (s *Simulator) DefineMapped(o mapping.Object, f mapping.Described) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	kind := map[mapping.Type]string{mapping.Number: "Number", mapping.Boolean: "Checkbox", mapping.Datetime: "DateTime", mapping.Date: "Date"}[f.Type]
	for _, object := range shownOn(o) {
		s.Tables[object].fields[f.Name] = field{Kind: cmp.Or(kind, "Text"), Length: cmp.Or(f.Length, 32000), ReadOnly: f.ReadOnly, Options: f.Options}
	}
}

// Mapped returns the records that show what a tenant maps.
func (s *Simulator) Mapped(o mapping.Object) (held []Record) {
	for _, object := range shownOn(o) {
		records, _ := s.Records(object)
		held = slices.Concat(held, records)
	}
	return held
}
