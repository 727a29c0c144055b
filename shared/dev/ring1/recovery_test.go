package ring1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/dev/local/template"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/race"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/store"
)

// mostHeld is how long a thread may stand still after its function was killed: until an attempt that works begins.
const mostHeld = 45 * time.Second

// standing is how a thread stands when the function that works on it is killed.
type standing struct {
	stage    string        // whose function
	known    bool          // the person wrote before
	messages int           // of the thread, received together; 0 is 1
	people   int           // whose threads are received together, of one message each; 0 is 1
	slow     time.Duration // a call to the portal takes so long
	late     time.Duration // the batch was received so long before it was worked on: its invocation was throttled
	kills    int           // of one function after the other, each at the same call; 0 is 1
	every    int           // so many calls one is killed at; 0 is 1
}

// killing is one standing with its kill, and what it led to.
type killing struct {
	standing
	call  int // of a process, from 1
	after bool

	mu       sync.Mutex
	armed    bool
	waited   bool // the first batch was
	kills    int  // so far
	at       time.Time
	working  map[*victim][]string   // the heads that are worked on
	struck   []string               // those of the process that was killed last
	claimed  map[string]time.Time   // by message, when a connector last claimed it
	attempts map[string][]time.Time // by message, when those that nobody refused began, and came to an end
}

func newKilling(s standing) *killing {
	return &killing{standing: s, working: map[*victim][]string{}, claimed: map[string]time.Time{}, attempts: map[string][]time.Time{}}
}

// spawn returns a process that is killed at its call.
func (k *killing) spawn(worker func(*victim) *queue.Worker) *victim {
	calls := 0
	v := &victim{throttled: k.throttled}
	v.choose = func([]string) (death, time.Duration) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if !k.armed {
			return none, 0
		}
		if calls++; calls != k.call || k.kills >= max(k.standing.kills, 1) {
			return none, 0
		}
		k.kills++
		k.at, k.struck = time.Now(), k.working[v]
		if k.after {
			return after, 0
		}
		return before, 0
	}
	v.worker = worker(v)
	v.worker.Handler = &noting{Handler: v.worker.Handler, k: k, v: v}
	return v
}

// claims is the state table of a connector. It notes attempts: from the claim on, for a batch takes its time.
type claims struct {
	mortal
	k    *killing
	kind string
}

func (c claims) WriteEach(ctx context.Context, changes ...store.Change) []store.Outcome {
	outcomes := c.mortal.WriteEach(ctx, changes...)
	for i, outcome := range outcomes {
		if outcome.Err == nil {
			c.note(changes[i])
		}
	}
	return outcomes
}

func (c claims) note(made store.Change) {
	event, found := strings.CutPrefix(made.Partition, "demo/event/")
	var claim struct {
		State    string
		Advanced bool
	}
	if !found || json.Unmarshal(made.Data, &claim) != nil {
		return
	}
	id := event + "." + c.kind
	c.k.mu.Lock()
	defer c.k.mu.Unlock()
	switch {
	case claim.State == "claimed" && !claim.Advanced:
		c.k.claimed[id] = time.Now()
	case claim.State == "completed" || claim.State == "open":
		c.k.attempts[id] = append(c.k.attempts[id], c.k.claimed[id])
	}
}

// noting notes what is worked on, and attempts that left no claim: a router's, which works on all heads at once, and those that found
// the work done.
type noting struct {
	queue.Handler
	k *killing
	v *victim
}

func (n *noting) Handle(ctx context.Context, heads []queue.Received) []error {
	began, ids := time.Now(), make([]string, len(heads))
	for i, head := range heads {
		ids[i] = head.ID
	}
	n.k.mu.Lock()
	n.k.working[n.v] = ids
	n.k.mu.Unlock()
	errs := n.Handler.Handle(ctx, heads)
	n.k.mu.Lock()
	defer n.k.mu.Unlock()
	for i, err := range errs {
		all := n.k.attempts[ids[i]]
		noted := len(all) > 0 && !all[len(all)-1].Before(began) // by its claim
		if !notBegun(err) && !noted {
			n.k.attempts[ids[i]] = append(all, began)
		}
	}
	return errs
}

// throttled holds the first batch up.
func (k *killing) throttled() {
	k.mu.Lock()
	wait := k.armed && !k.waited
	k.waited = k.waited || wait
	k.mu.Unlock()
	if wait {
		time.Sleep(k.late)
	}
}

// notBegun reports whether an attempt did not begin.
func notBegun(err error) bool {
	return errors.Is(err, queue.ErrNotStarted) || err != nil && fault.Of(err).Code == idempotency.CodeHeld
}

// held returns how long each message stood still that the last kill struck and nobody had done before.
func (k *killing) held(t *testing.T) []time.Duration {
	var held []time.Duration
	for _, id := range k.struck {
		i := slices.IndexFunc(k.attempts[id], func(at time.Time) bool { return !at.Before(k.at) })
		switch {
		case i < 0:
			t.Errorf("call %d: %s was never done after the kill", k.call, id)
		case i == 0:
			held = append(held, k.attempts[id][i].Sub(k.at))
		}
	}
	return held
}

// slowly is a portal that takes its time.
type slowly struct {
	portal http.RoundTripper
	takes  time.Duration
}

func (s slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(s.takes)
	return s.portal.RoundTrip(r)
}

// run kills at a call and returns how long the messages stood still, false if there is no such call.
func (k *killing) run(t *testing.T) (held []time.Duration, ok bool) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipeline(t, options{concurrency: 2, quiet: true})
		ctx, stop := context.WithCancel(context.Background())
		p.stop = stop
		defer p.halt()
		unhurt := newKilling(standing{})
		of := func(stage string) *killing {
			if stage == k.stage {
				return k
			}
			return unhurt
		}
		sent, people := 0, max(k.people, 1)
		from := func(n int) string { return fmt.Sprintf("+1555201%04d", n%people) }
		send := func() {
			p.send(message{number: number(sent), from: from(sent), text: "hello"})
			sent++
		}
		start := func(stage string) {
			for range p.concurrency {
				if stage == "route" {
					p.pollMortal(ctx, p.events, func() *victim {
						return of(stage).spawn(func(v *victim) *queue.Worker {
							return p.newRoute(mortal{p.state, v}, publisher{p.events, v}, publisher{p.deliver, v})
						})
					})
				} else {
					p.pollMortal(ctx, p.deliver, func() *victim {
						return of(stage).spawn(func(v *victim) *queue.Worker {
							return p.newConnect(claims{mortal{p.state, v}, of(stage), p.kind}, lineTo{slowly{&p.outage, k.slow}, v, false})
						})
					})
				}
			}
		}
		for _, stage := range []string{"route", "deliver"} {
			if stage != k.stage || k.known {
				start(stage)
			}
		}
		p.poll(ctx, p.eventsDead, p.record)
		p.poll(ctx, p.deliverDead, p.record)
		if k.known {
			for range people {
				send()
			}
			p.settled(time.Hour)
		}
		k.mu.Lock()
		k.armed = true
		k.mu.Unlock()
		for range max(k.messages, people) {
			send()
		}
		if !k.known { // all are there when the first is received
			time.Sleep(time.Second)
			start(k.stage)
		}
		p.settled(24 * time.Hour)
		p.check(sent, from)
		k.mu.Lock()
		defer k.mu.Unlock()
		held, ok = k.held(t), k.kills > 0
	})
	return held, ok
}

// TestAKilledFunctionHoldsItsThreadsForAtMost45Seconds kills routers and connectors at their calls, before and after, and measures how long
// the messages that they worked on stand still: from the kill until the attempt that works begins, whoever else was refused before.
func TestAKilledFunctionHoldsItsThreadsForAtMost45Seconds(t *testing.T) {
	t.Parallel()
	cases := map[string]standing{
		"a router with a new person":                      {stage: "route"},
		"a router with a known person":                    {stage: "route", known: true},
		"two routers, one after the other":                {stage: "route", kills: 2},
		"three routers: the third had claimed":            {stage: "route", kills: 3},
		"a router whose batch waited":                     {stage: "route", late: 20 * time.Second},
		"a router whose batch waited almost for too long": {stage: "route", late: 40 * time.Second},
		"a connector with a new person":                   {stage: "deliver"},
		"a connector with a known person":                 {stage: "deliver", known: true},
		"two connectors, one after the other":             {stage: "deliver", kills: 2},
		"a connector, far into a long batch":              {stage: "deliver", messages: 5, slow: 2 * time.Second},
		"two connectors, far into a long batch":           {stage: "deliver", messages: 5, slow: 2 * time.Second, kills: 2},
		"a connector with ten threads":                    {stage: "deliver", people: 10, slow: 500 * time.Millisecond, every: 7},
		"a router with ten threads":                       {stage: "route", people: 10},
		"a connector of a slow CRM":                       {stage: "deliver", slow: 4 * time.Second},
		"a connector whose batch waited":                  {stage: "deliver", late: 20 * time.Second},
		"a connector whose batch waited and is long":      {stage: "deliver", late: 20 * time.Second, messages: 5, slow: time.Second},
		"a connector whose batch waited for too long":     {stage: "deliver", late: 45 * time.Second},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var all []time.Duration
			for _, after := range []bool{false, true} {
				for call := 1; ; call += max(c.every, 1) * stride() {
					k := newKilling(c)
					k.call, k.after = call, after
					held, ok := k.run(t)
					if !ok {
						break
					}
					all = append(all, held...)
				}
			}
			if len(all) == 0 {
				t.Fatal("nobody was killed")
			}
			slices.Sort(all)
			longest := all[len(all)-1]
			t.Logf("%d kills: half of the messages stood still for %s, all for at most %s", len(all), all[len(all)/2], longest)
			if longest > mostHeld {
				t.Errorf("a message stood still for %s after its function was killed, more than %s", longest, mostHeld)
			}
		})
	}
}

// stride is how many calls there are from one kill to the next: under the race detector five, for every other test of processes that die runs under
// it, too, and where this one kills decides how long somebody waits and not who runs beside whom.
func stride() int {
	if race.Enabled {
		return 5
	}
	return 1
}

// TestTheTimesAreTheTemplates: what is proved here is proved for what is deployed.
func TestTheTimesAreTheTemplates(t *testing.T) {
	deployed, err := template.Read(filepath.Join("..", "..", "..", "template.yaml"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	compared := map[string]int{}
	for _, f := range deployed.Functions {
		if len(f.Mappings) > 0 {
			compared["functions"]++
		}
		if len(f.Mappings) > 0 && f.Timeout != functionTime {
			t.Errorf("%s has %s, here it is %s", f.LogicalID, f.Timeout, functionTime)
		}
		if kind, drains := strings.CutSuffix(f.LogicalID, "Drain"); drains && plugins.CRMs()[kind].Simulator != nil {
			compared["drains"]++
			if f.Timeout != drainTime {
				t.Errorf("%s has %s, here it is %s", f.LogicalID, f.Timeout, drainTime)
			}
		}
		if l, ok := f.Environment["CLAIM_LEASE_SECONDS"]; ok {
			compared["leases"]++
			if l == strconv.Itoa(int(lease.Seconds())) {
				continue
			}
			t.Errorf("%s claims for %s s, here it is %s", f.LogicalID, l, lease)
		}
	}
	for _, q := range deployed.Queues {
		if q.FIFO {
			compared["queues"]++
		}
		if q.FIFO && q.Visibility != visibility {
			t.Errorf("%s hides messages for %s, here it is %s", q.LogicalID, q.Visibility, visibility)
		}
	}
	for _, what := range []string{"functions", "drains", "leases", "queues"} {
		if compared[what] == 0 {
			t.Errorf("the template has no %s to compare", what)
		}
	}
}
