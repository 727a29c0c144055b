package ring1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// mostKills is how often what holds a message is killed at most: the third time is a dead letter, which is its own test.
const mostKills = 2

// reaper decides which calls kill the process that makes them.
type reaper struct {
	mu     sync.Mutex
	random *rand.Rand
	kills  map[string]int // by message
	late   bool           // what a dead process has sent may arrive long after it
	chance float64        // that a call kills, and that it fails; 0 is 6 of 100
	slots  bool           // batches may wait for their invocation until others receive them, too
	total  int
	waited int // batches that waited for longer than the queue hides them
}

// death is how a call ends.
type death uint8

const (
	none    death = iota
	before        // the process dies before the call leaves it
	after         // it dies before the reply arrives
	late          // it dies, and the call arrives when somebody else has long taken over
	refused       // it lives, and the call fails without effect
)

// moved is what the id of an event ends with that went on to the group of another thread.
var moved = regexp.MustCompile(`\.[0-9a-f]{16}$`)

// work returns what a message's claims are counted by: an event's are the same in whichever group it is.
func work(id string) string { return moved.ReplaceAllString(id, "") }

// choose returns how a call of the process that holds these messages ends, and how late.
func (r *reaper) choose(held []string) (death, time.Duration) {
	return r.chooseOf(func() []string { return held })
}

// chooseOf is choose of a process that may hold what it returns.
func (r *reaper) chooseOf(holds func() []string) (death, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch chance, lot := cmp.Or(r.chance, 0.06), r.random.Float64(); {
	case lot > 2*chance:
		return none, 0
	case lot > chance:
		return refused, 0
	}
	held := holds()
	if len(held) == 0 { // a drain of nothing: it would go on dying when the test is over
		return none, 0
	}
	for _, id := range held {
		if r.kills[work(id)] >= mostKills {
			return none, 0
		}
	}
	for _, id := range held {
		r.kills[work(id)]++
	}
	r.total++
	ends := []death{before, after}
	if r.late {
		ends = append(ends, late)
	}
	return ends[r.random.IntN(len(ends))], time.Duration(r.random.Int64N(int64(10 * time.Minute)))
}

// throttled lets a batch wait for its invocation now and then, as a mapping does that is throttled. On AWS it gives up when the
// visibility time-out is over. Here it may be later still: the work begins when others have it, too.
func (r *reaper) throttled() {
	r.mu.Lock()
	wait := time.Duration(0)
	if r.slots && r.random.IntN(8) == 0 {
		wait = time.Duration(r.random.Int64N(int64(visibility + lease)))
	}
	if wait > visibility {
		r.waited++
	}
	r.mu.Unlock()
	time.Sleep(wait)
}

// victim is one process. From its death on none of its calls leaves it.
type victim struct {
	choose    func(held []string) (death, time.Duration) // says how a call ends, and how late
	worker    *queue.Worker
	throttled func() // is called before each batch; may be nil
	mu        sync.Mutex
	held      []string
	dead      bool
}

// call makes a call, or dies of it: the goroutine ends as if the process did, for whatever it still does is a call, too. It
// answers refused if the call was not made.
func (v *victim) call(effect func()) death { return v.endsBy(v.choose, effect) }

func (v *victim) endsBy(choose func(held []string) (death, time.Duration), effect func()) death {
	v.mu.Lock()
	if v.dead {
		v.mu.Unlock()
		runtime.Goexit()
	}
	end, delay := choose(v.held)
	v.dead = end != none && end != refused
	v.mu.Unlock()
	switch end {
	case refused:
	case before:
		runtime.Goexit()
	case late:
		go func() {
			time.Sleep(delay)
			effect()
		}()
		runtime.Goexit()
	default:
		effect()
	}
	v.mu.Lock()
	dead := v.dead // by this call or by another one meanwhile
	v.mu.Unlock()
	if dead {
		runtime.Goexit()
	}
	return end
}

// mortal is a store as a victim sees it.
type mortal struct {
	*memstore.Store
	v *victim
}

// errRefused is the error of a call that had no effect, or that nobody waits for any more.
var errRefused = errors.New("refused")

func (m mortal) Get(ctx context.Context, keys ...store.Key) (records []store.Record, err error) {
	err = errRefused
	m.v.call(func() { records, err = m.Store.Get(ctx, keys...) })
	return records, err
}

func (m mortal) Write(ctx context.Context, changes ...store.Change) (records []store.Record, err error) {
	ctx = context.WithoutCancel(ctx)
	reply := func() { records, err = m.Store.Write(ctx, changes...) }
	if m.v.call(reply) == refused {
		// A release that fails counts as one more death, which would be the third: other tests fail these writes.
		reply()
	}
	return records, err
}

func (m mortal) WriteEach(ctx context.Context, changes ...store.Change) (outcomes []store.Outcome) {
	ctx = context.WithoutCancel(ctx)
	reply := func() { outcomes = m.Store.WriteEach(ctx, changes...) }
	if m.v.call(reply) == refused {
		reply()
	}
	return outcomes
}

func (m mortal) Note(ctx context.Context, pointers ...store.Record) (err error) {
	ctx, err = context.WithoutCancel(ctx), errRefused
	m.v.call(func() { err = m.Store.Note(ctx, pointers...) })
	return err
}

func (m mortal) List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error) {
	err = errRefused
	m.v.call(func() { page, more, err = m.Store.List(ctx, r) })
	return page, more, err
}

// publisher is a queue as a victim sees it.
type publisher struct {
	queue.Publisher
	v *victim
}

func (p publisher) Publish(ctx context.Context, messages ...queue.Message) (err error) {
	ctx, err = context.WithoutCancel(ctx), errRefused
	p.v.call(func() { err = p.Publisher.Publish(ctx, messages...) })
	return err
}

// line to the portal, as a victim sees it. A request that arrives late has nobody waiting.
type lineTo struct {
	portal http.RoundTripper
	v      *victim
	prompt bool // no request arrives late: an older text of a day could come over a newer one, which no CRM can tell
}

func (l lineTo) RoundTrip(r *http.Request) (reply *http.Response, err error) {
	r = r.Clone(context.WithoutCancel(r.Context()))
	err = errRefused
	l.v.endsBy(l.choose, func() { reply, err = l.portal.RoundTrip(r) }) //nolint:bodyclose // the client does
	return reply, err
}

func (l lineTo) choose(held []string) (death, time.Duration) {
	end, delay := l.v.choose(held)
	if end == late && l.prompt {
		end = after
	}
	return end, delay
}

// startMortal runs the pipeline with processes that die. Each poller replaces its process by a new one, with everything in it.
func (p *pipeline) startMortal(r *reaper) {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	route := func(v *victim) *queue.Worker {
		return p.newRoute(mortal{p.state, v}, publisher{p.events, v}, publisher{p.deliver, v})
	}
	connect := func(v *victim) *queue.Worker {
		return p.newConnect(mortal{p.state, v}, lineTo{&p.outage, v, p.timeline != nil})
	}
	for range p.concurrency {
		p.pollMortal(ctx, p.events, func() *victim { return mortalised(r, route) })
		p.pollMortal(ctx, p.deliver, func() *victim { return mortalised(r, connect) })
	}
	p.drainGates(ctx, func(ctx context.Context) {
		v := &victim{choose: func([]string) (death, time.Duration) { return r.chooseOf(p.waitingIDs) }}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = p.newDrain(mortal{p.state, v}, lineTo{&p.outage, v, p.timeline != nil}).Run(ctx)
		}()
		<-ended
	})
	p.poll(ctx, p.eventsDead, p.record)
	p.poll(ctx, p.deliverDead, p.record)
}

// mortalised returns a new process.
func mortalised(r *reaper, worker func(*victim) *queue.Worker) *victim {
	v := &victim{choose: r.choose, throttled: r.throttled}
	v.worker = worker(v)
	return v
}

func (p *pipeline) pollMortal(ctx context.Context, q *memqueue.Queue, spawn func() *victim) {
	p.running.Go(func() {
		var v *victim
		for ctx.Err() == nil {
			batch, _ := q.Receive(ctx, memqueue.Request{Max: 10, Wait: memqueue.MaxWait})
			if len(batch) == 0 {
				continue
			}
			if v == nil || v.dead {
				v = spawn()
			}
			p.workMortal(ctx, v, q, batch)
		}
	})
}

// workMortal has a batch worked on. What a process that died left is neither deleted nor given back: it comes again when its
// visibility time-out is over.
func (p *pipeline) workMortal(ctx context.Context, v *victim, q *memqueue.Queue, batch []memqueue.Delivery) {
	received, ids := make([]queue.Received, len(batch)), make([]string, len(batch))
	for i, d := range batch {
		received[i], ids[i] = d.Received, d.ID
	}
	v.held = ids
	if v.throttled != nil {
		v.throttled()
	}
	invocation, cancel := context.WithTimeout(ctx, functionTime)
	defer cancel()
	var verdicts []queue.Verdict
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		verdicts = v.worker.Process(invocation, received)
	}()
	<-ended
	if v.dead {
		return
	}
	p.settle(ctx, q, batch, verdicts)
}

// TestProcessesMayDieAtAnyCall kills routers and connectors at random calls, before and after the effect, and with effects
// that arrive minutes later, while other calls fail, batches wait for their invocations, and visibility ends during work.
// Whatever they leave, a process that knows nothing of it takes over.
func TestProcessesMayDieAtAnyCall(t *testing.T) {
	t.Parallel()
	seeds := uint64(40)
	if testing.Short() {
		seeds = 6
	}
	total, waited := 0, 0
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipeline(t, options{concurrency: 1 + int(seed%4), quiet: true})
				r := &reaper{random: rand.New(rand.NewPCG(seed, 11)), kills: map[string]int{}, late: seed%2 == 1, slots: seed%3 > 0}
				p.startMortal(r)
				defer p.halt()
				sender := p.conversation(30, 1+int(seed%7))
				p.settled(48 * time.Hour)
				time.Sleep(time.Hour) // what was sent by the dead has arrived
				p.check(30, sender)
				total, waited = total+r.total, waited+r.waited
			})
		})
	}
	if total < int(seeds) || waited < int(seeds) {
		t.Errorf("only %d processes died, and %d batches waited for too long", total, waited)
	}
}

// TestProcessesMayDieWhileTheyParkAndDrain kills connectors and drains at random calls while a tenant's CRM takes nothing, and afterwards.
func TestProcessesMayDieWhileTheyParkAndDrain(t *testing.T) {
	t.Parallel()
	seeds := uint64(20)
	if testing.Short() {
		seeds = 4
	}
	total := 0
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipeline(t, options{concurrency: 1 + int(seed%4), quiet: true})
				r := &reaper{random: rand.New(rand.NewPCG(seed, 13)), kills: map[string]int{}, late: seed%2 == 1, slots: seed%3 > 0}
				if seed%2 == 0 {
					p.outage.refuse(p.about.Refusals.Credential, 3*time.Hour)
				} else {
					p.outage.begin(p.api, http.StatusServiceUnavailable, "", 3*time.Hour)
				}
				p.startMortal(r)
				defer p.halt()
				sender := p.conversation(60, 3+int(seed%7))
				time.Sleep(time.Hour)
				if p.gates() == 0 {
					t.Error("no gate is closed")
				}
				p.settled(48 * time.Hour)
				time.Sleep(time.Hour) // what was sent by the dead has arrived
				p.check(60, sender)
				total += r.total
			})
		})
	}
	if total < int(seeds) {
		t.Errorf("only %d processes died", total)
	}
}
