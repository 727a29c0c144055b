package ring1

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/race"
	"signalbox/shared/dev/samples"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// flood is the load of a tenant whose CRM is in trouble meanwhile, and of one whose is not.
type flood struct {
	crm      string        // its kind, the first one's when empty
	messages int           // of the tenant in trouble, evenly over the time that the trouble lasts
	people   int           // they are of
	lasts    time.Duration // the trouble
	hangs    bool          // each call takes ten seconds, else it is answered with an error at once
	well     bool          // there is no trouble
	kills    bool          // connectors, routers and drains die at any call
}

// live is how many messages the other tenant gets: so many at the beginning of the trouble, one every half second.
const live = 240

// flooded is what became of it.
type flooded struct {
	first, all time.Duration // the other tenant's 95th percentile from webhook to CRM: of the first minute, and of all
	asked      int           // calls to the CRM while it was in trouble
	drained    int           // calls to it afterwards
	parked     int           // when it was over
	storeCalls int           // while the trouble lasted
	writeUnits int
	busiest    int           // how often a gate's record was written within a second, at most
	died       int           // processes
	empty      time.Duration // from the end of the trouble until everything was delivered
}

// floodOf returns how many messages a flood has, of the environment's variable FLOOD or few.
func floodOf(t *testing.T) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("FLOOD")); err == nil {
		return n
	}
	if testing.Short() || race.Enabled {
		t.Log("SMALLER: 2,000 messages instead of 3,000, under -short or -race")
		return 2_000
	}
	return 3_000
}

// TestATenantsTroubleIsParkedAndDrained lets a tenant's CRM be down for four hours while the tenant gets messages: the other tenant notices
// nothing, what it costs does not depend on how long it lasts, and everything is delivered afterwards, in order, in few calls. FLOOD is how many
// messages there are.
func TestATenantsTroubleIsParkedAndDrained(t *testing.T) {
	if race.Enabled {
		t.Skip("make test runs it without the detector, and under it the same with processes that die")
	}
	f := flood{messages: floodOf(t), people: 200, lasts: 4 * time.Hour}
	tell := func(name string, f flood) flooded {
		o := f.comes(t)
		t.Logf("%s: live p95 %v in the first minute, %v in all; %d calls to the CRM meanwhile, %d parked, %d calls afterwards (%.4f each), all delivered after %v; %d calls to the store, %d write units, a gate written %d times a second",
			name, o.first, o.all, o.asked, o.parked, o.drained, float64(o.drained)/float64(max(1, o.parked)), o.empty, o.storeCalls, o.writeUnits, o.busiest)
		return o
	}
	well, half, hangs := f, f, f
	well.well, half.lasts, hangs.hangs = true, f.lasts/2, true
	down, calm := tell("down", f), tell("well", well)
	shorter, hanging := tell("down for half as long", half), tell("hanging", hangs)
	for name, o := range map[string]flooded{"down": down, "hanging": hanging} {
		if o.first > calm.first*6/5 || o.all > calm.all*6/5 {
			t.Errorf("%s: live p95 rises from %v and %v to %v and %v", name, calm.first, calm.all, o.first, o.all)
		}
		if o.parked < f.messages*9/10 {
			t.Errorf("%s: only %d of %d were parked", name, o.parked, f.messages)
		}
		if o.drained*20 > o.parked {
			t.Errorf("%s: %d calls to drain %d messages, the bar is 0.05 each", name, o.drained, o.parked)
		}
	}
	if more := down.asked - shorter.asked; more > 200 { // probes: ten calls each quarter of an hour
		t.Errorf("%d calls more to a CRM that is down for twice as long", more)
	}
	if down.writeUnits > shorter.writeUnits*11/10 {
		t.Errorf("%d write units while it is down, %d when that is half as long", down.writeUnits, shorter.writeUnits)
	}
}

// TestATenantsTroubleIsParkedAndDrainedWhateverDies kills connectors, routers and drains of each CRM all along, at any call. Every other CRM hangs,
// the others are down. Its records are then what was sent.
func TestATenantsTroubleIsParkedAndDrainedWhateverDies(t *testing.T) {
	t.Parallel()
	hangs := false
	for _, kind := range slices.Sorted(maps.Keys(plugins.CRMs())) {
		f := flood{crm: kind, messages: floodOf(t), people: 200, lasts: time.Hour, kills: true, hangs: hangs}
		t.Run(kind, func(t *testing.T) {
			o := f.comes(t)
			t.Logf("hangs %t: %d processes died; %d calls to the CRM meanwhile, %d parked, %d calls afterwards (%.4f each), all delivered after %v",
				f.hangs, o.died, o.asked, o.parked, o.drained, float64(o.drained)/float64(max(1, o.parked)), o.empty)
			if o.died < 20 || o.parked < f.messages*8/10 {
				t.Errorf("%d processes died, and %d messages were parked", o.died, o.parked)
			}
		})
		hangs = !hangs
	}
}

// TestAGateIsWrittenFewerThan200TimesASecond although six hundred messages a second are parked behind it, by twenty functions. (At a thousand it is
// 215 times.)
func TestAGateIsWrittenFewerThan200TimesASecond(t *testing.T) {
	t.Parallel()
	f := flood{messages: 1_800, people: 600, lasts: 3 * time.Second}
	o := f.comes(t)
	t.Logf("a gate is written %d times in a second", o.busiest)
	if o.busiest == 0 || o.busiest >= 200 {
		t.Errorf("a gate is written %d times in a second", o.busiest)
	}
}

// tenantsLine is the way to the portals of two tenants: what is for the second is answered by its own.
type tenantsLine struct {
	first, second http.RoundTripper
	hangs         bool

	mu    sync.Mutex
	until time.Time // while the second is in trouble
	calls int       // to the second
}

func (l *tenantsLine) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != secondHost {
		time.Sleep(portalTakes)
		return l.first.RoundTrip(r)
	}
	l.mu.Lock()
	l.calls++
	trouble := time.Now().Before(l.until)
	l.mu.Unlock()
	switch {
	case trouble && l.hangs:
		_ = connector.Wait(r.Context(), attempt)
		return nil, cmp.Or(r.Context().Err(), context.DeadlineExceeded)
	case trouble:
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}
	time.Sleep(batchTakes)
	return l.second.RoundTrip(r)
}

func (l *tenantsLine) counted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

// comes lets it come in virtual time.
func (f flood) comes(t *testing.T) (o flooded) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(300))
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		calls, units, written := 0, 0, map[store.Key]map[int64]int{}
		p := newPipeline(t, options{crm: f.crm, concurrency: connectors, stateFault: func(c memstore.Call) memstore.Fault {
			mu.Lock()
			calls++
			for _, k := range c.Keys {
				if c.Operation == memstore.Write && strings.HasPrefix(k.Partition, "second/gate/") {
					if written[k] == nil {
						written[k] = map[int64]int{}
					}
					written[k][time.Now().Unix()]++
				}
			}
			switch {
			case c.Operation == memstore.Write && len(c.Keys) > 1: // several are a transaction, at twice the price
				units += 2 * len(c.Keys)
			case c.Operation == memstore.Write, c.Operation == memstore.Note:
				units += len(c.Keys)
			}
			mu.Unlock()
			time.Sleep(storeTakes)
			return memstore.None
		}})
		second, portal := p.secondTenant(), p.crm.Simulator(0)
		line := &tenantsLine{first: simulatortest.Transport(p.portal), second: simulatortest.Transport(portal), hangs: f.hangs}
		p.outage.portal = line
		for _, q := range []*memqueue.Queue{p.events, p.deliver} {
			q.Inject(func(c memqueue.Call) memqueue.Fault {
				if c.Operation == memqueue.OperationSend {
					time.Sleep(queueTakes)
				}
				return memqueue.Fault{}
			})
		}
		r := &reaper{random: rand.New(rand.NewPCG(uint64(f.messages), 17)), kills: map[string]int{}, chance: 0.003}
		if f.kills {
			p.startMortal(r)
		} else {
			p.start()
		}
		defer p.halt()
		for n := range f.people { // they are known when it begins
			p.send(message{to: second, number: number(500_000 + n), from: f.sender(n), text: "hello"})
			if n < people {
				p.send(message{number: number(n), from: fmt.Sprintf("+1555201%04d", n), text: "hello"})
			}
			time.Sleep(time.Second)
		}
		p.settled(time.Hour)
		began := time.Now()
		mu.Lock()
		before, spent := calls, units
		mu.Unlock()
		if !f.well {
			line.until = began.Add(f.lasts)
		}
		asked := line.counted()
		var both sync.WaitGroup
		both.Go(func() {
			for n := range live {
				p.send(message{number: number(people + n), from: fmt.Sprintf("+1555201%04d", n%people), text: "hello"})
				time.Sleep(500 * time.Millisecond)
			}
		})
		for n := range f.messages {
			both.Go(func() {
				p.send(message{to: second, number: number(1_000_000 + n), from: f.sender(n), text: "hello"})
			})
			time.Sleep(time.Until(began.Add(f.lasts * time.Duration(n+1) / time.Duration(f.messages))))
		}
		both.Wait()
		mu.Lock()
		o.storeCalls, o.writeUnits = calls-before, units-spent
		mu.Unlock()
		o.parked, o.asked = len(p.parked("second")), line.counted()-asked
		over, drains := time.Now(), line.counted()
		p.settled(24 * time.Hour)
		o.empty, o.drained = time.Since(over).Truncate(time.Second), line.counted()-drains
		if o.died = r.total; !f.kills {
			o.first, o.all = percentiles(t, p.logs.text(), began)
		}
		for _, seconds := range written {
			o.busiest = max(o.busiest, slices.Max(slices.Collect(maps.Values(seconds))))
		}
		p.checkOnce(people+live, func(n int) string { return fmt.Sprint(n % people) })
		f.check(t, p, second, portal)
	})
	return o
}

// sender returns whom the n-th message is of.
func (f flood) sender(n int) string { return fmt.Sprintf("+1555301%04d", n%f.people) }

// check fails the test unless a portal holds each message of the flood once, each thread's in order.
func (f flood) check(t *testing.T, p *pipeline, client *samples.Client, portal http.Handler) {
	t.Helper()
	numbers := make(map[string]int, f.messages)
	for n := range f.messages {
		numbers[client.MessageKey(client.New(samples.Load{Kind: samples.Message, Number: number(1_000_000 + n)}))] = n
	}
	own := p.portal
	p.portal = portal
	defer func() { p.portal = own }()
	last, seen := map[string]int{}, make([]int, f.messages)
	for _, r := range p.messages() { // oldest first
		n, ok := numbers[r.Properties[p.about.Key]]
		if !ok {
			continue // no message of the flood
		}
		seen[n]++
		who := f.sender(n)
		if before, ok := last[who]; ok && before > n {
			t.Errorf("message %d was written after message %d of its thread", n, before)
		}
		last[who] = n
	}
	for n, times := range seen {
		if times != 1 {
			t.Fatalf("message %d is in the CRM %d times", n, times)
		}
	}
}

// percentiles returns the 95th percentile of the times from a webhook to the CRM that the log tells of the demo tenant: in the first minute, and
// in all of the time that live messages come.
func percentiles(t *testing.T, log string, began time.Time) (first, all time.Duration) {
	t.Helper()
	var early, every []time.Duration
	for text := range strings.Lines(log) {
		if !strings.Contains(text, `"EventToCRM":`) {
			continue
		}
		var metric struct {
			AWS struct {
				Timestamp int64
			} `json:"_aws"`
			EventToCRM float64
			Tenant     string
		}
		if err := json.Unmarshal([]byte(text), &metric); err != nil {
			t.Fatal(err)
		}
		at := time.UnixMilli(metric.AWS.Timestamp)
		if metric.Tenant != "demo" || at.Before(began) {
			continue
		}
		took := time.Duration(metric.EventToCRM * float64(time.Millisecond))
		if every = append(every, took); at.Before(began.Add(time.Minute)) {
			early = append(early, took)
		}
	}
	if len(early) < live/3 || len(every) < live {
		t.Fatalf("the log tells of %d messages, %d of them in the first minute", len(every), len(early))
	}
	slices.Sort(early)
	slices.Sort(every)
	return early[len(early)*95/100], every[len(every)*95/100]
}

// TestReceiptsBehindAClosedGateAreShownAfterwards: they wait outside the queue, too, and the furthest is shown once the deliveries are through.
func TestReceiptsBehindAClosedGateAreShownAfterwards(t *testing.T) {
	lanes(t, options{}, func(l *lane) {
		const messages = 30
		l.registered(0, messages)
		l.outage.refuse(l.about.Refusals.Credential, 2*time.Hour)
		l.send(message{number: number(500), from: "+15552010001", text: "hello"})
		time.Sleep(time.Minute)
		want := map[string]string{}
		for n := range messages {
			for _, state := range []string{"read", "sent", "delivered"} {
				l.status(n, state)
			}
			want[l.oursKey(n)] = "read"
		}
		time.Sleep(10 * time.Minute)
		if c := l.updates.Counters(); c.Visible+c.InFlight > 0 || len(l.parked("demo")) != messages+1 {
			t.Errorf("%+v wait in the queue, and %d beside it", c, len(l.parked("demo")))
		}
		l.settled(4 * time.Hour)
		shown := l.shown()
		for key, state := range want {
			if shown[key] != state {
				t.Errorf("message %s is shown as %q", key, shown[key])
			}
		}
		if dead := l.dead(); len(dead) > 0 || len(l.people()) != 1 {
			t.Errorf("dead letters %v, %d people", dead, len(l.people()))
		}
	})
}
