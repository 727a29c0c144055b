package memqueue_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
)

func message(name string) queue.Message {
	return queue.Message{ID: name, Group: "group-" + name[:1], Body: []byte("body of " + name), Trace: "trace"}
}

func publish(t *testing.T, q *memqueue.Queue, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := q.Publish(t.Context(), message(name)); err != nil {
			t.Fatal(err)
		}
	}
}

func receive(t *testing.T, q *memqueue.Queue, r memqueue.Request) []memqueue.Delivery {
	t.Helper()
	deliveries, err := q.Receive(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return deliveries
}

func TestCountersTellWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := memqueue.New(memqueue.Options{Name: "dead"})
		q := memqueue.New(memqueue.Options{Name: "q", Visibility: time.Minute, Retention: time.Hour, MaxReceives: 1, DeadLetters: dead})
		publish(t, q, "a1", "a1", "b1", "c1")
		time.Sleep(10 * time.Second)
		receipts := receive(t, q, memqueue.Request{Max: 2})
		if _, err := q.Delete(t.Context(), receipts[1].ReceiptHandle); err != nil {
			t.Fatal(err)
		}
		want := memqueue.Counters{Visible: 1, InFlight: 1, Oldest: 10 * time.Second, Sent: 3, Repeated: 1, Received: 2, Deleted: 1}
		if got := q.Counters(); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
		time.Sleep(time.Minute)
		receive(t, q, memqueue.Request{Max: 10})
		want = memqueue.Counters{InFlight: 1, Oldest: 70 * time.Second, Sent: 3, Repeated: 1, Received: 3, Deleted: 1, Moved: 1}
		if got := q.Counters(); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
		if got, want := dead.Counters(), (memqueue.Counters{Visible: 1, MovedIn: 1}); got != want {
			t.Errorf("the dead letters counted %+v, want %+v", got, want)
		}
		time.Sleep(time.Hour)
		want = memqueue.Counters{Sent: 3, Repeated: 1, Received: 3, Deleted: 1, Moved: 1, Expired: 1}
		if got := q.Counters(); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
	})
}

func TestAllShowsWhatIsHeldWithoutReceivingIt(t *testing.T) {
	q := memqueue.New(memqueue.Options{Name: "q"})
	publish(t, q, "a1", "b1", "a2")
	receive(t, q, memqueue.Request{Max: 1})
	var seen []string
	for h := range q.All() {
		seen = append(seen, h.ID+" "+h.Group+" "+string(h.Body)+" "+h.Trace+" "+strconv.Itoa(h.Attempt)+" "+strconv.FormatBool(h.InFlight))
	}
	want := []string{
		"a1 group-a body of a1 trace 1 true", "b1 group-b body of b1 trace 0 false", "a2 group-a body of a2 trace 0 false",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("saw %q, want %q", seen, want)
	}
	for range q.All() {
		break // an observer may stop
	}
}

func TestBodyIsTheQueuesOwn(t *testing.T) {
	q := memqueue.New(memqueue.Options{})
	m := message("a1")
	if err := q.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	m.Body[0] = 'X'
	if got := string(receive(t, q, memqueue.Request{})[0].Body); got != "body of a1" {
		t.Errorf("received %q", got)
	}
}

func TestReceiveMayNameItsOwnVisibility(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := memqueue.New(memqueue.Options{Visibility: time.Hour})
		publish(t, q, "a1")
		look := time.Duration(0)
		receive(t, q, memqueue.Request{Visibility: &look})
		if n := len(receive(t, q, memqueue.Request{Visibility: &look})); n != 1 {
			t.Errorf("received %d messages after a look", n)
		}
	})
}

func TestRequestsOutsideTheLimitsAreRefused(t *testing.T) {
	long, negative := 13*time.Hour, -time.Second
	for name, r := range map[string]memqueue.Request{
		"more than ten messages":            {Max: 11},
		"a wait of more than 20 seconds":    {Wait: 21 * time.Second},
		"a negative wait":                   {Wait: -1},
		"hidden for more than twelve hours": {Visibility: &long},
		"hidden for a negative time":        {Visibility: &negative},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := memqueue.New(memqueue.Options{}).Receive(t.Context(), r)
			if refused, ok := errors.AsType[*memqueue.Error](err); !ok || refused.Code != memqueue.CodeInvalid {
				t.Errorf("answered %v", err)
			}
		})
	}
}

func TestReceiptsThatAreNone(t *testing.T) {
	q := memqueue.New(memqueue.Options{Name: "q"})
	publish(t, q, "a1")
	d := receive(t, q, memqueue.Request{})[0]
	for name, receipt := range map[string]string{
		"empty":                       "",
		"of another queue":            strings.Replace(d.ReceiptHandle, "q#", "other#", 1),
		"of a message never sent":     strings.Replace(d.ReceiptHandle, "1#1", "2#1", 1),
		"without a receive":           d.ReceiptHandle[:len(d.ReceiptHandle)-2],
		"with a receive of no sense":  d.ReceiptHandle + "x",
		"with a receive of zero":      d.ReceiptHandle[:len(d.ReceiptHandle)-1] + "0",
		"with a sequence of no sense": "q#x#1",
	} {
		t.Run(name, func(t *testing.T) {
			errs, err := q.Delete(t.Context(), receipt)
			if err != nil {
				t.Fatal(err)
			}
			if refused, ok := errors.AsType[*memqueue.Error](errs[0]); !ok || refused.Code != memqueue.CodeInvalidHandle {
				t.Errorf("answered %v", errs[0])
			}
			errs, err = q.ChangeVisibility(t.Context(), memqueue.Wait{ReceiptHandle: receipt})
			if err != nil || errs[0] == nil {
				t.Errorf("a visibility change answered %v %v", errs, err)
			}
		})
	}
	errs, err := q.ChangeVisibility(t.Context(), memqueue.Wait{ReceiptHandle: d.ReceiptHandle, For: memqueue.MaxVisibility + 1})
	if err != nil || errs[0] == nil {
		t.Errorf("more than twelve hours were answered %v %v", errs, err)
	}
}

func TestFaultsOfEveryOperation(t *testing.T) {
	injected := errors.New("injected")
	operations := map[string]func(*memqueue.Queue, string) error{
		"send": func(q *memqueue.Queue, _ string) error {
			_, err := q.Send(t.Context(), message("z1"))
			return err
		},
		"receive": func(q *memqueue.Queue, _ string) error {
			_, err := q.Receive(t.Context(), memqueue.Request{})
			return err
		},
		"delete": func(q *memqueue.Queue, receipt string) error {
			_, err := q.Delete(t.Context(), receipt)
			return err
		},
		"change visibility": func(q *memqueue.Queue, receipt string) error {
			_, err := q.ChangeVisibility(t.Context(), memqueue.Wait{ReceiptHandle: receipt})
			return err
		},
	}
	for name, do := range operations {
		for _, after := range []bool{false, true} {
			t.Run(name+" after its effect: "+strconv.FormatBool(after), func(t *testing.T) {
				q := memqueue.New(memqueue.Options{})
				publish(t, q, "a1", "b1")
				receipt := receive(t, q, memqueue.Request{})[0].ReceiptHandle
				before := q.Counters()
				q.Inject(func(memqueue.Call) memqueue.Fault {
					if after {
						return memqueue.Fault{After: injected}
					}
					return memqueue.Fault{Before: injected}
				})
				err := do(q, receipt)
				_, lost := errors.AsType[*memqueue.LostReplyError](err)
				if !errors.Is(err, injected) || lost != after {
					t.Errorf("answered %v", err)
				}
				b, a := before, q.Counters()
				b.Oldest, a.Oldest = 0, 0
				if changed := b != a; changed != after {
					t.Errorf("changed %v: %+v, %+v", changed, b, a)
				}
			})
		}
	}
}

func TestCancelledCallsHaveNoEffect(t *testing.T) {
	q := memqueue.New(memqueue.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := q.Publish(ctx, message("a1"))
	if !errors.Is(err, context.Canceled) || fault.Of(err).Kind != fault.Retryable {
		t.Errorf("publish answered %v", err)
	}
	if _, err := q.Delete(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("delete answered %v", err)
	}
	if _, err := q.Receive(ctx, memqueue.Request{}); !errors.Is(err, context.Canceled) {
		t.Errorf("receive answered %v", err)
	}
	if c := q.Counters(); c.Sent != 0 {
		t.Errorf("counted %+v", c)
	}
}

func BenchmarkPublishReceiveDelete(b *testing.B) {
	for name, backlog := range map[string]int{"of an empty queue": 0, "behind 100000 messages": 100_000} {
		b.Run(name, func(b *testing.B) {
			q := memqueue.New(memqueue.Options{Name: "q"})
			ctx := b.Context()
			body := []byte(strings.Repeat("x", 1500))
			n := 0
			send := func() {
				n++
				m := queue.Message{ID: strconv.Itoa(n), Group: strconv.Itoa(n % 1000), Body: body}
				if err := q.Publish(ctx, m); err != nil {
					b.Fatal(err)
				}
			}
			for range backlog {
				send()
			}
			b.ReportAllocs()
			for b.Loop() {
				send()
				deliveries, err := q.Receive(ctx, memqueue.Request{Max: 1})
				if err != nil || len(deliveries) != 1 {
					b.Fatal(err, len(deliveries))
				}
				if _, err := q.Delete(ctx, deliveries[0].ReceiptHandle); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
