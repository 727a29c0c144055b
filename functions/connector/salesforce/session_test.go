package salesforce_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// roundTrip is a transport that is a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// world is one org and what processes share, in a bubble.
type world struct {
	*simulator.Simulator
	place
	binding salesforce.Binding
	who     string
}

func inWorld(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{Apps: apps(t)})
		f(t, &world{Simulator: s, place: newPlace(), binding: org(), who: s.Add("Contact", map[string]any{"LastName": "Ruiz"})})
	})
}

// process returns a process of its own.
func (w *world) process() *salesforce.CRM {
	return w.crm(w.binding, simulatortest.Transport(w.Simulator), slog.New(slog.DiscardHandler))
}

// send carries a message to a known contact and returns the error.
func (w *world) send(ctx context.Context, crm *salesforce.CRM, n int) error {
	_, errs := connectortest.Carry(ctx, crm, linked(message(n, delivery.LogActivity), w.who))
	return errs[0]
}

func (w *world) minted(t *testing.T, want int) {
	t.Helper()
	if got := w.Minted(); got != want {
		t.Errorf("%d sessions were asked for, want %d", got, want)
	}
}

func wants(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if f := fault.Of(err); f == nil || f.Kind != kind || f.Code != code {
		t.Errorf("%v, want %s %s", err, kind, code)
	}
}

func TestASessionIsAskedForOnceAndShared(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var all sync.WaitGroup
		for n := range 8 {
			crm := w.process()
			for k := range 4 {
				all.Go(func() {
					if err := w.send(t.Context(), crm, n*4+k); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		time.Sleep(24 * time.Hour)
		if err := w.send(t.Context(), w.process(), 99); err != nil {
			t.Error(err)
		}
		w.minted(t, 1)
	})
}

func TestASessionThatOthersReplacedIsNotAskedForAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		crms := []*salesforce.CRM{w.process(), w.process(), w.process()}
		for n, crm := range crms {
			if err := w.send(t.Context(), crm, n); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		w.Expire()
		for n, crm := range crms { // each of them holds the old one in memory
			if err := w.send(t.Context(), crm, 10+n); err != nil {
				t.Error(err)
			}
		}
		w.minted(t, 2)
	})
}

func TestAtMostOneSessionAMinuteIsAskedFor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		crm := w.process()
		if err := w.send(t.Context(), crm, 0); err != nil {
			t.Fatal(err)
		}
		w.Expire()
		for n := range 20 {
			wants(t, w.send(t.Context(), []*salesforce.CRM{crm, w.process()}[n%2], 1), fault.Blocked, "salesforce_session_refused")
		}
		w.minted(t, 1)
		time.Sleep(time.Minute)
		if err := w.send(t.Context(), crm, 2); err != nil {
			t.Error(err)
		}
		w.minted(t, 2)
	})
}

func TestASessionThatIsRefusedAtOnceIsTheTenantsTrouble(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.Spoil(simulatortest.Fault{Match: "/services/data", Status: 401, Body: []byte(`[{"errorCode":"INVALID_SESSION_ID","message":"x"}]`), Count: -1})
		wants(t, w.send(t.Context(), w.process(), 1), fault.Blocked, "salesforce_session_refused")
		time.Sleep(time.Minute)
		wants(t, w.send(t.Context(), w.process(), 1), fault.Blocked, "salesforce_unauthenticated")
		w.minted(t, 2)
	})
}

func TestAny401EndsTheSessionOnce(t *testing.T) {
	cases := map[string]simulatortest.Fault{
		"the session has ended":             {Status: 401, Body: []byte(`[{"errorCode":"INVALID_SESSION_ID","message":"x"}]`)},
		"in its words with another status":  {Status: 500, Body: []byte(`[{"errorCode":"INVALID_SESSION_ID","message":"x"}]`)},
		"the header is refused":             {Status: 401, Body: []byte(`[{"errorCode":"INVALID_AUTH_HEADER","message":"x"}]`)},
		"a word that nobody has seen":       {Status: 401, Body: []byte(`[{"errorCode":"SESSION_REVOKED","message":"x"}]`)},
		"no words":                          {Status: 401},
		"a page of whoever stands in front": {Status: 401, Body: []byte(`"<html>"`)},
	}
	for name, spoilt := range cases {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				crm := w.process()
				if err := w.send(t.Context(), crm, 0); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				spoilt.Match = "/services/data"
				w.Spoil(spoilt)
				if err := w.send(t.Context(), crm, 1); err != nil {
					t.Error(err)
				}
				w.minted(t, 2)
				time.Sleep(time.Minute)
				spoilt.Count = -1
				w.Spoil(spoilt)
				if err := w.send(t.Context(), crm, 2); fault.Of(err) == nil || fault.Of(err).Kind != fault.Blocked {
					t.Errorf("refused for good: %v", err)
				}
				w.minted(t, 3)
			})
		})
	}
}

func TestNewCredentialsGetASessionOfTheirOwn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		if err := w.send(t.Context(), w.process(), 0); err != nil {
			t.Fatal(err)
		}
		w.binding.Username = "another@acme.example"
		wants(t, w.send(t.Context(), w.process(), 1), fault.Throttled, "salesforce_session_awaited")
		time.Sleep(time.Minute)
		if err := w.send(t.Context(), w.process(), 1); err != nil {
			t.Error(err)
		}
		w.minted(t, 2)
	})
}

func TestWhatIsRefusedInsteadOfASession(t *testing.T) {
	const path = "/services/oauth2/token"
	cases := map[string]struct {
		fault  simulatortest.Fault
		change func(*salesforce.Binding)
		kind   fault.Kind
		code   string
	}{
		"the user has not approved the app":  {simulatortest.Fault{Match: path, Status: 400, Body: []byte(`{"error":"invalid_grant","error_description":"user hasn't approved this consumer"}`)}, nil, fault.Blocked, "salesforce_invalid_grant"},
		"the app is unknown":                 {simulatortest.Fault{Match: path, Status: 400, Body: []byte(`{"error":"invalid_client_id"}`)}, nil, fault.Blocked, "salesforce_invalid_client"},
		"the user is inactive":               {simulatortest.Fault{Match: path, Status: 400, Body: []byte(`{"error":"inactive_user"}`)}, nil, fault.Blocked, "salesforce_inactive_user"},
		"another word":                       {simulatortest.Fault{Match: path, Status: 400, Body: []byte(`{"error":"invalid_scope"}`)}, nil, fault.Blocked, "salesforce_grant_refused"},
		"no words":                           {simulatortest.Fault{Match: path, Status: 400}, nil, fault.Blocked, "salesforce_grant_refused"},
		"words that may be anything":         {simulatortest.Fault{Match: path, Status: 400, Body: []byte(`{"error":"<b>signalbox@acme.example"}`)}, nil, fault.Blocked, "salesforce_grant_refused"},
		"down":                               {simulatortest.Fault{Match: path, Status: 503}, nil, fault.Retryable, "salesforce_unavailable"},
		"a wait is asked for":                {simulatortest.Fault{Match: path, Status: 429, Headers: map[string]string{"Retry-After": "40"}}, nil, fault.Throttled, "salesforce_request_limit"},
		"a page in between":                  {simulatortest.Fault{Match: path, Status: 200, Body: []byte(`"<html>"`)}, nil, fault.Retryable, "salesforce_reply_undecodable"},
		"a redirect":                         {simulatortest.Fault{Match: path, Status: 302, Headers: map[string]string{"Location": "https://elsewhere.example"}}, nil, fault.Blocked, "salesforce_redirected"},
		"another key":                        {simulatortest.Fault{}, func(b *salesforce.Binding) { b.Key = "not a key" }, fault.Blocked, "salesforce_key_invalid"},
		"an audience that nobody checks for": {simulatortest.Fault{}, func(b *salesforce.Binding) { b.Audience = "https://acme.example" }, fault.Blocked, "salesforce_invalid_grant"},
		"a session of another org":           {simulatortest.Fault{}, func(b *salesforce.Binding) { b.OrgID = "00D000000000002EAA" }, fault.Blocked, "salesforce_other_org"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				asked := 0
				if c.change != nil {
					c.change(&w.binding)
				} else {
					w.Spoil(c.fault)
				}
				next := simulatortest.Transport(w.Simulator)
				crm := func() *salesforce.CRM {
					return w.crm(w.binding, roundTrip(func(r *http.Request) (*http.Response, error) {
						if r.URL.Path == path {
							asked++
						}
						return next.RoundTrip(r)
					}), slog.New(slog.DiscardHandler))
				}
				err := w.send(t.Context(), crm(), 1)
				wants(t, err, c.kind, c.code)
				if err != nil && (strings.Contains(err.Error(), "acme") || strings.Contains(err.Error(), "<")) {
					t.Errorf("%v tells too much", err)
				}
				before := asked
				if c.kind == fault.Blocked {
					wants(t, w.send(t.Context(), crm(), 1), c.kind, c.code) // and is not asked again
				} else {
					wants(t, w.send(t.Context(), crm(), 1), fault.Throttled, "salesforce_session_awaited")
				}
				if asked != before {
					t.Errorf("%d requests within the minute", asked)
				}
				time.Sleep(time.Minute)
				if err := w.send(t.Context(), crm(), 1); err != nil && c.change == nil {
					t.Errorf("a minute later: %v", err)
				}
			})
		})
	}
}

// TestAProcessThatDiesAskingForASession kills at each call of the store and the wire; others go on after a minute at the latest.
func TestAProcessThatDiesAskingForASession(t *testing.T) {
	died := errors.New("killed")
	for kill := 1; kill <= 5; kill++ {
		for _, after := range []bool{false, true} {
			inWorld(t, func(t *testing.T, w *world) {
				calls := 0
				pass := func(call func() error) error {
					calls++
					if calls > kill || calls == kill && !after {
						return died
					}
					err := call()
					if calls == kill {
						return died
					}
					return err
				}
				next := simulatortest.Transport(w.Simulator)
				dying := salesforce.New(salesforce.Options{
					Bindings: bound(w.binding), Store: mortal{w.store, pass}, Sealer: w.box, Logger: slog.New(slog.DiscardHandler), Meter: telemetry.NewMeter(io.Discard, telemetry.Identity{}),
					Client: &http.Client{Transport: roundTrip(func(r *http.Request) (reply *http.Response, err error) {
						err = pass(func() (err error) { reply, err = next.RoundTrip(r); return err }) //nolint:bodyclose // the client closes it; the body is in memory
						return reply, err
					})},
				})
				_ = w.send(t.Context(), dying, 1)
				began := time.Now()
				for w.send(t.Context(), w.process(), 1) != nil {
					if time.Sleep(time.Second); time.Since(began) > 2*time.Minute {
						t.Fatalf("killed at %d, after %v: nobody gets a session", kill, after)
					}
				}
				if took := time.Since(began); took > time.Minute+5*time.Second {
					t.Errorf("killed at %d, after %v: the next session took %s", kill, after, took)
				}
				if n := w.Minted(); n > 2 {
					t.Errorf("killed at %d, after %v: %d sessions", kill, after, n)
				}
				count(t, w.Simulator, "Msg_Event__c", 1)
			})
		}
	}
}

// mortal is a store that is reached through pass.
type mortal struct {
	connector.Store
	pass func(call func() error) error
}

func (m mortal) Get(ctx context.Context, keys ...store.Key) (records []store.Record, err error) {
	err = m.pass(func() (err error) { records, err = m.Store.Get(ctx, keys...); return err })
	return records, err
}

func (m mortal) Write(ctx context.Context, changes ...store.Change) (records []store.Record, err error) {
	err = m.pass(func() (err error) { records, err = m.Store.Write(ctx, changes...); return err })
	return records, err
}

func TestNoSessionIsStoredOrLoggedInTheClear(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var out bytes.Buffer
		crm := w.crm(w.binding, simulatortest.Transport(w.Simulator), slog.New(slog.NewJSONHandler(&out, nil)))
		if err := w.send(t.Context(), crm, 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.Expire()
		if err := w.send(t.Context(), crm, 2); err != nil {
			t.Fatal(err)
		}
		held := out.String()
		for record := range w.store.All() {
			if record.Partition != "demo/token/salesforce" {
				t.Errorf("a record in %s", record.Partition)
			}
			held += string(record.Data)
		}
		if strings.Contains(held, "invented-session") || strings.Contains(held, key[100:140]) || strings.Contains(held, w.binding.Username) || held == "" {
			t.Errorf("%s", held)
		}
	})
}

func TestAnOrgOfAnotherTenantHasItsOwnSession(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		crm := w.process()
		for _, tenant := range []string{"demo", "second"} {
			d := linked(message(1, delivery.LogActivity), w.who)
			d.Event.TenantID = tenant
			if _, errs := connectortest.Carry(t.Context(), crm, d); errs[0] != nil {
				t.Error(errs[0])
			}
		}
		w.minted(t, 2)
	})
}

func TestBindingsThatCannotWork(t *testing.T) {
	cases := map[string]struct {
		change func(*salesforce.Binding)
		code   string
	}{
		"no address":                   {func(b *salesforce.Binding) { b.BaseURL = "" }, "salesforce_base_url_invalid"},
		"another scheme":               {func(b *salesforce.Binding) { b.BaseURL = "ftp://acme.example" }, "salesforce_base_url_invalid"},
		"another scheme for sessions":  {func(b *salesforce.Binding) { b.LoginURL = "ftp://login.example" }, "salesforce_login_url_invalid"},
		"an address with a password":   {func(b *salesforce.Binding) { b.LoginURL = "https://a:b@login.example" }, "salesforce_login_url_invalid"},
		"a version of another CRM":     {func(b *salesforce.Binding) { b.Version = "2026-03" }, "salesforce_version_unknown"},
		"a version that leaves a path": {func(b *salesforce.Binding) { b.Version = "v66.0/../x" }, "salesforce_version_unknown"},
		"no user":                      {func(b *salesforce.Binding) { b.Username = "" }, "salesforce_credentials_missing"},
		"no key":                       {func(b *salesforce.Binding) { b.Key = "" }, "salesforce_credentials_missing"},
		"a token in place of the key":  {func(b *salesforce.Binding) { b.Key = "abc" }, "salesforce_key_invalid"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				c.change(&w.binding)
				wants(t, w.send(t.Context(), w.process(), 1), fault.Blocked, c.code)
				w.minted(t, 0)
			})
		})
	}
}
