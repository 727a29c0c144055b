package simulator

import (
	"cmp"
	"strconv"

	"signalbox/shared/mapping"
)

// Shows returns the tables that show what a tenant maps of an object.
func Shows(o mapping.Object) []string {
	return map[mapping.Object][]string{
		mapping.Person: {contacts, leads}, mapping.Lead: {leads}, mapping.Activity: {"msg_message"}, mapping.Conversation: {"msg_conversation"},
	}[o]
}

// DefineMapped makes a column of the tenant's own, as an administrator of the environment would. One that is there already stays. The types are
// those of https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-column-definitions-using-web-api.
func (s *Simulator) DefineMapped(o mapping.Object, f mapping.Described) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	c := column{ReadOnly: f.ReadOnly}
	switch f.Type {
	case mapping.Number:
		c.Type = "Double"
	case mapping.Boolean:
		c.Type = "Boolean"
	case mapping.Datetime:
		c.Type = "DateTime"
	case mapping.Date:
		c.Type, c.DateOnly = "DateTime", true
	case mapping.Choice:
		c.Type = "Picklist"
		for _, option := range f.Options {
			if value, err := strconv.Atoi(option); err == nil { // options are numbers: another word is none
				c.Options = append(c.Options, value)
			}
		}
	case mapping.Text:
		if c.Type, c.Length = "String", cmp.Or(f.Length, maxString); c.Length > maxString {
			c.Type = "Memo"
		}
	}
	for _, name := range Shows(o) {
		if t := s.Tables[name]; t != nil && t.Columns[f.Name].Type == "" {
			t.Columns[f.Name] = c
		}
	}
}
