package simulator

import "net/http"

// Rule is a rule of a portal's admin about a property: of what its value must be, which every version enforces, or of when it must have one,
// which versions from 2026-09 on enforce. See https://developers.hubspot.com/changelog/crm-api-write-validation-enforcement.
type Rule struct {
	Object, Property string
	Error            string // HubSpot's word for a value that breaks it
	Kind             string // HubSpot's word for the rule, such as MAX_LENGTH; "" of one that it does not tell
	From             string // the first version that enforces it, "" for every one
	Refuses          func(properties map[string]string, isNew bool) bool
}

// AddRule puts a rule in force, as an admin of the portal would.
func (s *Simulator) AddRule(r Rule) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.rules = append(s.rules, r)
}

// Erase deletes a contact as the law demands, as a user of the portal would: nobody is made with the address again.
// See https://knowledge.hubspot.com/contacts/how-do-i-perform-a-gdpr-compliant-delete-in-hubspot.
func (s *Simulator) Erase(id string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if r := s.Tables[contacts].Rows[id]; r != nil {
		s.blocklist[r.Values["email"]] = true
		s.archive(s.Tables[contacts], r)
	}
}

// broken returns the refusal of the rules that properties break, which is zero if they break none.
func (s *Simulator) broken(t *table, properties map[string]string, isNew bool) reply {
	var faults []propertyFault
	if t.name == contacts && properties["email"] != "" && s.blocklist[properties["email"]] {
		faults = append(faults, propertyFault{Message: "email has been GDPR blacklisted", Error: "INVALID_EMAIL", Name: "email"})
	}
	for _, r := range s.rules {
		if r.Object == t.name && (r.From == "" || s.version != versionV3 && s.version >= r.From) && r.Refuses(properties, isNew) {
			faults = append(faults, propertyFault{Message: "a rule of the portal refuses " + properties[r.Property], Error: r.Error, Name: r.Property})
		}
	}
	if len(faults) == 0 {
		return reply{}
	}
	return reply{Status: http.StatusBadRequest, Body: wrongProperties(faults)}
}
