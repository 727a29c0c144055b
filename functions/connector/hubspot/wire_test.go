package hubspot_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// roundTrip is a transport that is a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestACrashAfterTheContactWasMadeStillMakesTheLeadOnce(t *testing.T) {
	s := simulator.New(simulator.Options{Token: token})
	crm := newCRM(portal(), simulator.Transport(s), slog.New(slog.DiscardHandler))
	d := newcomer(1)
	step, _, err := crm.Next(d, connector.Progress{})
	if err != nil || !step.Seen {
		t.Fatalf("finding nobody is not checkpointed: %+v %v", step.Name, err)
	}
	checkpoint := connector.Progress{step.Name: crm.Do(t.Context(), []connector.Step[hubspot.Request]{step})[0].Result}
	step, _, err = crm.Next(d, checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	if o := crm.Do(t.Context(), []connector.Step[hubspot.Request]{step})[0]; o.Err != nil { // and nobody hears of it
		t.Fatal(o.Err)
	}
	for range 2 {
		done := []connector.Progress{{"resolve": checkpoint["resolve"]}}
		none(t, connectortest.Resume(t.Context(), crm, []delivery.Delivery{d}, done, make([]error, 1)))
	}
	for object, want := range map[string]int{"contacts": 1, "leads": 1, "communications": 1} {
		if held, _ := s.Records(object); len(held) != want {
			t.Errorf("%d %s, want %d", len(held), object, want)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	s := simulator.New(simulator.Options{Token: token})
	s.Spoil(simulator.Fault{Status: http.StatusTemporaryRedirect, Headers: map[string]string{"Location": "https://elsewhere.test/"}})
	w := &wire{next: simulator.Transport(s)}
	_, errs := connectortest.Carry(t.Context(), newCRM(portal(), w, slog.New(slog.DiscardHandler)), message(1, delivery.LogActivity))
	if f := fault.Of(errs[0]); errs[0] == nil || f.Kind != fault.Blocked || f.Code != "hubspot_redirected" {
		t.Errorf("%v", errs[0])
	}
	if calls := strings.Count(w.log.String(), "> "); calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

func TestAnUpsertThatIsAnsweredWithNothingHasFailed(t *testing.T) {
	for _, body := range []string{``, `{}`, `{"status":"COMPLETE","results":[]}`} {
		s := simulator.New(simulator.Options{Token: token})
		d := linked(message(1, delivery.LogActivity), s.Add("contacts", nil))
		s.Spoil(simulator.Fault{Status: http.StatusOK, Body: []byte(body)})
		_, errs := connectortest.Carry(t.Context(), newCRM(portal(), simulator.Transport(s), slog.New(slog.DiscardHandler)), d)
		if f := fault.Of(errs[0]); errs[0] == nil || f.Kind != fault.Permanent || f.Code != "hubspot_silent_failure" {
			t.Errorf("%q: %v", body, errs[0])
		}
	}
}
