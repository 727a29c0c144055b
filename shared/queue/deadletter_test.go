package queue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
)

func TestDeadLetterSaysAllThatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead, out := &taker{}, &bytes.Buffer{}
		w := newWorker(&handler{work: func(context.Context, queue.Received) error {
			return fmt.Errorf("upsert: %w", fault.New(fault.Permanent, "bad_row", errors.New("column 3")))
		}}, dead, out)
		sent := time.Now().Add(-time.Minute).UTC()
		batch := []queue.Received{{
			Message: queue.Message{ID: "e1.hubspot:2", Group: "thread", Body: []byte{0, 1, 255}, Trace: "00-a-b-01"}, Attempt: 3, FirstSent: sent,
		}}
		w.Process(t.Context(), batch)
		letter, ok := queue.ParseDeadLetter(dead.messages[0])
		want := queue.DeadLetter{
			ID: "e1.hubspot:2", Stage: "test", Kind: "permanent", Code: "bad_row", Reason: "upsert: bad_row: column 3", Attempts: 3,
			First: sent, Last: time.Now().UTC(), FunctionVersion: "7", Group: "thread", Trace: "00-a-b-01", Generation: 2, Body: []byte{0, 1, 255},
		}
		if diff := cmp.Diff(want, letter); diff != "" || !ok {
			t.Error(ok, diff)
		}
		if m := dead.messages[0]; m.ID != "dead:e1.hubspot:2" || m.Group != "thread" || m.Trace != "00-a-b-01" {
			t.Errorf("id %q, group %q, trace %q", m.ID, m.Group, m.Trace)
		}
		var metric map[string]any
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, `"DeadLettered"`) {
				if err := json.Unmarshal([]byte(line), &metric); err != nil {
					t.Fatal(err)
				}
			}
		}
		if metric["stage"] != "test" || metric["kind"] != "permanent" || metric["DeadLettered"] != 1.0 {
			t.Errorf("metric %v", metric)
		}
	})
}

func TestDeadLetterIDFitsTheQueue(t *testing.T) {
	for _, n := range []int{1, 100, 123, 124, 128} {
		id := strings.Repeat("x", n)
		got := queue.DeadLetterID(id)
		if len(got) > 128 || !strings.HasPrefix(got, "dead:") || got != queue.DeadLetterID(id) {
			t.Errorf("%d characters: %q", n, got)
		}
	}
}

func TestGenerationIsBehindTheLastColon(t *testing.T) {
	for id, want := range map[string]int{"e": 0, "e:1": 1, "a:b:12": 12, "a:b": 0, "a:-1": 0, "": 0} {
		if got := queue.Generation(id); got != want {
			t.Errorf("%q: %d, want %d", id, got, want)
		}
	}
}

func FuzzParseDeadLetter(f *testing.F) {
	f.Add("dead:x", []byte(`{"id":"x","stage":"route","body":"AA=="}`))
	f.Add("x", []byte(`{}`))
	f.Fuzz(func(t *testing.T, id string, body []byte) {
		letter, ok := queue.ParseDeadLetter(queue.Message{ID: id, Body: body})
		if ok && (letter.ID == "" || letter.Stage == "") {
			t.Errorf("accepted %q %q", id, body)
		}
	})
}
