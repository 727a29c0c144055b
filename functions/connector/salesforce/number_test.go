package salesforce_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// TestANumberThatAnOrgRefusesHoldsNothingUp: its record shows the old number, the log says so, and what the person writes goes on.
func TestANumberThatAnOrgRefusesHoldsNothingUp(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		code   string
		want   string // of the fault; "" for none
		logged bool
	}{
		"a duplicate rule blocks it":  {400, "DUPLICATES_DETECTED", "", true},
		"a validation rule blocks it": {400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "", true},
		"a flow fails":                {400, "CANNOT_EXECUTE_FLOW_TRIGGER", "", true},
		"the field is not ours":       {400, "INVALID_FIELD_FOR_INSERT_UPDATE", "", true},
		"somebody deleted the record": {404, "NOT_FOUND", "", false},
		"the row is locked":           {400, "UNABLE_TO_LOCK_ROW", "salesforce_locked", false},
		"the org is down":             {503, "SERVER_UNAVAILABLE", "salesforce_unavailable", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := simulator.New(simulator.Options{Apps: apps(t)})
				id := s.Add("Contact", contact())
				said := &strings.Builder{}
				refuses := roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.Method == http.MethodPatch {
						s.Spoil(simulatortest.Fault{Match: "/services/data", Status: c.status, Body: []byte(`[{"errorCode":"` + c.code + `","message":"Secret words","fields":[]}]`)})
					}
					return simulatortest.Transport(s).RoundTrip(r)
				})
				crm := signedIn(t, org(), s).crm(org(), refuses, slog.New(slog.NewTextHandler(said, nil)))
				d := linked(message(1, delivery.ChangePhone), id)
				d.Actions[0].Value = map[string]string{"from": d.Person.Phone, "to": "+14155550199"}
				_, errs := connectortest.Carry(t.Context(), crm, d)
				if f := fault.Of(errs[0]); c.want == "" && errs[0] != nil || c.want != "" && (f == nil || f.Code != c.want) {
					t.Errorf("%v, want %q", errs[0], c.want)
				}
				if logged := strings.Contains(said.String(), "the org refuses a person's new number"); logged != c.logged {
					t.Errorf("logged %s", said)
				}
			})
		})
	}
}
