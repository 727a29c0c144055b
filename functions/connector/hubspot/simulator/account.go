package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"signalbox/functions/connector/simulatortest"
)

// portalID is that of a portal for which no other is told.
const portalID = 4242

// tokenInfoPath is where HubSpot tells a private app's token what it is.
// See https://developers.hubspot.com/docs/apps/legacy-apps/private-apps/overview.
const tokenInfoPath = "/oauth/v2/private-apps/get/access-token-info" //nolint:gosec // a path, no credential

// account returns what is told of the portal and the token; found is false for another path.
func (s *Simulator) account(r *http.Request, body []byte) (answer reply, found bool) {
	if r.Method == http.MethodPost && r.URL.Path == tokenInfoPath {
		return s.tokenInfo(r, body), true
	}
	version, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/account-info/"), "/")
	if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/account-info/") || !slices.Contains([]string{version202603, version202609, versionV3}, version) {
		return reply{}, false
	}
	switch rest {
	case "details":
		details := map[string]any{
			"portalId": s.options.Portal, "accountType": "STANDARD", "timeZone": "US/Eastern", "companyCurrency": "USD", "additionalCurrencies": []string{},
			"utcOffset": "-05:00", "utcOffsetMilliseconds": -18000000, "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1",
		}
		return ok(details), true
	case "api-usage/daily/private-apps":
		usage := map[string]any{
			"name": "private-apps-api-calls-daily", "usageLimit": s.daily(), "currentUsage": s.day.Spent, "collectedAt": "2026-01-18T14:23:12.000Z",
			"fetchStatus": "SUCCESS", "resetsAt": "2026-01-19T05:00:00.000Z",
		}
		return ok(map[string]any{"results": []any{usage}}), true
	default:
		return reply{}, false
	}
}

func (s *Simulator) tokenInfo(r *http.Request, body []byte) reply {
	if s.options.ServiceKey {
		return undocumented(r)
	}
	return decoded(body, func(in struct {
		Token string `json:"tokenKey"`
	},
	) reply {
		if bearer, _ := simulatortest.Bearer(r); in.Token != bearer {
			return invalid("tokenKey is not a token of a private app")
		}
		scopes := s.options.Scopes
		if scopes == nil {
			scopes = []string{"crm.objects.contacts.read", "crm.objects.contacts.write", "crm.objects.leads.read", "crm.objects.leads.write", "crm.schemas.contacts.read", "crm.schemas.contacts.write", "files", "tickets"}
		}
		return ok(map[string]any{"userId": 7, "hubId": s.options.Portal, "appId": 77, "scopes": scopes})
	})
}

// unscoped returns the refusal of a request for which the token has no scope, as far as its scopes are told.
func (s *Simulator) unscoped(r *http.Request, area, object string) (refused reply, is bool) {
	kind := "contacts"
	if object == leads {
		kind = leads
	}
	scope := "crm.objects." + kind + ".write"
	if object == tickets { // of which there is one scope
		scope = tickets
		if s.options.Scopes == nil || slices.Contains(s.options.Scopes, scope) {
			return reply{}, false
		}
	}
	switch search := searches(r) || strings.HasSuffix(r.URL.Path, "/batch/read"); {
	case object == tickets:
	case area == "properties" && r.Method != http.MethodGet:
		scope = "crm.schemas.contacts.write"
	case search, r.Method == http.MethodGet:
		scope = "crm.objects." + kind + ".read"
	}
	if s.options.Scopes == nil || slices.Contains(s.options.Scopes, scope) {
		return reply{}, false
	}
	refusedBody := problem("MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.")
	return reply{Status: http.StatusForbidden, Body: *refusedBody.about("missingScopes", scope)}, true
}

// validations returns GET property-validations/{id of an object type}.
func (s *Simulator) validations(r *http.Request, typeID string) reply {
	object := map[string]string{"0-1": contacts, "0-18": communications, "0-136": leads, "0-5": tickets}[typeID]
	if r.Method != http.MethodGet || object == "" {
		return undocumented(r)
	}
	results := []any{}
	for _, rule := range s.rules {
		if rule.Object == object && rule.Kind != "" {
			one := map[string]any{"ruleType": rule.Kind, "ruleArguments": []string{"40"}, "shouldApplyNormalization": false}
			results = append(results, map[string]any{"propertyName": rule.Property, "propertyValidationRules": []any{one}})
		}
	}
	return ok(map[string]any{"results": results})
}

// all returns GET properties/{object}, in the order of the names.
func (t *table) all() reply {
	names := make([]string, 0, len(t.known))
	for name := range t.known {
		names = append(names, name)
	}
	slices.Sort(names)
	results := make([]any, len(names))
	for i, name := range names {
		results[i] = t.known[name].show()
	}
	return ok(map[string]any{"results": results})
}

// Define makes a property as a user of the portal would.
func (s *Simulator) Define(object, encoded string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	var p property
	_ = json.Unmarshal([]byte(encoded), &p)
	s.Tables[object].known[p.Name] = p
}
