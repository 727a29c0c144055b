// Package adaptertest is the contract every channel passes: signature, golden events, replay, order, failure policy, bad
// input, and that nothing personal and no secret leaves by a log line, a metric, a queue attribute or a dead letter's
// reason. A channel's own test says how its provider signs and calls Run; its cases are testdata/<case>/request.json (or
// request.http) with events.golden.json beside it.
package adaptertest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/queue"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

// Provider is what the suite has to be told of a channel.
type Provider struct {
	Channel   adapter.Channel
	Sign      func(r webhook.Request, token secret.Value) webhook.Request // as the provider does, in an envelope if it has one
	Token     func(word string) secret.Value                              // a credential in the provider's form, another for every word; nil: any text is one
	Account   tenant.Account                                              // without tokens: the suite has its own
	Lines     []tenant.Line                                               // all that the cases are sent to
	Sample    Case                                                        // a webhook that becomes one event
	Malformed Case                                                        // one that is authentic and cannot be read: a dead letter, or refused by an adapter.Refuser
	Needed    []string                                                    // fields that no message is without: what tells it and its sender from others, with copies, its kind, and its words; in JSON by path: "data.text"
	Update    bool                                                        // write the golden files instead of comparing

	// Stale signs a request as the provider would have done too long ago; nil where a signature has no time.
	Stale func(r webhook.Request, token secret.Value) webhook.Request
	// BodyUnsigned says that a signature is not of the body: who has seen one webhook's may send another's content with it.
	BodyUnsigned bool
	Handshakes   []Handshake // what the provider asks before it sends webhooks; none for most
	Unknown      Case        // a message of a kind that nobody has heard of; zero where there are no kinds
	Several      Case        // several events of one webhook, one of them to a line that is nobody's; zero if the provider sends one at a time
}

// Handshake is a question of a provider, unsigned.
type Handshake struct {
	Name   string
	Ask    func(token secret.Value) webhook.Request // with a token of the account's, or another
	Answer webhook.Response                         // to one with the account's
}

// token returns a credential of the suite in the provider's form.
func (p Provider) token(word secret.Value) secret.Value {
	if p.Token == nil || word == "" {
		return word
	}
	return p.Token(string(word))
}

// Run runs the suite.
func Run(t *testing.T, p Provider) {
	t.Run("golden", func(t *testing.T) { golden(t, p) })
	t.Run("signature", func(t *testing.T) { signature(t, p) })
	t.Run("handshake", func(t *testing.T) { handshakes(t, p) })
	t.Run("refused", func(t *testing.T) { refused(t, p) })
	t.Run("optional", func(t *testing.T) { optional(t, p) })
	t.Run("unknown", func(t *testing.T) { unknown(t, p) })
	t.Run("several", func(t *testing.T) { several(t, p) })
	t.Run("repeated", func(t *testing.T) { repeated(t, p) })
	t.Run("durable", func(t *testing.T) { durable(t, p) })
	t.Run("dead letters", func(t *testing.T) { deadLetters(t, p) })
	t.Run("given back", func(t *testing.T) { givenBack(t, p) })
	t.Run("private", func(t *testing.T) { private(t, p) })
	t.Run("page", page)
}

// Bench measures what a webhook costs without I/O, logs and metrics: verify, parse, complete, encode.
func Bench(b *testing.B, p Provider) {
	w := newWorld(p)
	logger, meter := discard()
	a := adapter.New(w.ring, adapter.Parts{
		Channel: p.Channel, Directory: w, Peppers: w, Sinks: adapter.Sinks(&recorder{ring: w.ring}, nil), Logger: logger, Meter: meter,
	})
	r := p.Sign(p.Sample.Request(), p.token(current))
	webhook := adapter.Webhook{
		Request: r, Provider: p.Account.Provider, Kind: r.Path[strings.LastIndex(r.Path, "/")+1:],
		AccountID: p.Account.ID, ProviderAccount: p.Account.ProviderAccount,
	}
	tokens := secret.Versions{p.token(current), p.token(previous)}
	b.ReportAllocs()
	for b.Loop() {
		w.lookups = w.lookups[:0]
		content := p.Channel.Decode(webhook)
		if err := content.Verify(tokens); err != nil {
			b.Fatal(err)
		}
		if work, err := a.Parse(b.Context(), webhook, content); err != nil || len(work.Messages) != 1 {
			b.Fatal(work, err)
		}
	}
}

// result is a golden file: what a webhook is answered and what it becomes.
type result struct {
	Status      int               `json:"status"`
	Answer      json.RawMessage   `json:"answer,omitempty"` // of a refusal
	Events      []json.RawMessage `json:"events,omitempty"`
	DeadLetters []string          `json:"deadLetters,omitempty"` // kind and code
}

// outcome returns what came of one webhook in a world.
func (w *world) outcome(answer webhook.Response) result {
	r := result{Status: answer.Status}
	if answer.Status/100 != 2 {
		r.Answer = answer.Body
	}
	for _, m := range w.events.messages {
		r.Events = append(r.Events, m.Body)
	}
	for _, l := range w.letters() {
		r.DeadLetters = append(r.DeadLetters, l.Kind+" "+l.Code)
	}
	return r
}

func golden(t *testing.T, p Provider) {
	for _, folder := range folders(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			w := newWorld(p)
			answer := w.send(t, readFolder(t, folder).Request())
			got, err := json.MarshalIndent(w.outcome(answer), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join(folder, "events.golden.json")
			if p.Update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v (run with -update and read what it wrote)", err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, m := range w.events.messages {
				checkMessage(t, m)
			}
		})
	}
}

// checkMessage checks what holds for every event of every channel.
func checkMessage(t *testing.T, m queue.Message) {
	t.Helper()
	var e canonical.Event
	if err := json.Unmarshal(m.Body, &e); err != nil {
		t.Fatal(err)
	}
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	switch {
	case m.ID != string(e.EventID), m.Group != string(e.ThreadID), m.Group == "", m.Trace != traceparent, e.Trace.Traceparent != traceparent:
		t.Errorf("message id %q, group %q, trace %q do not match the event", m.ID, m.Group, m.Trace)
	case e.TenantID == "", e.LineID == "", e.AccountID == "", e.Provider == "", e.ReceivedAt.IsZero(), e.Timestamp.IsZero():
		t.Errorf("the event is incomplete: %s", m.Body)
	case e.Message != nil && e.Message.Summary == "":
		t.Error("the message has no summary")
	}
}

// signed is a request and whether the adapter takes its sender for the provider.
type signed struct {
	request webhook.Request
	ok      bool
}

func signature(t *testing.T, p Provider) {
	for name, c := range signatures(p) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(p)
			answer := w.deliver(t, c.request)
			if !c.ok {
				w.checkStranger(t, answer)
				return
			}
			if answer.Status/100 != 2 || len(w.events.messages) != 1 {
				t.Errorf("status %d, %d events, want 2xx and 1", answer.Status, len(w.events.messages))
			}
			if diff := cmp.Diff([]string{"account", "line"}, slices.Compact(w.lookups)); diff != "" { // a channel may name several addresses
				t.Errorf("lookups -want +got:\n%s", diff)
			}
		})
	}
}

// signatures returns the sample as the provider, and as others, would sign it.
func signatures(p Provider) map[string]signed {
	by := func(token secret.Value) webhook.Request { return p.Sign(p.Sample.Request(), token) }
	change := func(f func(*webhook.Request)) webhook.Request {
		r := by(p.token(current))
		f(&r)
		return r
	}
	cases := map[string]signed{
		"by the current token":                  {by(p.token(current)), true},
		"by the previous token":                 {by(p.token(previous)), true},
		"by a token older than the previous":    {by(p.token(older)), false},
		"by an empty token":                     {by(""), false},
		"missing":                               {p.Sample.Request(), false},
		"of a header with nothing but its name": {change(blankHeaders), false},
	}
	if !p.BodyUnsigned {
		cases["over another body"] = signed{change(func(r *webhook.Request) { r.Body = append(slices.Clip(r.Body), "&Extra=1"...) }), false}
		cases["over a body that was cut to nothing"] = signed{change(func(r *webhook.Request) { r.Body = nil }), false}
	}
	if p.Stale != nil {
		cases["of long ago"] = signed{p.Stale(p.Sample.Request(), p.token(current)), false}
	}
	return cases
}

// checkStranger checks that the sender of a request learned nothing and left nothing but a count.
func (w *world) checkStranger(t *testing.T, answer webhook.Response) {
	t.Helper()
	if answer.Status != http.StatusForbidden || len(answer.Body) > 0 {
		t.Errorf("answer %d %q, want a bare 403", answer.Status, answer.Body)
	}
	w.untouched(t)
	if diff := cmp.Diff([]string{"account"}, w.lookups); diff != "" {
		t.Errorf("lookups -want +got:\n%s", diff)
	}
	w.counted(t, "WebhookRejected", 1)
}

func blankHeaders(r *webhook.Request) {
	for name := range r.Header {
		r.Header[name] = []string{""}
	}
}

// untouched checks that nothing was stored or sent.
func (w *world) untouched(t *testing.T) {
	t.Helper()
	if w.events.calls > 0 || len(w.letters()) > 0 || w.held("") > 0 {
		t.Errorf("%d publishes, %d dead letters, %d records: want nothing", w.events.calls, len(w.letters()), w.held(""))
	}
}

// counted checks how often a metric was written.
func (w *world) counted(t *testing.T, metric string, want int) {
	t.Helper()
	if got := bytes.Count(w.output.Bytes(), []byte(`"Name":"`+metric+`"`)); got != want {
		t.Errorf("%s was counted %d times, want %d", metric, got, want)
	}
}

func refused(t *testing.T, p Provider) {
	path := p.Sample.Path
	other := func(from, to string) func(*webhook.Request) {
		return func(r *webhook.Request) { r.Path = strings.Replace(path, from, to, 1) }
	}
	account := "/" + p.Account.ID + "/"
	cases := map[string]struct {
		change func(*webhook.Request)
		status int
	}{
		"an unknown account":                  {other(account, "/nobody/"), http.StatusNotFound},
		"an account at another provider":      {other(account, "/another-providers/"), http.StatusNotFound},
		"no account":                          {other(account, "//"), http.StatusNotFound},
		"an unknown provider":                 {other("/"+p.Account.Provider+"/", "/unknown/"), http.StatusNotFound},
		"an unknown kind":                     {func(r *webhook.Request) { r.Path = path + "s" }, http.StatusNotFound},
		"a longer path":                       {func(r *webhook.Request) { r.Path = path + "/" }, http.StatusNotFound},
		"another path":                        {func(r *webhook.Request) { r.Path = "/" }, http.StatusNotFound},
		"another method":                      {func(r *webhook.Request) { r.Method = http.MethodPut }, http.StatusNotFound},
		"a GET that asks nothing":             {func(r *webhook.Request) { r.Method = http.MethodGet }, http.StatusNotFound},
		"a body over 4.5 MB":                  {func(r *webhook.Request) { r.Body = make([]byte, adapter.MaxRequest+1) }, http.StatusRequestEntityTooLarge},
		"an account that cannot be looked up": {other(account, "/unreachable/"), p.Channel.Describe().Redelivery.FailureStatus()},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(p)
			r := p.Sample.Request()
			c.change(&r)
			want := webhook.Response{Status: c.status}
			if c.status == http.StatusNotFound { // as API Gateway answers where it has no route
				want.ContentType, want.Body = "application/json", []byte(`{"message":"Not Found"}`)
			}
			if diff := cmp.Diff(want, w.send(t, r)); diff != "" {
				t.Errorf("answer -want +got:\n%s", diff)
			}
			w.untouched(t)
			w.counted(t, "WebhookRejected", 1)
		})
	}
}

func repeated(t *testing.T, p Provider) {
	t.Run("the same webhook later has the same ids", func(t *testing.T) {
		for _, folder := range folders(t) {
			first, second := newWorld(p), newWorld(p)
			c := readFolder(t, folder)
			first.send(t, c.Request())
			c.Received = c.Request().Received.Add(10 * time.Minute)
			second.policy = tenant.RawVendorNone
			second.send(t, c.Request())
			if diff := cmp.Diff(ids(first.events.messages), ids(second.events.messages)); diff != "" {
				t.Errorf("%s: -first +second:\n%s", folder, diff)
			}
		}
	})
	t.Run("events keep the order of their webhooks", func(t *testing.T) {
		together := newWorld(p)
		var want []queue.Message
		for _, folder := range folders(t) {
			alone := newWorld(p)
			alone.send(t, readFolder(t, folder).Request())
			together.send(t, readFolder(t, folder).Request())
			for _, m := range alone.events.messages {
				if !contains(want, m.ID) {
					want = append(want, m)
				}
			}
		}
		if diff := cmp.Diff(ids(want), ids(together.events.messages)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func contains(messages []queue.Message, id string) bool {
	for _, m := range messages {
		if m.ID == id {
			return true
		}
	}
	return false
}

func ids(messages []queue.Message) []string {
	var all []string
	for _, m := range messages {
		all = append(all, m.ID+" "+m.Group)
	}
	return all
}

// Events returns what the sample becomes, decoded.
func Events(t *testing.T, p Provider) []canonical.Event {
	t.Helper()
	w := newWorld(p)
	if answer := w.send(t, p.Sample.Request()); answer.Status/100 != 2 {
		t.Fatalf("status %d", answer.Status)
	}
	var events []canonical.Event
	for _, m := range w.events.messages {
		var e canonical.Event
		if err := json.Unmarshal(m.Body, &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}
