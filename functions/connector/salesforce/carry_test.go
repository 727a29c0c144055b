package salesforce_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
)

// wire writes down what passes, bodies indented, without what is the same in every request.
type wire struct {
	next http.RoundTripper
	log  bytes.Buffer
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	fmt.Fprintf(&w.log, "> %s %s\n", r.Method, r.URL.RequestURI())
	if r.Body != nil {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
		w.body(sent)
	}
	reply, err := w.next.RoundTrip(r)
	if err != nil {
		fmt.Fprintf(&w.log, "< %v\n\n", err)
		return nil, err
	}
	received, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, err
	}
	reply.Body = io.NopCloser(bytes.NewReader(received))
	fmt.Fprintf(&w.log, "< %s\n", reply.Status)
	w.body(received)
	w.log.WriteString("\n")
	return reply, nil
}

func (w *wire) body(b []byte) {
	if len(b) == 0 {
		return
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, b, "", "  "); err != nil {
		indented.Reset()
		indented.Write(b)
	}
	w.log.Write(indented.Bytes())
	w.log.WriteString("\n")
}

func message(n int, kinds ...delivery.Kind) delivery.Delivery {
	d := delivery.Delivery{
		ID: delivery.ID(fmt.Sprintf("event-%d.salesforce", n)), CRM: "salesforce",
		Event: canonical.Event{
			EventID: canonical.EventID(fmt.Sprintf("event-%d", n)), SchemaVersion: 2, TenantID: tenantID, AccountID: "demo-twilio", Provider: "twilio",
			ProviderMessageID: fmt.Sprintf("SM%d", n), Type: canonical.TypeMessage, Channel: canonical.RCS, Direction: canonical.Inbound,
			Message:   &canonical.Message{Text: "Interested in pricing for product X", Summary: "Interested in pricing for product X"},
			Timestamp: time.Date(2026, 1, 18, 14, 23, n, 0, time.UTC),
		},
		Person: delivery.Person{Key: strings.Repeat("ab", 31) + fmt.Sprintf("%02d", n), Name: "Ana Ruiz", Phone: "+15551234567", Region: "US"},
	}
	for _, k := range kinds {
		d.Actions = append(d.Actions, delivery.Action{Kind: k})
	}
	return d
}

func newcomer(n int) delivery.Delivery {
	d := message(n, delivery.EnsurePerson, delivery.LogActivity)
	d.Actions[0].Value = map[string]string{"source": "messaging", "channel": "rcs", "description": "Interested in pricing for product X"}
	return d
}

func stop(n int, at string) delivery.Delivery {
	d := message(n, delivery.SetConsent)
	d.Actions[0].Value = map[string]string{"channel": "sms", "state": "opted_out", "at": at}
	return d
}

func linked(d delivery.Delivery, who string) delivery.Delivery {
	d.Person.Links = map[string]string{"who": who, "named": "true"}
	return d
}

func none(t *testing.T, errs []error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

// count fails the test unless the org holds so many records of an object.
func count(t *testing.T, s *simulator.Simulator, object string, want int) {
	t.Helper()
	if held, _ := s.Records(object); len(held) != want {
		t.Errorf("%d records of %s, want %d: %v", len(held), object, want, held)
	}
}
