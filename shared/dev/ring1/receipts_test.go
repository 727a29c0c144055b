package ring1

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/connector"
	"signalbox/functions/connector/simulatortest"
	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/race"
	"signalbox/shared/dev/samples"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/rules"
	"signalbox/shared/store/memstore"
)

// lane is the receipts' part of a pipeline: two standard queues, the processes of their mappings, and their dead letters.
type lane struct {
	*pipeline
	receipts, receiptsDead *memqueue.Queue
	updates, updatesDead   *memqueue.Queue
	routers, writers       int // processes
	window, pause          time.Duration
	line                   http.RoundTripper // to the portal
}

// withReceipts gives a pipeline that does not run yet its receipts lane.
func withReceipts(p *pipeline) *lane {
	standard := func(name string, dead *memqueue.Queue) *memqueue.Queue {
		o := memqueue.Options{Name: name, Standard: true, Visibility: 240 * time.Second, Retention: 14 * 24 * time.Hour, DeadLetters: dead}
		if dead != nil {
			o.MaxReceives = 1000
		}
		return memqueue.New(o)
	}
	l := &lane{pipeline: p, routers: 10, writers: 2, window: 20 * time.Second, pause: p.crm.Pause, line: &p.outage}
	l.receiptsDead, l.updatesDead = standard("receipts-dead", nil), standard("updates-dead", nil)
	l.receipts, l.updates = standard("receipts", l.receiptsDead), standard("updates", l.updatesDead)
	p.adapter.Lanes = map[canonical.Type][]adapter.Sink{
		canonical.TypeReceipt: adapter.ReceiptSinks(l.receipts, adapter.NewSpool(p.spool)),
	}
	p.drain.Receipts = l.receipts
	return l
}

// start runs the lane's mappings beside the pipeline's.
func (l *lane) start() {
	l.pipeline.start()
	ctx, stop := context.WithCancel(context.Background())
	rest := l.stop
	l.stop = func() { stop(); rest() }
	for range l.routers {
		l.gather(ctx, l.receipts, unordered(l.opening("route-receipts", router.NewReceipts(l.ring, router.ReceiptParts{
			Events: l.events, Store: l.state, Tenants: l.directory, Engine: rules.Ordered{}, Outbox: l.outbox(l.kind, l.updates, l.receiptsDead),
		}), l.receiptsDead)))
	}
	for range l.writers {
		gates := connector.NewGates(connector.GateOptions{Kind: l.kind, Store: l.state, Attempt: attempt, Probe: 15 * time.Minute, Logger: l.logger, Meter: l.meter})
		l.gather(ctx, l.updates, l.shower(l.line, l.pause, gates, l.updatesDead))
	}
	l.poll(ctx, l.receiptsDead, l.record)
	l.poll(ctx, l.updatesDead, l.record)
}

func unordered(w *queue.Worker) *queue.Worker {
	w.Unordered = true
	return w
}

// gather is a mapping with batches of up to a thousand messages and a window.
func (l *lane) gather(ctx context.Context, q *memqueue.Queue, w *queue.Worker) {
	const most = 1000
	l.running.Go(func() {
		for ctx.Err() == nil {
			var batch []memqueue.Delivery
			wait, end := memqueue.MaxWait, time.Time{}
			for len(batch) < most && wait > 0 && ctx.Err() == nil {
				got, err := q.Receive(ctx, memqueue.Request{Max: min(10, most-len(batch)), Wait: wait})
				if err != nil {
					time.Sleep(time.Second)
				}
				if batch = append(batch, got...); len(batch) == 0 {
					continue
				}
				if end.IsZero() {
					end = time.Now().Add(l.window)
				}
				wait = min(time.Until(end), memqueue.MaxWait)
			}
			if len(batch) > 0 && ctx.Err() == nil {
				l.run(ctx, q, w, batch)
			}
		}
	})
}

// run is one invocation.
func (l *lane) run(ctx context.Context, q *memqueue.Queue, w *queue.Worker, batch []memqueue.Delivery) {
	received := make([]queue.Received, len(batch))
	for i, d := range batch {
		received[i] = d.Received
		received[i].ID = d.MessageID // as SQS tells it
	}
	invocation, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	verdicts := w.Process(invocation, received)
	for begin := 0; begin < len(batch); begin += 10 {
		end := min(begin+10, len(batch))
		l.settle(ctx, q, batch[begin:end], verdicts[begin:end])
	}
}

// rest waits, in virtual time, until the lane holds nothing.
func (l *lane) rest(limit time.Duration) {
	l.t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Second) {
		busy := 0
		for _, q := range []*memqueue.Queue{l.receipts, l.updates, l.receiptsDead, l.updatesDead} {
			c := q.Counters()
			busy += c.Visible + c.InFlight
		}
		if busy == 0 {
			return
		}
	}
	l.t.Fatalf("after %v receipts still wait: %+v, then %+v", limit, l.receipts.Counters(), l.updates.Counters())
}

// status posts a status callback about message n of ours, and fails the test if it is not taken.
func (l *lane) status(n int, state string) {
	l.t.Helper()
	l.callback(samples.Load{Kind: samples.Status, Number: number(n), Person: fmt.Sprintf("+1555201%04d", n%10_000), Text: state})
}

func (l *lane) callback(load samples.Load) {
	l.t.Helper()
	if answer := l.receive(l.adapter, l.posted(l.client, l.client.New(load))); answer/100 != 2 {
		l.t.Errorf("the callback %s %s of message %s was answered %d", load.Kind, load.Text, load.Number, answer)
	}
}

// ours returns the status callback about message n of ours.
func (p *pipeline) ours(n int) samples.Sample {
	return p.client.New(samples.Load{Kind: samples.Status, Number: number(n)})
}

// oursKey returns the external id of the record of message n of ours.
func (p *pipeline) oursKey(n int) string { return p.client.MessageKey(p.ours(n)) }

// registered puts messages of ours on a timeline, from the number first on, as whoever sent them would have.
func (l *lane) registered(first, count int) {
	for n := first; n < first+count; n++ {
		l.control(http.MethodPost, "/records?object="+url.QueryEscape(l.about.Messages), map[string]string{l.about.Key: l.oursKey(n)}, nil)
	}
}

// shown returns the statuses that the portal shows, by message key; one that has several records is shown twice.
func (l *lane) shown() map[string]string {
	shown := map[string]string{}
	for _, r := range l.messages() {
		key := r.Properties[l.about.Key]
		if _, twice := shown[key]; twice {
			l.t.Errorf("message %s has two records", key)
		}
		shown[key] = strings.TrimSpace(r.Properties[l.about.Status] + " " + r.Properties[l.about.Problem])
	}
	return shown
}

// lanes runs a pipeline with its receipts lane in virtual time.
func lanes(t *testing.T, o options, f func(l *lane)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := withReceipts(newPipeline(t, o))
		l.start()
		defer l.halt()
		f(l)
	})
}

func TestStatusCallbacksAreShownWhateverTheirOrder(t *testing.T) {
	cases := map[string]struct {
		come func(l *lane)
		want string
	}{
		"one":       {func(l *lane) { l.status(0, "sent") }, "sent"},
		"all, fast": {func(l *lane) { each(l, "queued", "sending", "sent", "delivered", "read") }, "read"},
		"backwards": {func(l *lane) { each(l, "read", "delivered", "sent", "queued") }, "read"},
		"a window between each": {func(l *lane) {
			for _, s := range []string{"sent", "delivered", "sent"} {
				l.status(0, s)
				l.rest(time.Minute)
			}
		}, "delivered"},
		"failed, with why": {func(l *lane) {
			l.callback(samples.Load{Kind: samples.Status, Number: number(0), Person: "+15552010000", Text: "failed", Problem: "30003"})
		}, "failed 30003"},
		"canceled":         {func(l *lane) { each(l, "queued", "canceled") }, "canceled"},
		"the same, thrice": {func(l *lane) { each(l, "sent", "sent", "sent") }, "sent"},
		"after three days": {func(l *lane) { l.status(0, "sent"); time.Sleep(72 * time.Hour); l.status(0, "read") }, "read"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			lanes(t, options{}, func(l *lane) {
				l.registered(0, 1)
				c.come(l)
				l.rest(2 * time.Minute)
				want := map[string]string{l.oursKey(0): c.want}
				if got := l.shown(); !maps.Equal(got, want) {
					t.Errorf("shown %v, want %v\n%s", got, want, l.logs.text())
				}
				if got := l.events.Counters().Sent; got > 0 {
					t.Errorf("%d receipts went among the messages", got)
				}
				if dead := l.dead(); len(dead) > 0 {
					t.Errorf("dead letters %v", dead)
				}
			})
		})
	}
}

// TestAReceiptThatSaysTheRecipientOptedOutReachesTheContact through the whole path: the provider refuses two messages to one person.
func TestAReceiptThatSaysTheRecipientOptedOutReachesTheContact(t *testing.T) {
	lanes(t, options{}, func(l *lane) {
		person := "+15552010000"
		refused := func(n int, person string) {
			l.callback(samples.Load{Kind: samples.Refused, Number: number(n), Person: person})
			l.settled(time.Hour)
		}
		l.send(message{number: number(9), from: person, text: "hello"})
		l.settled(time.Hour)
		l.registered(0, 1)
		since := time.Now().UTC()
		for n := range 2 {
			refused(n, person)
		}
		later := time.Now().UTC()
		refused(2, "+15552019999") // whom no CRM knows
		l.rest(2 * time.Minute)
		if people := l.people(); len(people) != 1 {
			t.Fatalf("%d people, want no new one", len(people))
		}
		l.send(message{number: number(8), from: "+15552019999", text: "hello there"})
		l.settled(time.Hour)
		people := l.people()
		if len(people) != 2 {
			t.Fatalf("%d people", len(people))
		}
		for i, want := range []time.Time{since, later} {
			l.optedOut(people[i], "true", want)
		}
		if got := l.shown()[l.oursKey(0)]; !strings.HasPrefix(got, "failed ") {
			t.Errorf("the message shows %q", got)
		}
		if dead := l.dead(); len(dead) > 0 {
			t.Errorf("dead letters %v", dead)
		}
	})
}

// optedOut fails unless a person is shown as one who wants no messages since then, or again does since then.
func (p *pipeline) optedOut(person simulatortest.Record, want string, since time.Time) {
	p.t.Helper()
	out, at := person.Properties[p.about.OptedOut], person.Properties[p.about.OptOutAt]
	if out != want || !samples.Time(at).Equal(since.Truncate(time.Millisecond)) {
		p.t.Errorf("opted out: %q at %q, want %q at %s", out, at, want, since)
	}
}

// TestAnOptOutOfTheMinuteOfAStartHolds: the receipt that tells it has the carrier's time, whose whole minutes lie before the START. The
// same receipt again is the same opt-out, even behind a later START, and so is another one of that minute older than it.
func TestAnOptOutOfTheMinuteOfAStartHolds(t *testing.T) {
	lanes(t, options{}, func(l *lane) {
		person := "+15552010000"
		l.send(message{number: number(9), from: person, text: "hello"})
		l.settled(time.Hour)
		time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(90 * time.Second)))
		l.send(message{number: number(8), from: person, text: "START"})
		time.Sleep(10 * time.Second)
		since := time.Now().UTC()
		told := func(n int, out string, at time.Time) {
			l.callback(samples.Load{Kind: samples.Refused, Number: number(n), Person: person, Sent: since})
			l.settled(time.Hour)
			l.rest(2 * time.Minute)
			l.optedOut(l.people()[0], out, at)
		}
		told(1, "true", since)
		told(1, "true", since)
		again := time.Now().UTC()
		l.send(message{number: number(7), from: person, text: "START"})
		told(1, "false", again)
		told(2, "false", again)
		if dead := l.dead(); len(dead) > 0 {
			t.Errorf("dead letters %v", dead)
		}
	})
}

func TestAReceiptOfAMessageNobodyRegisteredMakesNoRecord(t *testing.T) {
	lanes(t, options{}, func(l *lane) {
		each(l, "queued", "sent", "delivered")
		l.rest(2 * time.Minute)
		if shown := l.shown(); len(shown) > 0 {
			t.Errorf("the portal holds %v", shown)
		}
		if dead := l.dead(); len(dead) > 0 {
			t.Errorf("dead letters %v", dead)
		}
	})
}

func each(l *lane, statuses ...string) {
	for _, s := range statuses {
		l.status(0, s)
	}
}

// TestReceiptsSurviveWhatHappens: the CRM is away, and calls of stores and queues fail before and after their effect.
func TestReceiptsSurviveWhatHappens(t *testing.T) {
	const messages = 30
	lost := errors.New("lost")
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			random := &lottery{r: rand.New(rand.NewPCG(seed, 9))}
			o := options{stateFault: func(memstore.Call) memstore.Fault {
				return []memstore.Fault{memstore.Throttled, memstore.Before, memstore.After, memstore.None}[random.draw(4, 0.15, 3)]
			}}
			lanes(t, o, func(l *lane) {
				l.registered(0, messages)
				for _, q := range []*memqueue.Queue{l.receipts, l.updates} {
					q.Inject(func(memqueue.Call) memqueue.Fault {
						return []memqueue.Fault{{Before: lost}, {After: lost}, {}}[random.draw(3, 0.15, 2)]
					})
				}
				l.outage.begin(l.api, http.StatusServiceUnavailable, "", time.Hour)
				want := map[string]string{}
				var come []func()
				for n := range messages {
					states := []string{"queued", "sent", "delivered", "read"}[:1+n%4]
					want[l.oursKey(n)] = states[len(states)-1]
					for _, s := range append(states, states...) {
						come = append(come, func() { l.status(n, s) })
					}
				}
				rand.New(rand.NewPCG(seed, 10)).Shuffle(len(come), func(i, j int) { come[i], come[j] = come[j], come[i] })
				for _, callback := range come {
					callback()
					time.Sleep(200 * time.Millisecond)
				}
				l.drainUntilEmpty()
				l.rest(24 * time.Hour)
				if got := l.shown(); !maps.Equal(got, want) {
					t.Errorf("shown %v, want %v", got, want)
				}
				if dead := l.dead(); len(dead) > 0 {
					t.Errorf("dead letters %v", dead)
				}
			})
		})
	}
}

// TestWritersThatMeetLeaveTheHighestStatus lets ten processes write with no pause against a portal that throttles them: each may
// write over what another has written, and fail before it can make that good.
func TestWritersThatMeetLeaveTheHighestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := withReceipts(newPipeline(t, options{stateFault: func(memstore.Call) memstore.Fault { time.Sleep(storeTakes); return memstore.None }}))
		l.writers, l.pause = 10, 0
		l.connectTo(l.crm.Simulator(burst))
		l.line = &slow{portal: simulatortest.Transport(l.portal), takes: batchTakes}
		l.start()
		defer l.halt()
		s := storm{receipts: 75_000, messages: 15_000, over: 60 * time.Second}
		if testing.Short() || race.Enabled {
			t.Log("SMALLER: 5,000 receipts instead of 75,000, under -short or -race")
			s = storm{receipts: 5_000, messages: 1_000, over: 4 * time.Second}
		}
		l.registered(stormBegins, s.messages)
		s.fall(t, l)
		l.rest(24 * time.Hour)
		shown := l.shown()
		for n := range s.messages {
			if got := shown[l.oursKey(stormBegins+n)]; got != "read" {
				t.Fatalf("message %d is shown as %q", n, got)
			}
		}
	})
}

func TestAReceiptNobodyCanReadIsADeadLetter(t *testing.T) {
	lanes(t, options{}, func(l *lane) {
		body := []byte(`{"eventId":"c9b1d4ae-8b2a-4f1d-9a2b-1f8f6b9f0e7c","tenantId":"demo","type":"receipt"}`)
		if err := l.receipts.Publish(t.Context(), queue.Message{ID: "x", Group: "demo", Body: body}); err != nil {
			t.Fatal(err)
		}
		l.registered(0, 1)
		l.status(0, "sent")
		l.rest(2 * time.Minute)
		want := "demo/event/c9b1d4ae-8b2a-4f1d-9a2b-1f8f6b9f0e7c dead/route-receipts"
		var found []string
		for record := range l.state.All() {
			if strings.HasPrefix(record.Sort, "dead/") {
				found = append(found, record.Partition+" "+record.Sort)
			}
		}
		if !slices.Equal(found, []string{want}) || l.shown()[l.oursKey(0)] != "sent" {
			t.Errorf("dead letters %q, shown %v", found, l.shown())
		}
	})
}
