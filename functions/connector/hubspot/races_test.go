package hubspot_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// answered keeps a copy of a reply so that it can be given again.
func answered(t *testing.T, next http.RoundTripper, r *http.Request) (reply func() *http.Response) {
	t.Helper()
	first, err := next.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Body.Close() }()
	body, err := io.ReadAll(first.Body)
	if err != nil {
		t.Fatal(err)
	}
	return func() *http.Response {
		again := *first
		again.Body = io.NopCloser(bytes.NewReader(body))
		return &again
	}
}

func request(t *testing.T, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://portal.test"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+string(token))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func TestASearchThatStillFindsADeletedContactBuriesNoMessage(t *testing.T) {
	const phone = "+15551234567"
	cases := map[string]struct {
		held   map[string]string
		linked bool
	}{
		"it had not our key":             {held: map[string]string{"phone": phone}},
		"it had our key":                 {held: map[string]string{"phone": phone, "msg_sender_key": newcomer(1).Person.Key}},
		"it was linked, without our key": {held: map[string]string{"phone": phone}, linked: true},
		"it was linked, with our key":    {held: map[string]string{"phone": phone, "msg_sender_key": newcomer(1).Person.Key}, linked: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := simulator.New(simulator.Options{Token: token})
			next := simulator.Transport(s)
			gone := s.Add("contacts", c.held)
			search := request(t, "/crm/objects/2026-03/contacts/search", `{"after":"0","limit":100,"sorts":[],"properties":["phone","msg_sender_key"],
				"filterGroups":[{"filters":[{"propertyName":"phone","operator":"EQ","value":"`+phone+`"}]}]}`)
			stale := answered(t, next, search) //nolint:bodyclose // a function, whose answer the client closes
			s.Archive("contacts", gone)
			crm := newCRM(portal(), roundTrip(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/search") {
					return stale(), nil
				}
				return next.RoundTrip(r)
			}), slog.New(slog.DiscardHandler))
			d := newcomer(1)
			if c.linked {
				d = linked(d, gone)
			}
			done, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			if links := crm.Links(d, done[0]); links["contact"] == "" || links["contact"] == gone {
				t.Errorf("links %v", links)
			}
			for object, want := range map[string]int{"contacts": 1, "leads": 1, "communications": 1} {
				if held, _ := s.Records(object); len(held) != want {
					t.Errorf("%d %s, want %d", len(held), object, want)
				}
			}
		})
	}
}

func TestAMergedContactIsFollowedToTheOneThatIsLeft(t *testing.T) {
	for name, kind := range map[string]delivery.Kind{"an activity": delivery.LogActivity, "a consent": delivery.SetConsent} {
		t.Run(name, func(t *testing.T) {
			s := simulator.New(simulator.Options{Token: token})
			next := simulator.Transport(s)
			d := message(1, kind)
			if kind == delivery.SetConsent {
				d = stop(1, "2026-01-18T14:23:12Z")
			}
			merged := s.Add("contacts", nil)
			s.Archive("contacts", merged)
			left := s.Add("contacts", map[string]string{"msg_sender_key": d.Person.Key})
			follow := roundTrip(func(r *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				if strings.HasSuffix(r.URL.Path, "/batch/read") { // as HubSpot reads a merged id
					body = bytes.ReplaceAll(body, []byte(`"`+merged+`"`), []byte(`"`+left+`"`))
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				return next.RoundTrip(r)
			})
			done, errs := connectortest.Carry(t.Context(), newCRM(portal(), bodied{follow}, slog.New(slog.DiscardHandler)), linked(d, merged))
			none(t, errs)
			if links := newCRM(portal(), next, slog.New(slog.DiscardHandler)).Links(d, done[0]); links["contact"] != left {
				t.Errorf("links %v", links)
			}
		})
	}
}

// bodied gives requests without a body an empty one.
type bodied struct{ next http.RoundTripper }

func (b bodied) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	return b.next.RoundTrip(r)
}

// TestAWriteThatMeetsItsOwnEarlierTryIsRepeated: the first try timed out here and goes on there, so that the second finds
// no record and yet the key taken.
func TestAWriteThatMeetsItsOwnEarlierTryIsRepeated(t *testing.T) {
	replies := map[string]simulator.Fault{
		"409":              {Status: http.StatusConflict, Body: []byte(`{"status":"error","category":"CONFLICT","message":"conflict"}`)},
		"a value is taken": {Status: http.StatusBadRequest, Body: []byte(`{"status":"error","category":"VALIDATION_ERROR","errors":[{"code":"CONFLICTING_UNIQUE_VALUE"}]}`)},
		"207":              {Status: http.StatusMultiStatus, Body: []byte(`{"status":"COMPLETE","results":[],"numErrors":1,"errors":[{"status":"error","category":"CONFLICT"}]}`)},
	}
	for name, f := range replies {
		for object, verb := range map[string]string{"contacts": "create", "communications": "upsert"} {
			t.Run(name+" "+object, func(t *testing.T) {
				s := simulator.New(simulator.Options{Token: token})
				f.Match = "/crm/objects/2026-03/" + object + "/batch/" + verb
				s.Spoil(f)
				crm := newCRM(portal(), simulator.Transport(s), slog.New(slog.DiscardHandler))
				done, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
				if f := fault.Of(errs[0]); f == nil || f.Kind != fault.Retryable {
					t.Fatalf("%v", errs[0])
				}
				none(t, connectortest.Resume(t.Context(), crm, []delivery.Delivery{newcomer(1)}, done, make([]error, 1)))
			})
		}
	}
}
