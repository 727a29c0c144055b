package simulator

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// The versions of the API that an org has.
const (
	oldestVersion = 50
	newestVersion = 68
)

// versions returns GET /services/data, which asks nobody for a session.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/dome-versions.
func versions() reply {
	all := []map[string]string{}
	seasons := [...]string{"Spring", "Summer", "Winter"} // v66.0 is Spring '26
	for v := oldestVersion; v <= newestVersion; v++ {
		all = append(all, map[string]string{
			"label": fmt.Sprintf("%s '%02d", seasons[v%3], (v+13)/3), "url": fmt.Sprintf("/services/data/v%d.0", v), "version": fmt.Sprintf("%d.0", v),
		})
	}
	return reply{Status: http.StatusOK, Body: all}
}

// described is a field as GET sobjects/{T}/describe has it, as far as it is simulated.
type described struct {
	Name       string   `json:"name"`
	Label      string   `json:"label"`
	Type       string   `json:"type"`
	Length     int      `json:"length"`
	ExternalID bool     `json:"externalId"`
	IDLookup   bool     `json:"idLookup"`
	Unique     bool     `json:"unique"`
	Custom     bool     `json:"custom"`
	Nillable   bool     `json:"nillable"`
	Defaulted  bool     `json:"defaultedOnCreate"`
	Calculated bool     `json:"calculated"`
	Creatable  bool     `json:"createable"`
	Updatable  bool     `json:"updateable"`
	To         []string `json:"referenceTo"`
	Restricted bool     `json:"restrictedPicklist"`
	Values     []choice `json:"picklistValues"`
}

// choice is a value of a picklist.
type choice struct {
	Value   string `json:"value"`
	Label   string `json:"label"`
	Active  bool   `json:"active"`
	Default bool   `json:"defaultValue"`
}

// describedType returns the type that a field is described with.
func describedType(name string, f field) string {
	types := map[string]string{
		"LongTextArea": "textarea", "Checkbox": "boolean", "DateTime": "datetime", "Date": "date", "Number": "double", "Lookup": "reference",
		"Email": "email", kindOwner: "reference", kindBlob: "base64",
	}
	switch {
	case len(f.Options) > 0:
		return "picklist"
	case strings.HasSuffix(name, "Phone"):
		return "phone"
	case slices.Contains([]string{"LeadSource", "Status", "Priority", "TaskSubtype"}, name):
		return "picklist"
	case types[f.Kind] != "":
		return types[f.Kind]
	default:
		return "string"
	}
}

// describe returns GET sobjects/{T}/describe: what the integration user sees of an object, which is less than what there is.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/dome-sobject-describe.
func (s *Simulator) describe(t *table) reply {
	fields := []described{{Name: fieldID, Label: "Record ID", Type: "id", Length: 18, IDLookup: true, Defaulted: true, To: []string{}, Values: []choice{}}}
	for _, name := range t.names() {
		f, known := t.fields[name]
		if !known { // dates of the system
			if name != fieldID {
				fields = append(fields, described{Name: name, Label: name, Type: "datetime", Defaulted: true, To: []string{}, Values: []choice{}})
			}
			continue
		}
		custom := strings.HasSuffix(name, "__c")
		choices := []choice{}
		for _, option := range f.Options {
			choices = append(choices, choice{Value: option, Label: option, Active: true})
		}
		fields = append(fields, described{
			Name: name, Label: name, Type: describedType(name, f), Length: f.Length, ExternalID: f.Key && custom, IDLookup: f.Key, Unique: f.Unique,
			Custom: custom, Nillable: !f.Required, Defaulted: f.Kind == "Checkbox" || f.Kind == kindOwner, Creatable: !f.ReadOnly, Updatable: !f.ReadOnly,
			To: append([]string{}, f.To...), Restricted: len(choices) > 0, Values: choices,
		})
	}
	writable := t.object != trackerObject && (t.object != versionObject || !s.options.NoFiles)
	return reply{Status: http.StatusOK, Body: map[string]any{
		"name": t.object, "label": t.object, "keyPrefix": prefix(t.object), "custom": strings.HasSuffix(t.object, "__c"), "createable": writable,
		"updateable": writable, "deletable": false, "queryable": true, "retrieveable": true, "fields": fields,
		"urls": map[string]string{"sobject": "/services/data/v66.0/sobjects/" + t.object},
	}}
}

var (
	assignedQuery     = regexp.MustCompile(`^SELECT Id FROM PermissionSetAssignment WHERE AssigneeId = '(\w+)' AND PermissionSet\.Name = '(\w+)'$`)
	organizationQuery = regexp.MustCompile(`^SELECT Id, OrganizationType, IsSandbox FROM Organization$`)
)

// setup returns the reply to a query of what the org is like; known is false for any other.
func (s *Simulator) setup(q string) (answer reply, known bool) {
	records := []any{}
	switch match := assignedQuery.FindStringSubmatch(q); {
	case match != nil:
		if canonical(match[1]) == integrationUser && s.assigned[match[2]] {
			records = append(records, map[string]any{"attributes": map[string]string{"type": "PermissionSetAssignment"}, "Id": "0Pa000000000001AAA"})
		}
	case organizationQuery.MatchString(q):
		records = append(records, map[string]any{
			"attributes": map[string]string{"type": "Organization"}, "Id": orgID, "OrganizationType": "Developer Edition", "IsSandbox": false,
		})
	default:
		return reply{}, false
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"totalSize": len(records), "done": true, "records": records}}, true
}

// orgID is the org's.
const orgID = "00D000000000001EAA"

// Assign gives the integration user a permission set, as an admin of the org would.
func (s *Simulator) Assign(permissionSet string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.assigned[permissionSet] = true
	s.reveal()
}

// Define makes a field that everybody may edit, as an admin of the org would.
func (s *Simulator) Define(object, name, kind string, length int) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.Tables[object].fields[name] = field{Kind: kind, Length: length}
}
