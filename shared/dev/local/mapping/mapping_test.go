package mapping_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/dev/local/mapping"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"

	"github.com/google/go-cmp/cmp"
)

// event is what a function sees of a batch.
type event struct {
	Records []struct {
		MessageID, Body, EventSourceARN string
		Attributes                      map[string]string
		MessageAttributes               map[string]struct{ StringValue string }
	}
}

// function notes what it is given and returns what it is told to.
type function struct {
	mu      sync.Mutex
	batches [][]string // bodies
	answer  func(e event) (string, bool, error)
}

func (f *function) invoke(_ context.Context, payload []byte) ([]byte, bool, error) {
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, false, err
	}
	var bodies []string
	for _, r := range e.Records {
		bodies = append(bodies, r.Body+"@"+r.Attributes["ApproximateReceiveCount"])
	}
	f.mu.Lock()
	f.batches = append(f.batches, bodies)
	f.mu.Unlock()
	answer, ok, err := f.answer(e)
	return []byte(answer), ok, err
}

// seen returns the batches so far.
func (f *function) seen() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.batches)
}

func send(t *testing.T, q *memqueue.Queue, group string, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		if err := q.Publish(t.Context(), queue.Message{ID: b, Group: group, Body: []byte(b), Trace: "00-1-2-01"}); err != nil {
			t.Fatal(err)
		}
	}
}

func start(t *testing.T, m *mapping.SQS) {
	t.Helper()
	m.Logger = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { m.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
}

func TestWhatTheFunctionAnswersDecides(t *testing.T) {
	last := func(e event) string {
		return `{"batchItemFailures":[{"itemIdentifier":"` + e.Records[len(e.Records)-1].MessageID + `"}]}`
	}
	for name, c := range map[string]struct {
		report bool
		answer func(e event) (string, bool, error)
		left   int
		again  []string // the second batch, once the visibility time-out is over
	}{
		"success deletes all":                     {true, func(event) (string, bool, error) { return `{"batchItemFailures":[]}`, true, nil }, 0, nil},
		"an empty answer is success":              {true, func(event) (string, bool, error) { return ``, true, nil }, 0, nil},
		"null is success":                         {true, func(event) (string, bool, error) { return `null`, true, nil }, 0, nil},
		"what failed comes again, and alone":      {true, func(e event) (string, bool, error) { return last(e), true, nil }, 1, []string{"b@2"}},
		"an identifier that is not of the batch":  {true, func(event) (string, bool, error) { return `{"batchItemFailures":[{"itemIdentifier":"x"}]}`, true, nil }, 2, []string{"a@2", "b@2"}},
		"an empty identifier":                     {true, func(event) (string, bool, error) { return `{"batchItemFailures":[{}]}`, true, nil }, 2, []string{"a@2", "b@2"}},
		"an answer that is no JSON":               {true, func(event) (string, bool, error) { return `nonsense`, true, nil }, 2, []string{"a@2", "b@2"}},
		"an error of the function":                {true, func(event) (string, bool, error) { return `{}`, false, nil }, 2, []string{"a@2", "b@2"}},
		"a function that was not run":             {true, func(event) (string, bool, error) { return ``, false, errors.New("closed") }, 2, []string{"a@2", "b@2"}},
		"without reporting the answer is ignored": {false, func(e event) (string, bool, error) { return last(e), true, nil }, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := memqueue.New(memqueue.Options{Name: "q.fifo"})
				send(t, q, "g", "a", "b")
				f := &function{answer: c.answer}
				start(t, &mapping.SQS{Queue: q, BatchSize: 10, ReportFailures: c.report, Invoke: f.invoke})
				time.Sleep(memqueue.DefaultVisibility - time.Second)
				if counters := q.Counters(); counters.Visible+counters.InFlight != c.left {
					t.Errorf("%+v, want %d left", counters, c.left)
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				want := [][]string{{"a@1", "b@1"}}
				if c.again != nil {
					want = append(want, c.again)
				}
				if diff := cmp.Diff(want, f.seen()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestOneBatchOfAGroupIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := memqueue.New(memqueue.Options{Name: "q.fifo"})
		f := &function{answer: func(event) (string, bool, error) {
			time.Sleep(time.Second)
			return "", true, nil
		}}
		start(t, &mapping.SQS{Queue: q, BatchSize: 10, ReportFailures: true, MaximumConcurrency: 2, Invoke: f.invoke})
		for _, m := range []string{"1", "2", "3"} {
			send(t, q, "g", "g"+m)
			synctest.Wait() // until a batch that holds it, or nothing, is under way
		}
		if diff := cmp.Diff([][]string{{"g1@1"}}, f.seen()); diff != "" {
			t.Errorf("one batch of the group: %s", diff)
		}
		for _, m := range []string{"h", "i"} {
			send(t, q, m, m)
			synctest.Wait()
		}
		if diff := cmp.Diff([][]string{{"g1@1"}, {"h@1"}}, f.seen()); diff != "" {
			t.Errorf("two batches at once: %s", diff)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := q.Counters().Deleted; got != 5 {
			t.Errorf("%d deleted", got)
		}
	})
}

func TestAThrottledBatchIsTriedUntilItsVisibilityEnds(t *testing.T) {
	const visible = memqueue.DefaultVisibility
	for name, c := range map[string]struct {
		throttled time.Duration // from the first receive
		works     time.Duration
		want      [][]string
		overran   int // batches whose work ended when others could receive them
	}{
		"for a moment":                        {time.Second, 0, [][]string{{"a@1"}}, 0},
		"until it is received again":          {visible, 0, [][]string{{"a@2"}}, 0},
		"and received again":                  {3*visible + 1, 0, [][]string{{"a@4"}}, 0},
		"so that visibility ends during work": {visible - time.Second, 2 * time.Second, [][]string{{"a@1"}, {"a@2"}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := memqueue.New(memqueue.Options{Name: "q.fifo"})
				f := &function{answer: func(e event) (string, bool, error) {
					if e.Records[0].Attributes["ApproximateReceiveCount"] == "1" {
						time.Sleep(c.works)
					}
					return "", true, nil
				}}
				var mu sync.Mutex // two batches end side by side
				began, overran, done := time.Now(), 0, 0
				start(t, &mapping.SQS{
					Queue: q, BatchSize: 10, ReportFailures: true, MaximumConcurrency: 2, Invoke: f.invoke,
					Throttled: func(mapping.Batch) bool { return time.Since(began) < c.throttled },
					Invoked: func(w mapping.Invocation) {
						mu.Lock()
						defer mu.Unlock()
						done += len(w.Done)
						if w.Ended.After(w.Until) {
							overran++
						}
					},
				})
				send(t, q, "g", "a")
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if diff := cmp.Diff(c.want, f.seen()); diff != "" || overran != c.overran || done != len(c.want) {
					t.Errorf("%d overran, %d done %s", overran, done, diff)
				}
				if left := q.Counters(); left.Visible+left.InFlight != 0 {
					t.Errorf("%+v", left)
				}
			})
		})
	}
}

func TestAThrottledBatchLeavesItsSlotToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := memqueue.New(memqueue.Options{Name: "q.fifo"})
		f := &function{answer: func(event) (string, bool, error) { return "", true, nil }}
		began := time.Now()
		start(t, &mapping.SQS{
			Queue: q, BatchSize: 10, ReportFailures: true, MaximumConcurrency: 1, Invoke: f.invoke,
			Throttled: func(b mapping.Batch) bool { return b.Messages[0].Group == "g" && time.Since(began) < 10*time.Second },
		})
		send(t, q, "g", "a")
		synctest.Wait()
		send(t, q, "h", "b")
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([][]string{{"b@1"}, {"a@1"}}, f.seen()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhatFailsForeverBecomesADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := memqueue.New(memqueue.Options{Name: "dead.fifo"})
		q := memqueue.New(memqueue.Options{Name: "q.fifo", MaxReceives: 3, DeadLetters: dead})
		f := &function{answer: func(event) (string, bool, error) { return "", false, nil }}
		start(t, &mapping.SQS{Queue: q, BatchSize: 10, ReportFailures: true, Invoke: f.invoke})
		send(t, q, "g", "a")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([][]string{{"a@1"}, {"a@2"}, {"a@3"}}, f.seen()); diff != "" || dead.Counters().Visible != 1 {
			t.Errorf("%s, %+v", diff, dead.Counters())
		}
	})
}

func TestAWindowGathersABatchOfAStandardQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := memqueue.New(memqueue.Options{Name: "q.fifo", Standard: true})
		var sizes []int
		f := &function{answer: func(e event) (string, bool, error) {
			sizes = append(sizes, len(e.Records))
			if trace := e.Records[0].MessageAttributes["traceparent"].StringValue; trace != "00-1-2-01" {
				t.Errorf("trace %q", trace)
			}
			return "", true, nil
		}}
		start(t, &mapping.SQS{Queue: q, BatchSize: 25, Window: 5 * time.Second, ReportFailures: true, Invoke: f.invoke})
		for i := range 30 {
			send(t, q, "g", fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]int{25, 5}, sizes); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAScheduleInvokesAtItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []string
		s := &mapping.Schedule{
			Name: "s", Every: time.Minute, Logger: slog.New(slog.DiscardHandler),
			Invoke: func(_ context.Context, e []byte) ([]byte, bool, error) {
				var scheduled struct{ Time string }
				err := json.Unmarshal(e, &scheduled)
				events = append(events, scheduled.Time)
				return nil, false, err
			},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		s.Run(ctx)
		if diff := cmp.Diff([]string{"2000-01-01T00:01:00Z", "2000-01-01T00:02:00Z"}, events); diff != "" {
			t.Error(diff)
		}
	})
}

// TestABatchThatWaitedForASlotPastItsVisibilityIsDropped: its receipt is over, and others may have received it.
func TestABatchThatWaitedForASlotPastItsVisibilityIsDropped(t *testing.T) {
	const visible = memqueue.DefaultVisibility
	synctest.Test(t, func(t *testing.T) {
		q := memqueue.New(memqueue.Options{Name: "q.fifo"})
		f := &function{answer: func(e event) (string, bool, error) {
			if e.Records[0].Body == "b" {
				time.Sleep(2 * visible) // has the only slot meanwhile
			}
			return "", true, nil
		}}
		began := time.Now()
		start(t, &mapping.SQS{
			Queue: q, BatchSize: 10, ReportFailures: true, MaximumConcurrency: 1, Invoke: f.invoke,
			Throttled: func(b mapping.Batch) bool { return b.Messages[0].Group == "g" && time.Since(began) < time.Second },
		})
		send(t, q, "g", "a")
		synctest.Wait()
		send(t, q, "h", "b")
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		for _, batch := range f.seen() {
			if batch[0] == "a@1" {
				t.Error("worked on after its visibility time-out")
			}
		}
	})
}
