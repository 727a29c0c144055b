package salesforce_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

func TestARedirectIsNotFollowed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		if err := w.send(t.Context(), w.process(), 0); err != nil {
			t.Fatal(err)
		}
		w.Spoil(simulatortest.Fault{Match: "/services/data", Status: 307, Headers: map[string]string{"Location": "https://elsewhere.example/"}})
		wants(t, w.send(t.Context(), w.process(), 1), fault.Blocked, "salesforce_redirected")
	})
}

func TestTheDailyLimitIsToldFromTooManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{DailyLimit: 30})
		crm := newPlace().crm(org(), simulatortest.Transport(s), slog.New(slog.DiscardHandler))
		who := s.Add("Contact", map[string]any{"LastName": "Ruiz"})
		for n := range 30 {
			if _, errs := connectortest.Carry(t.Context(), crm, linked(message(n, delivery.LogActivity), who)); errs[0] != nil {
				t.Fatalf("%d: %v", n, errs[0])
			}
		}
		_, errs := connectortest.Carry(t.Context(), crm, linked(message(31, delivery.LogActivity), who))
		wants(t, errs[0], fault.Blocked, "salesforce_daily_limit")
		s.Spoil(simulatortest.Fault{Status: 403, Body: []byte(`[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"x"}]`)})
		_, errs = connectortest.Carry(t.Context(), crm, linked(message(32, delivery.LogActivity), who)) // without the header: as last told
		wants(t, errs[0], fault.Blocked, "salesforce_daily_limit")
		s.Spoil(simulatortest.Fault{Status: 403, Headers: map[string]string{"Sforce-Limit-Info": "api-usage=18/15000"}, Body: []byte(`[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"x"}]`)})
		_, errs = connectortest.Carry(t.Context(), crm, linked(message(33, delivery.LogActivity), who))
		wants(t, errs[0], fault.Throttled, "salesforce_request_limit")
		if wait := fault.Of(errs[0]).Wait; wait < 30*time.Second || wait > 2*time.Minute {
			t.Errorf("waits %s", wait)
		}
	})
}

func TestAWholeBatchOfBadRowsFailsAlone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var ds []delivery.Delivery
		for n := range 90 {
			d := newcomer(n)
			d.Person.Key = strings.Repeat("a", 60) + string([]byte{'a' + byte(n/26), 'a' + byte(n%26)})
			d.Person.Phone = ""
			if n%2 == 0 {
				d.Person.Email = "no address" // more than fourteen: Salesforce does not begin the graphs after them
			}
			ds = append(ds, d)
		}
		_, errs := connectortest.Carry(t.Context(), w.process(), ds...)
		for n, err := range errs {
			if n%2 == 0 {
				wants(t, err, fault.Permanent, "salesforce_invalid_data")
			} else if err != nil {
				t.Errorf("row %d: %v", n, err)
			}
		}
		count(t, w.Simulator, "Lead", 45)
	})
}

func TestManyKnownContactsCostOneCall(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		if err := w.send(t.Context(), w.process(), 0); err != nil {
			t.Fatal(err)
		}
		wire := &wire{next: simulatortest.Transport(w.Simulator)}
		var ds []delivery.Delivery
		for n := range 75 {
			ds = append(ds, linked(message(n+1, delivery.LogActivity), w.Add("Contact", map[string]any{"LastName": "Ruiz"})))
		}
		_, errs := connectortest.Carry(t.Context(), w.crm(w.binding, wire, slog.New(slog.DiscardHandler)), ds...)
		none(t, errs)
		if calls := strings.Count(wire.log.String(), "> "); calls != 1 {
			t.Errorf("%d calls for %d messages", calls, len(ds))
		}
	})
}

func TestAReplayNeverWritesOverWhatAPersonChanged(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		crm, d := w.process(), newcomer(1)
		_, errs := connectortest.Carry(t.Context(), crm, d)
		none(t, errs)
		leads, _ := w.Records("Lead")
		w.edit(t, leads[0].ID)
		_, errs = connectortest.Carry(t.Context(), w.process(), d) // from the beginning, as after a crash before the first checkpoint
		none(t, errs)
		count(t, w.Simulator, "Lead", 1)
		if leads, _ = w.Records("Lead"); leads[0].Properties["LastName"] != "Ruiz de la Prada" {
			t.Errorf("%v", leads[0].Properties)
		}
	})
}

// edit changes a lead as a user of the org would.
func (w *world) edit(t *testing.T, id string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "https://x.example/services/data/v66.0/sobjects/Lead/"+id,
		io.NopCloser(strings.NewReader(`{"LastName":"Ruiz de la Prada"}`)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.NewSession())
	request.Header.Set("Content-Type", "application/json")
	reply, err := simulatortest.Transport(w.Simulator).RoundTrip(request)
	if err != nil || reply.StatusCode != http.StatusNoContent {
		t.Fatal(err, reply)
	}
	_ = reply.Body.Close()
}
