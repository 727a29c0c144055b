package simulator

import (
	"net/http"
	"regexp"
	"strings"
)

// Rule is a validation rule of an object: it refuses a record where a field has a value that it does not let through.
type Rule struct {
	Object, Name, Message, Field string
	Refuses                      func(value any) bool
}

// AddRule makes a rule active, as an admin of the org would.
func (s *Simulator) AddRule(r Rule) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.rules = append(s.rules, r)
}

// Shorten makes a field of an object keep so many characters only, as an admin of the org would.
func (s *Simulator) Shorten(object, name string, length int) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	f := s.Tables[object].fields[name]
	f.Length = length
	s.Tables[object].fields[name] = f
}

// Protect makes a field of an object one that the integration user may not write, as an admin of the org would.
func (s *Simulator) Protect(object, name string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	f := s.Tables[object].fields[name]
	f.ReadOnly = true
	s.Tables[object].fields[name] = f
}

// Hide makes a field of an object one that the integration user does not see, as an admin of the org would: it is as if there were none.
// See https://help.salesforce.com/s/articleView?id=platform.admin_fls.htm.
func (s *Simulator) Hide(object, name string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	delete(s.Tables[object].fields, name)
}

// broken returns the refusal of a rule that values break, nil if they break none. It tells the message and not the name, as Salesforce does.
func (s *Simulator) broken(t *table, values map[string]any) *fault {
	for _, r := range s.rules {
		if value, given := values[r.Field]; given && r.Object == t.object && r.Refuses(value) {
			return bad("FIELD_CUSTOM_VALIDATION_EXCEPTION", r.Message, r.Field)
		}
	}
	return nil
}

var ruleQuery = regexp.MustCompile(`^SELECT ValidationName FROM ValidationRule WHERE Active = true AND ErrorMessage = '((?:[^'\\]|\\.)*)'$`)

// tooling returns GET tooling/query of the active validation rules that have a message.
// See https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/tooling_api_objects_validationrule.htm.
func (s *Simulator) tooling(query string) reply {
	match := ruleQuery.FindStringSubmatch(query)
	if match == nil {
		return refuse(http.StatusBadRequest, "MALFORMED_QUERY", "unexpected token")
	}
	message := strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`, `\n`, "\n", `\r`, "\r").Replace(match[1])
	records := []any{}
	for _, r := range s.rules {
		if r.Message == message {
			records = append(records, map[string]any{"attributes": map[string]string{"type": "ValidationRule"}, "ValidationName": r.Name})
		}
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"size": len(records), "totalSize": len(records), "done": true, "entityTypeName": "ValidationRule", "records": records}}
}
