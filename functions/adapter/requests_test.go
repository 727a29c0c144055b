package adapter

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/queue"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

// asked is the batch channel with callers who name their requests and read verdicts. An address "bad" cannot be used.
type asked struct{ batch }

func (asked) Decode(w Webhook) Content { return question{list{w}} }

func (asked) Refuse(cause *fault.Error) (webhook.Response, bool) {
	return webhook.Response{Status: http.StatusConflict}, cause.Code == CodeReused
}

type question struct{ list }

func (q question) RequestID() string { return q.Header.Get("Id") }

func (q question) Parse() ([]Parsed, error) {
	parsed, err := q.list.Parse()
	for i := range parsed {
		if parsed[i].Addresses[1] == "bad" {
			parsed[i].Err = fault.New(fault.Permanent, "event_bad", nil)
		}
	}
	return parsed, err
}

func (question) Answer(verdicts []Verdict) webhook.Response {
	said, status := []string{}, http.StatusUnprocessableEntity
	for _, v := range verdicts {
		word := "ok"
		if v.Err != nil {
			word = fault.Of(v.Err).Code
		} else {
			status = http.StatusAccepted
		}
		if (v.Err == nil) != (v.Event != "") {
			word += " and not"
		}
		said = append(said, word)
	}
	return webhook.Response{Status: status, ContentType: "text/plain", Body: []byte(strings.Join(said, ","))}
}

// door is an adapter of asked, and what is around it.
type door struct {
	adapter *Adapter
	state   *memstore.Store
	output  bytes.Buffer
	known   *growing
	sent    []string
	calls   int  // of the queue
	down    bool // the queue and the spool
	faults  []memstore.Fault
	noted   int // writes to the state table
}

// growing is a directory of which "new" becomes a line.
type growing struct {
	directory
	grown bool
}

func (g *growing) Line(ctx context.Context, account, address string, channel canonical.Channel) (tenant.Line, error) {
	if g.grown && address == "new" {
		address = "one"
	}
	return g.directory.Line(ctx, account, address, channel)
}

func newDoor() *door {
	d := &door{known: &growing{}}
	d.state = memstore.New(memstore.Faulty(func(memstore.Call) memstore.Fault {
		if d.noted++; d.noted <= len(d.faults) {
			return d.faults[d.noted-1]
		}
		return memstore.None
	}))
	id := telemetry.Identity{Function: "BatchReceive", Version: "1"}
	ring := keyringtest.New()
	send := publisher(func(all []queue.Message) error {
		if d.calls++; d.down {
			return errors.New("down")
		}
		for _, m := range all {
			d.sent = append(d.sent, m.ID)
		}
		return nil
	})
	spool := memstore.New(memstore.Faulty(func(memstore.Call) memstore.Fault { return memstore.Before }))
	d.adapter = New(ring, Parts{
		Channel: asked{batch{redelivers: []int{503}}}, Directory: d.known, Peppers: d.known, Sinks: Sinks(send, NewSpool(spool)),
		DeadLetters: NewDeadLetters(ring, spool, d.state, "1"), Requests: NewRequests(d.state),
		Logger: telemetry.NewLogger(&d.output, id), Meter: telemetry.NewMeter(&d.output, id),
	})
	return d
}

// ask sends a request and returns the answer in words.
func (d *door) ask(t *testing.T, id, body string) string {
	t.Helper()
	answer := d.adapter.Receive(t.Context(), webhook.Request{
		Method: http.MethodPost, Path: "/v1/accounts/shared/batch/events", Header: http.Header{"Token": {"token"}, "Id": {id}}, Body: []byte(body),
	})
	return strings.TrimSuffix(http.StatusText(answer.Status)+": "+string(answer.Body), ": ")
}

// TestARequestIsAnsweredOnce: a repeat gets the first answer, whatever has changed, and sends nothing.
func TestARequestIsAnsweredOnce(t *testing.T) {
	d := newDoor()
	const body = `["one","bad","new"]`
	first := d.ask(t, "r1", body)
	if first != "Accepted: ok,event_bad,unowned_address" || len(d.sent) != 1 {
		t.Fatalf("%s, %d sent", first, len(d.sent))
	}
	d.known.grown = true
	if again := d.ask(t, "r1", body); again != first || len(d.sent) != 1 || d.calls != 1 {
		t.Errorf("a repeat is answered %s after %d calls of the queue", again, d.calls)
	}
	if other := d.ask(t, "r1", `["two"]`); other != "Conflict" || len(d.sent) != 1 {
		t.Errorf("another body is answered %s, %d sent", other, len(d.sent))
	}
	if under := d.ask(t, "r2", body); under != "Accepted: ok,event_bad,ok" || len(d.sent) != 3 {
		t.Errorf("under another id: %s, %d sent", under, len(d.sent))
	}
	if d.noted != 2+1+1+2 { // claim and completion, a repeat, another body, another id
		t.Errorf("%d writes to the state table", d.noted)
	}
	if !strings.Contains(d.output.String(), `"reason":"repeated"`) {
		t.Errorf("the log does not tell a repeat:\n%s", d.output.String())
	}
}

// TestWhatIsRefusedLeavesNothingBehind: its sender may correct it under the same id.
func TestWhatIsRefusedLeavesNothingBehind(t *testing.T) {
	d := newDoor()
	if refused := d.ask(t, "r1", `["bad","none"]`); refused != "Unprocessable Entity: event_bad,unowned_address" || d.noted > 0 || d.calls > 0 {
		t.Errorf("%s, %d writes, %d calls", refused, d.noted, d.calls)
	}
	if corrected := d.ask(t, "r1", `["one"]`); corrected != "Accepted: ok" {
		t.Error(corrected)
	}
	for _, metric := range []string{"WebhookRefused", "WebhookAccepted"} {
		if strings.Count(d.output.String(), `"Name":"`+metric+`"`) != 1 {
			t.Errorf("%s was not counted once:\n%s", metric, d.output.String())
		}
	}
	if strings.Contains(d.output.String(), "WebhookDeadLettered") {
		t.Error("it became a dead letter")
	}
}

// TestARequestSurvivesAnyFailure fails every write of one in every way, and the queue: what is answered 2xx is sent, and a repeat completes it.
func TestARequestSurvivesAnyFailure(t *testing.T) {
	for _, how := range []memstore.Fault{memstore.Before, memstore.After} {
		for failing := range 2 { // the claim, the completion
			d := newDoor()
			d.faults = append(make([]memstore.Fault, failing), how)
			first := d.ask(t, "r1", `["one"]`)
			if want := []string{"Service Unavailable", "Accepted: ok"}[failing]; first != want || len(d.sent) != failing {
				t.Errorf("fault %d at write %d: %s, %d sent", how, failing, first, len(d.sent))
			}
			if again := d.ask(t, "r1", `["one"]`); again != "Accepted: ok" || len(d.sent) == 0 || d.sent[0] != d.sent[len(d.sent)-1] {
				t.Errorf("fault %d at write %d, again: %s, sent %q", how, failing, again, d.sent)
			}
		}
	}
	d := newDoor()
	d.down = true
	if first := d.ask(t, "r1", `["one"]`); first != "Service Unavailable" {
		t.Error(first)
	}
	d.down = false
	if again := d.ask(t, "r1", `["one"]`); again != "Accepted: ok" || len(d.sent) != 1 {
		t.Errorf("%s, %d sent", again, len(d.sent))
	}
}

// TestTheFirstAnswerStands: of two who work on one request at once, the second gives the answer of the first.
func TestTheFirstAnswerStands(t *testing.T) {
	q := NewRequests(memstore.New())
	w := Webhook{AccountID: "a", Request: webhook.Request{Body: []byte("x"), Received: time.Now()}}
	one, err1 := q.claim(t.Context(), w, "r")
	two, err2 := q.claim(t.Context(), w, "r")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for i, r := range []*request{one, two} {
		given, err := q.complete(t.Context(), r, webhook.Response{Status: 202, Body: []byte{byte('1' + i)}})
		if err != nil || string(given.Body) != "1" {
			t.Errorf("%d: %s, %v", i, given.Body, err)
		}
	}
}

// TestARequestsKeyIsOursToChoose: rights go by the form of the partition, which no sender has a say in.
func TestARequestsKeyIsOursToChoose(t *testing.T) {
	keys := map[string]bool{}
	for _, id := range []string{"r", "x/event/y", "../dead/x", strings.Repeat("r", 256)} {
		k := requestKey("acme-site", id)
		rest, ok := strings.CutPrefix(k.Partition, "acme-site/request/")
		if !ok || strings.Trim(rest, "0123456789abcdef") != "" || len(rest) != 64 || keys[k.Partition] {
			t.Errorf("%s is kept in %s", id, k.Partition)
		}
		keys[k.Partition] = true
	}
	if requestKey("b", "r") == requestKey("a", "r") {
		t.Error("two accounts share a request")
	}
}

// TestAReparsedBatchStaysADeadLetter of which part cannot be used: nobody was told.
func TestAReparsedBatchStaysADeadLetter(t *testing.T) {
	d := newDoor()
	w := Webhook{AccountID: "shared", Request: webhook.Request{Body: []byte(`["one","bad"]`), Received: time.Now()}}
	work, err := d.adapter.Parse(t.Context(), w, asked{}.Decode(w))
	if err != nil || work.count() != 1 || fault.Of(work.Unused).Code != "event_bad" {
		t.Errorf("%d events, %v, %v", work.count(), work.Unused, err)
	}
}
