package adapter

import (
	"bytes"
	"net/http"
	"testing"

	"signalbox/shared/fault"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/secret"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

// asking is batch of a provider that asks with the query "token=", and whose bodies are compressed: "bomb" is too large.
type asking struct {
	batch
	gets bool
}

func (a asking) Describe() Description {
	d := a.batch.Describe()
	d.Gets = a.gets
	return d
}

func (asking) Decode(w Webhook) Content { return inquiry{list{w}} }

type inquiry struct{ list }

func (q inquiry) Handshake(tokens secret.Versions) (webhook.Response, bool) {
	switch {
	case q.RawQuery == "panic":
		panic("+15551234567")
	case q.RawQuery == "":
		return webhook.Response{}, false
	case q.RawQuery != "token="+string(tokens[0]):
		return webhook.Response{Status: http.StatusForbidden}, true
	}
	return webhook.Response{Status: http.StatusOK, Body: []byte("challenge")}, true
}

func (q inquiry) Verify(tokens secret.Versions) error {
	if string(q.Body) == "bomb before" {
		return fault.New(fault.Rejected, CodeInflated, nil)
	}
	return q.list.Verify(tokens)
}

func (q inquiry) Parse() ([]Parsed, error) {
	if string(q.Body) == "bomb" {
		return nil, fault.New(fault.Permanent, CodeInflated, nil)
	}
	return q.list.Parse()
}

func TestWhatAProviderAsksIsAnsweredAndNothingIsKept(t *testing.T) {
	ring := keyringtest.New()
	bare := func(status int) webhook.Response { return webhook.Response{Status: status} }
	challenge := webhook.Response{Status: http.StatusOK, Body: []byte("challenge")}
	cases := map[string]struct {
		gets                bool
		method, query, body string
		want                webhook.Response
	}{
		"asked with GET":                           {true, http.MethodGet, "token=token", "", challenge},
		"asked with POST":                          {false, http.MethodPost, "token=token", "", challenge},
		"asked with another token":                 {true, http.MethodGet, "token=guess", "", bare(http.StatusForbidden)},
		"asked with no token":                      {true, http.MethodGet, "token=", "", bare(http.StatusForbidden)},
		"a GET that asks nothing":                  {true, http.MethodGet, "", "", notFound()},
		"a GET to a provider that asks with POST":  {false, http.MethodGet, "token=token", "", notFound()},
		"another method":                           {true, http.MethodPut, "token=token", "", notFound()},
		"a panic":                                  {true, http.MethodGet, "panic", "", bare(http.StatusServiceUnavailable)},
		"a body that grows too large":              {true, http.MethodPost, "", "bomb", bare(http.StatusRequestEntityTooLarge)},
		"a body that is too large to be verified":  {true, http.MethodPost, "", "bomb before", bare(http.StatusRequestEntityTooLarge)},
		"a webhook that asks nothing is no matter": {true, http.MethodPost, "", "[]", bare(http.StatusAccepted)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var output bytes.Buffer
			id := telemetry.Identity{Function: "AskingReceive", Version: "1"}
			spool, state, known := memstore.New(), memstore.New(), &directory{}
			a := New(ring, Parts{
				Channel: asking{gets: c.gets}, Directory: known, Peppers: known, Sinks: Sinks(nil, NewSpool(spool)),
				DeadLetters: NewDeadLetters(ring, spool, state, "1"), Logger: telemetry.NewLogger(&output, id), Meter: telemetry.NewMeter(&output, id),
			})
			answer := a.Receive(t.Context(), webhook.Request{
				Method: c.method, Path: "/v1/accounts/shared/batch/events", RawQuery: c.query, Header: http.Header{"Token": {"token"}}, Body: []byte(c.body),
			})
			if diff := cmp.Diff(c.want, answer); diff != "" {
				t.Errorf("answer -want +got:\n%s", diff)
			}
			for range spool.All() {
				t.Error("the spool holds something")
			}
			for range state.All() {
				t.Error("the state holds something")
			}
		})
	}
}
