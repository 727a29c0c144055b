package adaptertest

import (
	"bytes"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

// panicking is a channel whose parser panics with what it read.
type panicking struct{ adapter.Channel }

// Decode returns a content whose parser panics.
func (p panicking) Decode(w adapter.Webhook) adapter.Content {
	return panickingContent{p.Channel.Decode(w), w.Body}
}

type panickingContent struct {
	adapter.Content
	body []byte
}

// Parse panics.
func (c panickingContent) Parse() ([]adapter.Parsed, error) { panic(string(c.body)) }

// Refuse implements adapter.Refuser as far as the channel does.
func (p panicking) Refuse(cause *fault.Error) (webhook.Response, bool) {
	if refuser, ok := p.Channel.(adapter.Refuser); ok {
		return refuser.Refuse(cause)
	}
	return webhook.Response{}, false
}

// durable checks where events go when not everything works.
func durable(t *testing.T, p Provider) {
	accepted := p.Channel.Describe().Responses[kindOf(p.Sample)].Status
	cases := map[string]struct {
		prepare func(*world)
		status  int
		places  string // where the event is
		tries   int
	}{
		"the queue works":                      {func(*world) {}, accepted, "queue", 1},
		"the queue refuses once":               {func(w *world) { w.events.refuse = 1 }, accepted, "queue", 2},
		"the queue is down":                    {func(w *world) { w.events.down = true }, accepted, "spool", 2},
		"the queue is silent":                  {func(w *world) { w.events.silent = true }, accepted, "spool", 2},
		"the queue and the spool are down":     {func(w *world) { w.events.down, w.spoolDown = true, true }, p.Channel.Describe().Redelivery.FailureStatus(), "", 2},
		"the spool is down and the queue well": {func(w *world) { w.spoolDown = true }, accepted, "queue", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(p)
				c.prepare(w)
				began := time.Now()
				answer := w.send(t, p.Sample.Request())
				if took := time.Since(began); took > 4*time.Second {
					t.Errorf("answered after %s", took)
				}
				if answer.Status != c.status || w.events.calls != c.tries {
					t.Errorf("status %d after %d tries, want %d after %d", answer.Status, w.events.calls, c.status, c.tries)
				}
				if got := w.place(); got != c.places {
					t.Errorf("the event is in %q, want %q", got, c.places)
				}
			})
		})
	}
	t.Run("what was spooled arrives unchanged", func(t *testing.T) { spooled(t, p) })
}

func spooled(t *testing.T, p Provider) {
	well, ill := newWorld(p), newWorld(p)
	ill.events.down = true
	well.send(t, p.Sample.Request())
	ill.send(t, p.Sample.Request())
	if err := ill.drain(t); err == nil || ill.held("spool/") != 1 {
		t.Errorf("drained with the queue down: error %v, %d left", err, ill.held("spool/"))
	}
	ill.events.down = false
	if err := ill.drain(t); err != nil || ill.held("spool/") != 0 {
		t.Errorf("not drained: error %v, %d left", err, ill.held("spool/"))
	}
	if diff := cmp.Diff(well.events.messages, ill.events.messages); diff != "" {
		t.Errorf("-direct +spooled:\n%s", diff)
	}
	ill.counted(t, "Spooled", 1)
}

// place says where the one event is.
func (w *world) place() string {
	place := ""
	if len(w.events.messages) > 0 {
		place += "queue"
	}
	if w.held("spool/") > 0 {
		place += "spool"
	}
	return place
}

func kindOf(c Case) string {
	for i := len(c.Path) - 1; i >= 0; i-- {
		if c.Path[i] == '/' {
			return c.Path[i+1:]
		}
	}
	return ""
}

// letterCase is something authentic that cannot be used.
type letterCase struct {
	sample  Case
	prepare func(*world)
	status  int
	letter  string // kind and code of the dead letter; "*" is any permanent one, "" none
}

// deadLetters checks what becomes of what is authentic and cannot be used.
func deadLetters(t *testing.T, p Provider) {
	about := p.Channel.Describe()
	lost := about.Redelivery.FailureStatus()
	waits := lost // what a provider that redelivers is answered when a lookup fails
	letter := ""
	if about.Redelivery.Never() {
		waits, letter = about.Responses[kindOf(p.Sample)].Status, "retryable line_unreadable"
	}
	panics := func(w *world) { w.channel = panicking{p.Channel} }
	kept, unreadable := p.Malformed, func(*world) {}
	_, refuses := p.Channel.(adapter.Refuser)
	if refuses { // then nothing but a defect makes a dead letter
		kept, unreadable = p.Sample, panics
	}
	cases := map[string]letterCase{
		"a webhook that cannot be read":  {kept, unreadable, about.Responses[kindOf(kept)].Status, "*"},
		"a panic after the signature":    {p.Sample, panics, about.Responses[kindOf(p.Sample)].Status, "permanent panic"},
		"lines that cannot be looked up": {p.Sample, func(w *world) { w.linesDown = true }, waits, letter},
		"dead letters cannot be kept":    {kept, func(w *world) { unreadable(w); w.stateDown = true }, lost, ""},
		"bytes cannot be kept":           {kept, func(w *world) { unreadable(w); w.spoolDown = true }, lost, ""},
	}
	if !refuses {
		nobodys := about.Responses[kindOf(p.Sample)].Status
		cases["an address that is nobody's"] = letterCase{p.Sample, func(w *world) { w.noLines = true }, nobodys, "permanent unowned_address"}
		cases["a channel that its line does not serve"] = letterCase{p.Sample, func(w *world) { w.noChannels = true }, nobodys, "permanent channel_not_served"}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(p)
			c.prepare(w)
			answer := w.send(t, c.sample.Request())
			if answer.Status != c.status || len(w.events.messages) > 0 {
				t.Errorf("status %d, %d events, want %d and none", answer.Status, len(w.events.messages), c.status)
			}
			w.checkLetter(t, c.letter)
		})
	}
	t.Run("the same webhook again is the same dead letter", func(t *testing.T) { sameDeadLetter(t, p) })
	t.Run("a large body is kept in parts", func(t *testing.T) { inParts(t, p) })
}

// checkLetter checks that there is one dead letter of this kind and code ("*": any permanent one), complete and with the bytes
// that were received, or none if want is empty.
func (w *world) checkLetter(t *testing.T, want string) {
	t.Helper()
	letters := w.letters()
	if want == "" {
		if len(letters) > 0 {
			t.Errorf("dead letters %v, want none", letters)
		}
		return
	}
	if len(letters) != 1 {
		t.Fatalf("%d dead letters, want 1", len(letters))
	}
	got := letters[0]
	if !bytes.Equal(w.bytes(t, got), w.received) {
		t.Error("the dead letter's bytes are not those received")
	}
	if kind := got.Kind + " " + got.Code; kind != want && (want != "*" || got.Kind != "permanent") {
		t.Errorf("dead letter %q, want %q", kind, want)
	}
	if got.Stage != deadletter.StageReceive || got.Tenant != w.provider.Account.TenantID || got.FunctionVersion != "7" || got.Attempts != 1 {
		t.Errorf("dead letter %+v is incomplete", got)
	}
	w.counted(t, "WebhookDeadLettered", 1)
}

func sameDeadLetter(t *testing.T, p Provider) {
	w := newWorld(p)
	w.channel = panicking{p.Channel}
	w.send(t, p.Sample.Request())
	w.send(t, p.Sample.Request())
	if letters := w.letters(); len(letters) != 1 {
		t.Errorf("%d dead letters, want 1", len(letters))
	}
}

func inParts(t *testing.T, p Provider) {
	w := newWorld(p)
	w.channel = panicking{large{p.Channel}}
	r := p.Sample.Request()
	r.Body = bytes.Repeat([]byte("0123456789abcdef"), adapter.MaxRequest/16)
	if answer := w.deliver(t, r); answer.Status/100 != 2 {
		t.Fatalf("status %d, want 2xx", answer.Status)
	}
	letters := w.letters()
	if len(letters) != 1 || letters[0].Parts < 2 {
		t.Fatalf("dead letters %v, want one in parts", letters)
	}
	if !bytes.Equal(w.bytes(t, letters[0]), r.Body) {
		t.Error("the parts do not make up what was received")
	}
}

// large is a channel that lets everything in.
type large struct{ adapter.Channel }

// Decode returns a content that anybody may have sent.
func (l large) Decode(w adapter.Webhook) adapter.Content { return anybodys{l.Channel.Decode(w)} }

type anybodys struct{ adapter.Content }

// Verify accepts.
func (anybodys) Verify(secret.Versions) error { return nil }

func deadLetterText(t *testing.T, r deadletter.Record) string {
	t.Helper()
	encoded, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}
