package router_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"signalbox/shared/canonical"
	"signalbox/shared/queue"
	"signalbox/shared/store/memstore"
)

// made returns how many calls of a kind were made.
func (w *world) made(kind memstore.Operation) (n int) {
	for _, call := range w.calls {
		if strings.HasPrefix(call, string(kind)) {
			n++
		}
	}
	return n
}

func TestABatchIsReadAndNotedByOneCallEach(t *testing.T) {
	for name, c := range map[string]struct {
		second       string             // message of three
		fails        memstore.Operation // the first call of it
		reads, notes int
	}{
		"one call for all":                            {"hello", "", 1, 1},
		"a change of consent is noted before":         {"STOP", "", 1, 2},
		"if it fails each message reads alone":        {"hello", memstore.Get, 4, 1},
		"if it fails each message is noted by itself": {"hello", memstore.Note, 1, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				failed := false
				w.fault = func(call int) memstore.Fault {
					if failed || c.fails == "" || !strings.HasPrefix(w.calls[call], string(c.fails)) {
						return memstore.None
					}
					failed = true
					return memstore.Before
				}
				var heads []queue.Received
				for i, text := range []string{"hello", c.second, "hello"} {
					heads = append(heads, message(t, event(text, func(e *canonical.Event) {
						e.ProviderMessageID = "SM" + strconv.Itoa(i)
						e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", e.ProviderMessageID)
						e.Sender.Phone = "+1555123000" + strconv.Itoa(i)
					})))
				}
				heads = slices.Insert(heads, 1, queue.Received{Message: queue.Message{ID: "broken", Group: "broken", Body: []byte("{")}})
				errs := w.router.Handle(t.Context(), heads)
				for i, err := range errs {
					if (err != nil) != (i == 1) {
						t.Errorf("message %d: %v", i, err)
					}
				}
				if len(w.sent) != 3 {
					t.Errorf("%d deliveries", len(w.sent))
				}
				for _, d := range w.deliveries(t) {
					if (d.Event.Consent != nil) != (d.Event.Message.Text == "STOP") {
						t.Errorf("%q has the consent %+v", d.Event.Message.Text, d.Event.Consent)
					}
				}
				if reads, notes := w.made(memstore.Get), w.made(memstore.Note); reads != c.reads || notes != c.notes {
					t.Errorf("%d reads, %d notes: %v", reads, notes, w.calls)
				}
			})
		})
	}
}
