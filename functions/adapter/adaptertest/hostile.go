package adaptertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

// handshakes checks that a provider that asks whether a URL is ours is answered if it names the account's token, and that nobody else
// learns anything. Nothing is stored or sent either way.
func handshakes(t *testing.T, p Provider) {
	for _, h := range p.Handshakes {
		t.Run(h.Name, func(t *testing.T) {
			for _, word := range []secret.Value{current, previous} {
				w := newWorld(p)
				if diff := cmp.Diff(h.Answer, w.deliver(t, h.Ask(p.token(word)))); diff != "" {
					t.Errorf("answer to the token of the account -want +got:\n%s", diff)
				}
				w.untouched(t)
			}
			for _, word := range []secret.Value{older, ""} {
				w := newWorld(p)
				if diff := cmp.Diff(webhook.Response{Status: http.StatusForbidden}, w.deliver(t, h.Ask(p.token(word)))); diff != "" {
					t.Errorf("answer to another token -want +got:\n%s", diff)
				}
				w.untouched(t)
				w.counted(t, "WebhookRejected", 1)
			}
		})
	}
}

// unknown checks that a message of a kind that nobody has heard of arrives, and says what the provider calls it.
func unknown(t *testing.T, p Provider) {
	if p.Unknown.Path == "" {
		t.Skip("its messages have no kinds")
	}
	p.Sample = p.Unknown
	events := Events(t, p)
	if len(events) != 1 || events[0].Message == nil {
		t.Fatalf("it becomes %d events, or one without a message", len(events))
	}
	if m := events[0].Message; m.ContentType != canonical.ContentUnsupported || m.Kind == "" {
		t.Errorf("the message has the content type %q and the kind %q", m.ContentType, m.Kind)
	}
}

// several checks that what belongs to nobody costs the others of its webhook nothing, and is kept with all of its bytes.
func several(t *testing.T, p Provider) {
	if p.Several.Path == "" {
		t.Skip("the provider sends one at a time")
	}
	w := newWorld(p)
	if answer := w.send(t, p.Several.Request()); answer.Status/100 != 2 || len(w.events.messages) < 2 {
		t.Errorf("status %d, %d events; want 2xx and those that belong to somebody", answer.Status, len(w.events.messages))
	}
	tenants := map[string]bool{}
	for _, m := range w.events.messages {
		var e canonical.Event
		if err := json.Unmarshal(m.Body, &e); err != nil {
			t.Fatal(err)
		}
		tenants[e.TenantID] = true
	}
	if len(tenants) < 2 {
		t.Errorf("the events are of %d tenants; want two", len(tenants))
	}
	w.checkLetter(t, "permanent "+adapter.CodeUnowned)
}

// Fuzz looks for a webhook that a channel panics on, refuses by another fault than it should, or reads as an event that is not valid
// or not the same the next time. It begins with the cases of testdata, signed and not.
func Fuzz(f *testing.F, p Provider) {
	for _, folder := range folders(f) {
		c := readFolder(f, folder)
		r := p.Sign(c.Request(), p.token(current))
		f.Add(kindOf(c), r.Header.Get("Content-Type"), headers(r.Header), r.Body)
		f.Add(kindOf(c), "", []byte("null"), c.Request().Body)
	}
	tokens := secret.Versions{p.token(current), p.token(previous)}
	f.Fuzz(func(t *testing.T, kind, contentType string, header, body []byte) {
		w := adapter.Webhook{
			Request:  webhook.Request{Method: http.MethodPost, Path: "/v1/accounts/" + p.Account.ID + "/" + p.Account.Provider + "/" + kind, Body: body, Received: Clock()},
			Provider: p.Account.Provider, Kind: kind, AccountID: p.Account.ID, ProviderAccount: p.Account.ProviderAccount,
		}
		_ = json.Unmarshal(header, &w.Header) // what is none is no header
		if w.Header == nil {
			w.Header = http.Header{}
		}
		w.Header.Set("Content-Type", contentType)
		if err := p.Channel.Decode(w).Verify(tokens); err != nil {
			checkFault(t, err, fault.Rejected)
		}
		first, err := p.Channel.Decode(w).Parse()
		if err != nil {
			checkFault(t, err, fault.Permanent)
			return
		}
		again, err := p.Channel.Decode(w).Parse()
		if err != nil || len(first) != len(again) {
			t.Fatalf("%d events, then %d: %v", len(first), len(again), err)
		}
		for i := range first {
			if first[i].Err == nil && (first[i].Kind == "" || first[i].Key == "" || first[i].Kind != again[i].Kind || first[i].Key != again[i].Key || first[i].Person != again[i].Person) {
				t.Errorf("event %d is not named, or otherwise the next time", i)
			}
		}
	})
}

// headers encodes headers for a corpus.
func headers(h http.Header) []byte {
	encoded, _ := json.Marshal(h) // strings always encode
	return bytes.TrimSpace(encoded)
}

func checkFault(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if sorted, ok := errors.AsType[*fault.Error](err); !ok || sorted.Kind != kind || sorted.Code == "" {
		t.Errorf("%v is no fault of the kind %v with a code", err, kind)
	}
}
