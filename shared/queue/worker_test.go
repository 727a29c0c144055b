package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/telemetry"

	"github.com/google/go-cmp/cmp"
)

// handler works by message id and remembers the calls.
type handler struct {
	work  func(ctx context.Context, r queue.Received) error
	calls [][]string
}

func (h *handler) Handle(ctx context.Context, heads []queue.Received) []error {
	var ids []string
	for _, r := range heads {
		ids = append(ids, r.ID)
	}
	h.calls = append(h.calls, ids)
	errs := make([]error, len(heads))
	for i, r := range heads {
		errs[i] = h.work(ctx, r)
	}
	return errs
}

// taker is a dead-letter queue.
type taker struct {
	mu       sync.Mutex
	refuse   func(queue.Message) error
	messages []queue.Message
}

func (p *taker) Publish(_ context.Context, messages ...queue.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	errs := make([]error, len(messages))
	failed := false
	for i, m := range messages {
		if p.refuse != nil {
			errs[i] = p.refuse(m)
		}
		if failed = failed || errs[i] != nil; errs[i] == nil {
			p.messages = append(p.messages, m)
		}
	}
	if failed {
		return &queue.PartialError{Errs: errs}
	}
	return nil
}

func newWorker(h queue.Handler, dead queue.Publisher, out *bytes.Buffer) *queue.Worker {
	id := telemetry.Identity{Function: "Test", Version: "7"}
	return &queue.Worker{
		Stage: "test", Handler: h, DeadLetters: dead,
		Patience: 24 * time.Hour, BlockedWait: 15 * time.Minute, BackoffMin: 2 * time.Second, BackoffMax: 15 * time.Minute,
		MessageTime: 20 * time.Second, SoftMargin: 3 * time.Second,
		Random: func() float64 { return 0.5 },
		Logger: telemetry.NewLogger(out, id), Meter: telemetry.NewMeter(out, id), Identity: id,
	}
}

// received makes messages from words like "a1": group "a", id "a1".
func received(words ...string) []queue.Received {
	var batch []queue.Received
	for _, word := range words {
		batch = append(batch, queue.Received{
			Message: queue.Message{ID: word, Group: word[:1], Body: []byte("body of " + word)}, Attempt: 1, FirstSent: time.Now(),
		})
	}
	return batch
}

func TestWorkerActsOnEachKindOfFault(t *testing.T) {
	done, cause := queue.Verdict{Done: true}, errors.New("cause")
	cases := map[string]struct {
		err     error
		attempt int
		age     time.Duration
		want    queue.Verdict
		dead    string // kind/code of the dead letter, "" for none
	}{
		"success is done":                                             {want: done},
		"an unsorted error is retried":                                {err: cause, want: queue.Verdict{Wait: 3 * time.Second}},
		"a retryable fault waits longer at each attempt":              {err: fault.New(fault.Retryable, "x", nil), attempt: 4, want: queue.Verdict{Wait: 17 * time.Second}},
		"a retryable fault waits at most the longest wait":            {err: fault.New(fault.Retryable, "x", nil), attempt: 900, want: queue.Verdict{Wait: 451 * time.Second}},
		"a retryable fault with a wait waits so long":                 {err: &fault.Error{Kind: fault.Retryable, Wait: 35 * time.Second}, want: queue.Verdict{Wait: 35 * time.Second}},
		"a retryable fault is retried until patience is over":         {err: cause, age: 24*time.Hour - time.Second, want: queue.Verdict{Wait: 3 * time.Second}},
		"a retryable fault becomes a dead letter after patience":      {err: fault.New(fault.Retryable, "x", nil), age: 24 * time.Hour, want: done, dead: "retryable/x"},
		"a throttled one waits as it was asked to":                    {err: &fault.Error{Kind: fault.Throttled, Wait: 90 * time.Second}, want: queue.Verdict{Wait: 90 * time.Second}},
		"a throttled one that was told no wait backs off":             {err: fault.New(fault.Throttled, "x", nil), attempt: 2, want: queue.Verdict{Wait: 5 * time.Second}},
		"a throttled one never waits longer than the queue can hide":  {err: &fault.Error{Kind: fault.Throttled, Wait: 48 * time.Hour}, want: queue.Verdict{Wait: queue.MaxWait}},
		"a throttled one becomes a dead letter after patience":        {err: fault.New(fault.Throttled, "x", nil), age: 25 * time.Hour, want: done, dead: "throttled/x"},
		"a blocked one waits":                                         {err: fault.New(fault.Blocked, "x", nil), want: queue.Verdict{Wait: 15 * time.Minute}},
		"a blocked one waits for ever":                                {err: fault.New(fault.Blocked, "x", nil), age: 9 * 24 * time.Hour, want: queue.Verdict{Wait: 15 * time.Minute}},
		"a permanent one is a dead letter at once":                    {err: fault.New(fault.Permanent, "x", nil), want: done, dead: "permanent/x"},
		"a rejected one is a dead letter, too: it was accepted once":  {err: fault.New(fault.Rejected, "x", nil), want: done, dead: "rejected/x"},
		"a wrapped fault counts":                                      {err: fmt.Errorf("step: %w", fault.New(fault.Permanent, "x", cause)), want: done, dead: "permanent/x"},
		"what was not begun goes back at once, however old":           {err: queue.ErrNotStarted, age: 48 * time.Hour, want: queue.Verdict{}},
		"what another worker holds waits for it, however old":         {err: &queue.HeldError{For: 28 * time.Second}, attempt: 900, age: 48 * time.Hour, want: queue.Verdict{Wait: 28 * time.Second}},
		"attempts are those that somebody counted":                    {err: &queue.FailingError{Attempt: 1, Err: cause}, attempt: 9, want: queue.Verdict{Wait: 3 * time.Second}},
		"a message without a sending time never runs out of patience": {err: cause, age: -1, want: queue.Verdict{Wait: 3 * time.Second}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, dead := &bytes.Buffer{}, &taker{}
				batch := received("a1")
				batch[0].Attempt = max(c.attempt, 1)
				batch[0].FirstSent = time.Now().Add(-c.age)
				if c.age < 0 {
					batch[0].FirstSent = time.Time{}
				}
				w := newWorker(&handler{work: func(context.Context, queue.Received) error { return c.err }}, dead, out)
				got := w.Process(t.Context(), batch)
				if diff := cmp.Diff([]queue.Verdict{c.want}, got); diff != "" {
					t.Error(diff)
				}
				var kinds []string
				for _, m := range dead.messages {
					letter, ok := queue.ParseDeadLetter(m)
					if !ok {
						t.Fatalf("not a dead letter: %s", m.Body)
					}
					kinds = append(kinds, letter.Kind+"/"+letter.Code)
				}
				if got := strings.Join(kinds, " "); got != c.dead {
					t.Errorf("dead letters: %q, want %q", got, c.dead)
				}
				if strings.Contains(out.String(), "body of") {
					t.Errorf("a body was logged: %s", out)
				}
			})
		})
	}
}

func TestAGroupStopsAtItsFirstFailureAndOthersGoOn(t *testing.T) {
	retry, dead := fault.New(fault.Retryable, "x", nil), fault.New(fault.Permanent, "x", nil)
	wait := queue.Verdict{Wait: 3 * time.Second}
	cases := map[string]struct {
		batch []string
		fails map[string]error
		lost  []string // dead letters that are not taken
		want  string   // per message: d done, w waits, 0 goes back at once
		calls string
	}{
		"all go through in rounds":              {batch: []string{"a1", "b1", "a2", "a3", "b2"}, want: "ddddd", calls: "a1,b1 a2,b2 a3"},
		"the first of a group fails":            {batch: []string{"a1", "b1", "a2", "b2", "a3"}, fails: map[string]error{"a1": retry}, want: "wd0d0", calls: "a1,b1 b2"},
		"one in the middle fails":               {batch: []string{"a1", "b1", "a2", "b2", "a3", "b3"}, fails: map[string]error{"a2": retry}, want: "ddwd0d", calls: "a1,b1 a2,b2 b3"},
		"a dead letter lets its group go on":    {batch: []string{"a1", "a2", "b1"}, fails: map[string]error{"a1": dead}, want: "ddd", calls: "a1,b1 a2"},
		"a dead letter nobody took stops":       {batch: []string{"a1", "a2", "b1"}, fails: map[string]error{"a1": dead, "b1": dead}, lost: []string{"dead:a1"}, want: "w0d", calls: "a1,b1"},
		"every group may fail":                  {batch: []string{"a1", "b1", "a2", "b2"}, fails: map[string]error{"a1": retry, "b1": retry}, want: "ww00", calls: "a1,b1"},
		"an empty batch has no verdicts":        {want: ""},
		"what was not begun stops its group":    {batch: []string{"a1", "a2", "b1"}, fails: map[string]error{"a1": queue.ErrNotStarted}, want: "00d", calls: "a1,b1"},
		"what another holds stops its group":    {batch: []string{"a1", "a2", "b1"}, fails: map[string]error{"a1": &queue.HeldError{For: 3 * time.Second}}, want: "w0d", calls: "a1,b1"},
		"messages without a group are a group ": {batch: []string{"-1", "-2"}, fails: map[string]error{"-1": retry}, want: "w0", calls: "-1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				letters := &taker{refuse: func(m queue.Message) error {
					if slices.Contains(c.lost, m.ID) {
						return errors.New("refused")
					}
					return nil
				}}
				h := &handler{work: func(_ context.Context, r queue.Received) error { return c.fails[r.ID] }}
				verdicts := newWorker(h, letters, &bytes.Buffer{}).Process(t.Context(), received(c.batch...))
				got := ""
				for _, v := range verdicts {
					switch v {
					case queue.Verdict{Done: true}:
						got += "d"
					case wait:
						got += "w"
					case queue.Verdict{}:
						got += "0"
					default:
						t.Errorf("verdict %+v", v)
					}
				}
				var calls []string
				for _, call := range h.calls {
					calls = append(calls, strings.Join(call, ","))
				}
				if got != c.want || strings.Join(calls, " ") != c.calls {
					t.Errorf("verdicts %q, want %q; calls %q, want %q", got, c.want, calls, c.calls)
				}
			})
		})
	}
}

func TestWhatHasNotBegunAtTheSoftDeadlineGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var budgets []time.Duration
		h := &handler{work: func(ctx context.Context, r queue.Received) error {
			deadline, _ := ctx.Deadline()
			budgets = append(budgets, time.Until(deadline))
			select {
			case <-time.After(15 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		verdicts := newWorker(h, &taker{}, &bytes.Buffer{}).Process(ctx, received("a1", "a2", "a3"))
		// a1 takes 15 s of its 20; a2 is cut at 27 s, which is not its fault; a3 does not begin
		want := []queue.Verdict{{Done: true}, {}, {}}
		if diff := cmp.Diff(want, verdicts); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]time.Duration{20 * time.Second, 12 * time.Second}, budgets); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNothingBeginsAfterTheSoftDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		h := &handler{work: func(context.Context, queue.Received) error {
			time.Sleep(28 * time.Second) // whatever the context says
			return nil
		}}
		verdicts := newWorker(h, &taker{}, &bytes.Buffer{}).Process(ctx, received("a1", "a2", "a3"))
		if diff := cmp.Diff([]queue.Verdict{{Done: true}, {}, {}}, verdicts); diff != "" || len(h.calls) != 1 {
			t.Error(h.calls, diff)
		}
	})
}

func TestADeadLetterIsPublishedAfterTheSoftDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		h := &handler{work: func(context.Context, queue.Received) error {
			time.Sleep(28 * time.Second)
			return fault.New(fault.Permanent, "x", nil)
		}}
		dead := publisherFunc(func(ctx context.Context, _ ...queue.Message) error { return ctx.Err() })
		if v := newWorker(h, dead, &bytes.Buffer{}).Process(ctx, received("a1"))[0]; !v.Done {
			t.Errorf("%+v", v)
		}
	})
}

type publisherFunc func(context.Context, ...queue.Message) error

func (f publisherFunc) Publish(ctx context.Context, messages ...queue.Message) error {
	return f(ctx, messages...)
}

func TestAMessageThatUsesUpItsOwnTimeBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		h := &handler{work: func(ctx context.Context, r queue.Received) error {
			if r.ID == "a1" {
				<-ctx.Done()
			}
			return ctx.Err()
		}}
		verdicts := newWorker(h, &taker{}, &bytes.Buffer{}).Process(ctx, received("a1", "a2"))
		if diff := cmp.Diff([]queue.Verdict{{Wait: 3 * time.Second}, {}}, verdicts); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAPanicIsRecoveredAndTheInnocentGetThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &bytes.Buffer{}
		h := &handler{work: func(_ context.Context, r queue.Received) error {
			if r.ID == "b1" {
				panic("secret text of b1")
			}
			return nil
		}}
		verdicts := newWorker(h, &taker{}, out).Process(t.Context(), received("a1", "b1", "a2", "b2", "c1"))
		want := []queue.Verdict{{Done: true}, {Wait: 3 * time.Second}, {Done: true}, {}, {Done: true}}
		if diff := cmp.Diff(want, verdicts); diff != "" {
			t.Error(diff)
		}
		if strings.Contains(out.String(), "secret text") || !strings.Contains(out.String(), `"code":"panic"`) || !strings.Contains(out.String(), `"Panicked":1`) {
			t.Errorf("log: %s", out)
		}
	})
}

type shortHandler struct{}

func (shortHandler) Handle(context.Context, []queue.Received) []error { return nil }

func TestAHandlerThatAnswersTooFewErrorsIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verdicts := newWorker(shortHandler{}, &taker{}, &bytes.Buffer{}).Process(t.Context(), received("a1", "b1"))
		if diff := cmp.Diff([]queue.Verdict{{Wait: 3 * time.Second}, {Wait: 3 * time.Second}}, verdicts); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheWorkerOfADeadLetterQueueGivesNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range []fault.Kind{fault.Retryable, fault.Throttled, fault.Blocked, fault.Permanent, fault.Rejected} {
			batch := received("a1")
			batch[0].FirstSent = time.Now().Add(-13 * 24 * time.Hour)
			h := &handler{work: func(context.Context, queue.Received) error { return fault.New(kind, "x", nil) }}
			if v := newWorker(h, nil, &bytes.Buffer{}).Process(t.Context(), batch)[0]; v.Done || v.Wait == 0 {
				t.Errorf("%s: %+v", kind, v)
			}
		}
	})
}

func BenchmarkWorkerOfTenGroups(b *testing.B) {
	h := &handler{work: func(context.Context, queue.Received) error { return nil }}
	w := newWorker(h, &taker{}, &bytes.Buffer{})
	batch := received("a1", "b1", "c1", "d1", "e1", "f1", "g1", "h1", "i1", "j1")
	for b.Loop() {
		h.calls = nil
		w.Process(b.Context(), batch)
	}
}

func TestAStandardQueuesMessagesStandForThemselves(t *testing.T) {
	h := &handler{work: func(_ context.Context, r queue.Received) error {
		if r.ID == "2" {
			return fault.New(fault.Retryable, "later", nil)
		}
		return nil
	}}
	w := newWorker(h, &taker{}, &bytes.Buffer{})
	w.Unordered = true
	batch := make([]queue.Received, 4)
	for i := range batch {
		batch[i].ID, batch[i].Group = fmt.Sprint(i), "tenant"
	}
	verdicts := w.Process(t.Context(), batch)
	if diff := cmp.Diff([][]string{{"0", "1", "2", "3"}}, h.calls); diff != "" {
		t.Errorf("the handler did not get them together: %s", diff)
	}
	for i, v := range verdicts {
		if v.Done != (i != 2) || !v.Done && v.Wait == 0 {
			t.Errorf("message %d: %+v", i, v)
		}
	}
}

func TestAStandardQueuesMessagesThatWaitAlikeAreToldOnce(t *testing.T) {
	h := &handler{work: func(_ context.Context, r queue.Received) error {
		return fault.New(fault.Blocked, "field_missing_"+r.ID[:1], nil)
	}}
	var out bytes.Buffer
	w := newWorker(h, &taker{}, &out)
	w.Unordered = true
	w.Process(t.Context(), []queue.Received{{Message: queue.Message{ID: "a1"}}, {Message: queue.Message{ID: "b1"}}, {Message: queue.Message{ID: "a2"}}})
	if lines := strings.Count(out.String(), "message waits"); lines != 2 || !strings.Contains(out.String(), `"messages":2`) || !strings.Contains(out.String(), `"Blocked":2`) {
		t.Errorf("%d lines: %s", lines, out.String())
	}
}

// TestAHandlerOfRunsGetsAllOfAGroup, and what it did not begin only when all before it is done.
func TestAHandlerOfRunsGetsAllOfAGroup(t *testing.T) {
	broken := fault.New(fault.Retryable, "x", nil)
	for name, c := range map[string]struct {
		batch string
		errs  map[string]error // of the first time
		calls string
		done  string
	}{
		"all at once":                                {"a1 a2 b1 a3", nil, "[[a1 a2 a3 b1]]", "a1 a2 b1 a3"},
		"what was not begun has the next turn":       {"a1 a2 a3 b1", map[string]error{"a2": queue.ErrNotStarted}, "[[a1 a2 a3 b1] [a2 a3]]", "a1 a2 a3 b1"},
		"what is behind a failure goes back":         {"a1 a2 a3 b1", map[string]error{"a2": broken}, "[[a1 a2 a3 b1]]", "a1 b1"},
		"a first one that is not begun ends its run": {"a1 a2 b1", map[string]error{"a1": queue.ErrNotStarted}, "[[a1 a2 b1]]", "b1"},
		"a dead letter is done":                      {"a1 a2", map[string]error{"a1": fault.New(fault.Permanent, "x", nil)}, "[[a1 a2] [a2]]", "a1 a2"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &handler{work: func(_ context.Context, r queue.Received) error {
				defer delete(c.errs, r.ID)
				return c.errs[r.ID]
			}}
			w := newWorker(h, &taker{}, &bytes.Buffer{})
			w.Runs = true
			batch := received(strings.Fields(c.batch)...)
			var done []string
			for i, v := range w.Process(t.Context(), batch) {
				if v.Done {
					done = append(done, batch[i].ID)
				}
			}
			if calls := fmt.Sprint(h.calls); calls != c.calls || strings.Join(done, " ") != c.done {
				t.Errorf("calls %s, want %s; done %v, want %s", calls, c.calls, done, c.done)
			}
		})
	}
}

func TestARunThatPanicsIsHandledOneByOneUpToItsFailure(t *testing.T) {
	h := &handler{work: func(_ context.Context, r queue.Received) error {
		if r.ID == "a2" {
			panic("boom")
		}
		return nil
	}}
	w := newWorker(h, &taker{}, &bytes.Buffer{})
	w.Runs = true
	verdicts := w.Process(t.Context(), received("a1", "a2", "a3", "b1"))
	if got := fmt.Sprint(h.calls); got != "[[a1 a2 a3 b1] [a1] [a2] [b1]]" || !verdicts[0].Done || verdicts[1].Done || verdicts[2].Done || !verdicts[3].Done {
		t.Errorf("%s, %+v", got, verdicts)
	}
}
