package lambdasqs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"signalbox/shared/aws/lambdasqs"
	"signalbox/shared/aws/sqsqueue"
	"signalbox/shared/queue"
)

// The shapes that main functions rely on.
var (
	_ lambdasqs.Processor  = (*queue.Worker)(nil)
	_ lambdasqs.Visibility = (*sqsqueue.Queue)(nil)
)

// work returns as a test says and keeps what it was given.
type work struct {
	do    func([]queue.Received) []queue.Verdict
	batch []queue.Received
}

// Process is of lambdasqs.Processor.
func (w *work) Process(_ context.Context, batch []queue.Received) []queue.Verdict {
	w.batch = batch
	return w.do(batch)
}

// visibility records its calls.
type visibility struct {
	calls [][]sqsqueue.Wait
	err   error
}

// ChangeVisibility is of lambdasqs.Visibility.
func (v *visibility) ChangeVisibility(_ context.Context, waits ...sqsqueue.Wait) error {
	v.calls = append(v.calls, waits)
	return v.err
}

func records(ids ...string) events.SQSEvent {
	var e events.SQSEvent
	for _, id := range ids {
		e.Records = append(e.Records, events.SQSMessage{MessageId: id, ReceiptHandle: "receipt-" + id, Body: "secret text"})
	}
	return e
}

func TestHandler(t *testing.T) {
	tests := map[string]struct {
		event    events.SQSEvent
		do       func([]queue.Received) []queue.Verdict
		refused  error // by the visibility call
		want     string
		calls    [][]sqsqueue.Wait
		wantErr  error
		wantsLog bool
	}{
		"what is done is neither reported nor hidden": {
			event: records("1", "2"),
			do:    func([]queue.Received) []queue.Verdict { return []queue.Verdict{{Done: true}, {Done: true}} },
			want:  `{"batchItemFailures":[]}`,
		},
		"an empty batch is done": {
			do:   func([]queue.Received) []queue.Verdict { return nil },
			want: `{"batchItemFailures":[]}`,
		},
		"all that is not done is reported and hidden by one call": {
			event: records("1", "2", "3", "4"),
			do: func([]queue.Received) []queue.Verdict {
				return []queue.Verdict{{Wait: 90 * time.Second}, {Done: true}, {}, {Wait: 1500 * time.Millisecond}}
			},
			want: `{"batchItemFailures":[{"itemIdentifier":"1"},{"itemIdentifier":"3"},{"itemIdentifier":"4"}]}`,
			calls: [][]sqsqueue.Wait{{
				{ReceiptHandle: "receipt-1", For: 90 * time.Second}, {ReceiptHandle: "receipt-3"}, {ReceiptHandle: "receipt-4", For: 1500 * time.Millisecond},
			}},
		},
		"a wait beyond what is left of twelve hours is shortened, a negative one is none": {
			event: records("1", "2"),
			do: func([]queue.Received) []queue.Verdict {
				time.Sleep(20 * time.Second)
				return []queue.Verdict{{Wait: 24 * time.Hour}, {Wait: -time.Second}}
			},
			want:  `{"batchItemFailures":[{"itemIdentifier":"1"},{"itemIdentifier":"2"}]}`,
			calls: [][]sqsqueue.Wait{{{ReceiptHandle: "receipt-1", For: 12*time.Hour - 80*time.Second}, {ReceiptHandle: "receipt-2"}}},
		},
		"a visibility call that fails changes nothing in the report": {
			event:   records("1"),
			do:      func([]queue.Received) []queue.Verdict { return []queue.Verdict{{Wait: time.Second}} },
			refused: errors.New("refused"),
			want:    `{"batchItemFailures":[{"itemIdentifier":"1"}]}`,
			calls:   [][]sqsqueue.Wait{{{ReceiptHandle: "receipt-1", For: time.Second}}}, wantsLog: true,
		},
		"a panic fails the whole batch": {
			event:   records("1", "2"),
			do:      func(batch []queue.Received) []queue.Verdict { panic("about " + string(batch[0].Body)) },
			want:    `{"batchItemFailures":null}`,
			wantErr: lambdasqs.ErrBatch, wantsLog: true,
		},
		"an answer of the wrong length fails the whole batch": {
			event:   records("1", "2"),
			do:      func([]queue.Received) []queue.Verdict { return []queue.Verdict{{Done: true}} },
			want:    `{"batchItemFailures":null}`,
			wantErr: lambdasqs.ErrBatch, wantsLog: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &visibility{err: test.refused}
				var log bytes.Buffer
				response, err := lambdasqs.Handler(&work{do: test.do}, v, slog.New(slog.NewJSONHandler(&log, nil)))(t.Context(), test.event)
				if !errors.Is(err, test.wantErr) {
					t.Errorf("answered %v", err)
				}
				got, _ := json.Marshal(response)
				if string(got) != test.want {
					t.Errorf("answered %s, want %s", got, test.want)
				}
				if diff := cmp.Diff(test.calls, v.calls); diff != "" {
					t.Error(diff)
				}
				if logged := log.Len() > 0; logged != test.wantsLog || strings.Contains(log.String(), "secret") {
					t.Errorf("logged %s", log.String())
				}
			})
		})
	}
}

// silent never answers.
type silent struct{}

// ChangeVisibility is of lambdasqs.Visibility.
func (silent) ChangeVisibility(ctx context.Context, _ ...sqsqueue.Wait) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAVisibilityCallThatHangsIsGivenUpBeforeTheFunctionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &work{do: func([]queue.Received) []queue.Verdict { return make([]queue.Verdict, 1) }}
		began := time.Now()
		response, err := lambdasqs.Handler(w, silent{}, slog.New(slog.DiscardHandler))(t.Context(), records("1"))
		if err != nil || len(response.BatchItemFailures) != 1 || time.Since(began) != 2*time.Second {
			t.Errorf("answered %v, %v after %v", response, err, time.Since(began))
		}
	})
}

func TestHandlerReadsWhatLambdaSends(t *testing.T) {
	raw, err := os.ReadFile("testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	var event events.SQSEvent
	if err := json.Unmarshal(raw, &event); err != nil {
		t.Fatal(err)
	}
	w := &work{do: func(batch []queue.Received) []queue.Verdict { return make([]queue.Verdict, len(batch)) }}
	synctest.Test(t, func(t *testing.T) {
		if _, err := lambdasqs.Handler(w, &visibility{}, slog.New(slog.DiscardHandler))(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		want := []queue.Received{{
			Message: queue.Message{
				ID: "event-1", Group: "thread-1", Body: []byte(`{"text":"hello"}`),
				Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			},
			Sequence: "18849496460467696128", Attempt: 2, FirstSent: time.UnixMilli(1573251510774),
		}, { // moved here by the receive limit of another queue
			Message: queue.Message{ID: "event-2", Group: "thread-1", Body: []byte(`{}`)}, Sequence: "18849496460467696129", Attempt: 1001,
			FirstSent: time.UnixMilli(1573251510775),
		}, { // of a standard queue, and malformed
			Message: queue.Message{ID: "message-3", Group: "message-3", Body: []byte(`{}`)}, Attempt: 1, FirstSent: time.Now(),
		}}
		if diff := cmp.Diff(want, w.batch); diff != "" {
			t.Error(diff)
		}
	})
}

func BenchmarkHandler(b *testing.B) {
	raw, err := os.ReadFile("testdata/event.json")
	if err != nil {
		b.Fatal(err)
	}
	w := &work{do: func(batch []queue.Received) []queue.Verdict {
		verdicts := make([]queue.Verdict, len(batch))
		for i := range verdicts {
			verdicts[i].Done = true
		}
		return verdicts
	}}
	handle := lambdasqs.Handler(w, &visibility{}, slog.New(slog.DiscardHandler))
	b.ReportAllocs()
	for b.Loop() {
		var event events.SQSEvent
		if err := json.Unmarshal(raw, &event); err != nil {
			b.Fatal(err)
		}
		if _, err := handle(b.Context(), event); err != nil {
			b.Fatal(err)
		}
	}
}
