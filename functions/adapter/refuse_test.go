package adapter

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/queue"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/webhook"
)

// told is the batch channel with callers who read answers.
type told struct{ batch }

func (told) Refuse(cause *fault.Error) (webhook.Response, bool) {
	switch cause.Code {
	case CodeUnowned, CodePanic:
		return webhook.Response{Status: http.StatusUnprocessableEntity, ContentType: "text/plain", Body: []byte("no line")}, true
	case "json_malformed":
		panic("5551234567")
	default:
		return webhook.Response{Status: http.StatusOK}, false
	}
}

// TestRefuser checks when a Refuser is asked, and what of its answer counts.
func TestRefuser(t *testing.T) {
	cases := map[string]struct {
		body    string
		status  int
		answer  string
		letter  string
		metrics string // those of which one is counted
	}{
		"nobody's address":                     {`["none"]`, 422, "no line", "", "WebhookRefused"},
		"two addresses that are nobody's":      {`["none","none"]`, 422, "no line", "", "WebhookRefused"},
		"nobody's address beside one of ours":  {`["one","none"]`, 202, "", "permanent unowned_address", "WebhookAccepted WebhookDeadLettered"},
		"a fault that is not the caller's":     {`["huge"]`, 202, "", "permanent event_too_large", "WebhookAccepted WebhookDeadLettered Failures"},
		"a lookup that fails":                  {`["slow"]`, 503, "", "", "WebhookRejected Failures"},
		"a configuration that lacks something": {`["lost"]`, 503, "", "", "WebhookRejected Failures"},
		"a panic":                              {`["one","panic"]`, 202, "", "permanent panic", "WebhookAccepted WebhookDeadLettered PanicRecovered Failures"},
		"a panic while it is told":             {`{`, 202, "", "permanent json_malformed", "WebhookAccepted WebhookDeadLettered PanicRecovered Failures"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var output bytes.Buffer
			id := telemetry.Identity{Function: "BatchReceive", Version: "1"}
			ring, spool, state, known := keyringtest.New(), memstore.New(), memstore.New(), &directory{}
			sent := func([]queue.Message) error {
				if strings.Contains(c.body, "panic") {
					panic("5551234567")
				}
				return nil
			}
			a := New(ring, Parts{
				Channel: told{batch{redelivers: []int{503}}}, Directory: known, Peppers: known,
				Sinks:       Sinks(publisher(sent), NewSpool(spool)),
				DeadLetters: NewDeadLetters(ring, spool, state, "1"), Logger: telemetry.NewLogger(&output, id), Meter: telemetry.NewMeter(&output, id),
			})
			answer := a.Receive(t.Context(), webhook.Request{
				Method: http.MethodPost, Path: "/v1/accounts/shared/batch/events", Header: http.Header{"Token": {"token"}}, Body: []byte(c.body),
			})
			letter := ""
			for r := range state.All() {
				if found, ok := deadletter.Read(r); ok && strings.HasPrefix(r.Sort, "dead/") {
					letter += found.Kind + " " + found.Code
				}
			}
			if answer.Status != c.status || string(answer.Body) != c.answer || letter != c.letter {
				t.Errorf("status %d %q and dead letter %q, want %d %q and %q", answer.Status, answer.Body, letter, c.status, c.answer, c.letter)
			}
			for _, metric := range []string{"WebhookAccepted", "WebhookRejected", "WebhookRefused", "WebhookDeadLettered", "PanicRecovered", "Failures"} {
				want := strings.Contains(c.metrics, metric)
				if got := strings.Contains(output.String(), `"Name":"`+metric+`"`); got != want {
					t.Errorf("%s counted: %t, want %t", metric, got, want)
				}
			}
			if strings.Contains(output.String(), "5551234567") {
				t.Error("the panic's value was logged")
			}
		})
	}
}
