package ring1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/deadletter"
	"signalbox/functions/router"
	"signalbox/shared/audit"
	letters "signalbox/shared/deadletter"
	"signalbox/shared/dev/race"
	"signalbox/shared/envelope"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// operator is who runs make redrive: he asks each function as the tool does.
type operator struct {
	*pipeline
	redriver *deadletter.Redriver
	reparser *adapter.Reparser
	replayer *router.Replayer
	mu       sync.Mutex
	sent     []string // ids of messages that were accepted by a queue
}

func newOperator(p *pipeline) *operator {
	o := &operator{pipeline: p}
	queues := map[string]queue.Publisher{"route": p.events, "deliver-" + p.kind: p.deliver}
	o.redriver = deadletter.NewRedriver(p.state, tenant.NewBindings(p.config), queues, 3*time.Second, p.logger, p.meter)
	o.reparser = adapter.NewReparser(p.adapter, p.state, p.spool)
	o.replayer = router.NewReplayer(p.ring, p.state, tenant.NewBindings(p.config), p.events, 3*time.Second, p.logger, p.meter)
	watch := func(c memqueue.Call) memqueue.Fault {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, m := range c.Messages {
			if c.Operation == memqueue.OperationSend {
				o.sent = append(o.sent, m.ID)
			}
		}
		return memqueue.Fault{}
	}
	p.events.Inject(watch)
	p.deliver.Inject(watch)
	return o
}

func asked(action string, ids ...string) redrive.Common {
	return redrive.Common{Action: action, Tenant: "demo", IDs: ids, By: "ops", Reason: "ticket 7"}
}

// ask redrives, and has parsed again what is to be.
func (o *operator) ask(q redrive.Request) redrive.Result {
	o.t.Helper()
	answer, err := o.redriver.Redrive(context.Background(), q)
	if err != nil || len(answer.Problems) > 0 {
		o.t.Fatal(err, answer.Problems)
	}
	ids := answer.Parse[o.provider]
	if len(ids) == 0 {
		return answer
	}
	again := q.Common
	again.IDs = ids
	parsed, err := o.reparser.Reparse(context.Background(), again)
	if err != nil || len(parsed.Problems) > 0 {
		o.t.Fatal(err, parsed.Problems)
	}
	return parsed
}

// all chooses every dead letter of the tenant that was not settled.
func (o *operator) all(action string) redrive.Result {
	o.t.Helper()
	return o.ask(redrive.Request{Common: asked(action), Filter: &redrive.Filter{}})
}

// letter returns the tenant's only dead letter.
func (o *operator) letter() letters.Record {
	o.t.Helper()
	var found []letters.Record
	for record := range o.state.All() {
		if strings.HasPrefix(record.Sort, "dead/") {
			if rec, ok := letters.Read(record); ok {
				found = append(found, rec)
			}
		}
	}
	if len(found) != 1 {
		o.t.Fatalf("%d dead letters\n%s", len(found), o.logs.text())
	}
	return found[0]
}

// outcomes returns how often each outcome is in an answer.
func outcomes(a redrive.Result) string {
	var out []string
	for _, outcome := range slices.Sorted(maps.Keys(a.Counts)) {
		out = append(out, fmt.Sprintf("%d %s", a.Counts[outcome], outcome))
	}
	return strings.Join(out, ", ")
}

// trouble is what makes a message a dead letter at a stage, and what ends it.
type trouble struct {
	name  string
	stage string
	to    string // the line that the message is sent to
	begin func(*operator)
	end   func(*operator)
	again string // the outcome of a second redrive, by the dead letter's name
	slow  bool   // it takes longer than a queue remembers ids
}

const unowned = "+15550009999"

// troubles of every stage. With crash the router panics.
func troubles(kind string, crash *atomic.Bool) []trouble {
	return []trouble{
		{"receive", letters.StageReceive, unowned, func(*operator) {}, func(o *operator) {
			f := o.file
			f.Lines = append(slices.Clone(f.Lines), f.Lines[0])
			added := &f.Lines[len(f.Lines)-1]
			added.ID, added.Address = "added", unowned
			if _, err := tenant.Publish(o.t.Context(), o.config, o.box, o.peppers, f); err != nil {
				o.t.Fatal(err)
			}
			time.Sleep(time.Minute) // an unknown line is remembered for half of it
		}, "1 redriven", false},
		{"route", letters.StageRoute, "", func(*operator) { crash.Store(true) }, func(*operator) { crash.Store(false) }, "1 redriven", false},
		{"deliver to a kind that is mistyped", letters.StageDeliver(kind), "", func(o *operator) { o.bind(o.kind + "x") }, func(o *operator) { o.bind(o.kind) }, "1 completed", true},
		{"deliver", letters.StageDeliver(kind), "", func(o *operator) {
			o.outage.refuse(o.about.Refusals.Data, 365*24*time.Hour)
		}, func(o *operator) { o.outage.begin("", 0, "", 0) }, "1 completed", false},
		{"deliver after ten days of failing", letters.StageDeliver(kind), "", func(o *operator) {
			o.outage.begin(o.api, http.StatusServiceUnavailable, "", 365*24*time.Hour)
		}, func(o *operator) { // the first try fails once more, so that it is seen whether it may be tried again
			o.outage.begin(o.api, http.StatusServiceUnavailable, "", time.Second)
		}, "1 completed", true},
	}
}

// bind changes the kind of the tenant's CRM, past what refuses one that nothing serves, and waits until it is in force.
func (o *operator) bind(kind string) {
	f := o.file
	f.Tenant.CRMs = slices.Clone(f.Tenant.CRMs)
	f.Tenant.CRMs[0].Kind = kind
	if _, err := tenant.Publish(o.t.Context(), o.config, o.box, o.peppers, f); err != nil {
		o.t.Fatal(err)
	}
	time.Sleep(tenant.Fresh + time.Second)
}

func TestRedriveAtEveryStage(t *testing.T) {
	t.Parallel()
	waits := map[string]time.Duration{"within five minutes of the first send": 0, "on day 20": 20 * 24 * time.Hour, "on day 50": 50 * 24 * time.Hour}
	if race.Enabled {
		t.Log("SMALLER: within five minutes alone, under -race")
		clear(waits)
		waits["within five minutes of the first send"] = 0
	}
	for name, wait := range waits {
		for i := range troubles(firstCRM(t), nil) {
			t.Run(troubles(firstCRM(t), nil)[i].name+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { redriveOnce(t, i, wait) })
			})
		}
	}
}

func redriveOnce(t *testing.T, which int, wait time.Duration) {
	var crash atomic.Bool
	p := newPipeline(t, options{stateFault: func(c memstore.Call) memstore.Fault {
		if crash.Load() && c.Operation == memstore.Get && len(c.Keys) > 0 && c.Keys[0].Sort == "head" {
			panic("a defect of the router")
		}
		return memstore.None
	}})
	o, trouble := newOperator(p), troubles(p.kind, &crash)[which]
	p.start()
	trouble.begin(o)
	began := time.Now()
	if status := p.send(message{number: number(0), from: "+15552010001", line: trouble.to, text: "hello"}); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	p.settled(11 * 24 * time.Hour)
	rec := o.letter()
	if rec.Stage != trouble.stage || rec.State != letters.Open || len(p.messages()) > 0 {
		t.Fatalf("the dead letter is of %s, state %q", rec.Stage, rec.State)
	}
	if wait > 0 { // nothing polls meanwhile: it would take the test minutes
		p.halt()
		time.Sleep(wait)
		p.start()
	}
	defer p.halt()
	trouble.end(o)
	if took := time.Since(began); wait == 0 && !trouble.slow && took > 5*time.Minute {
		t.Errorf("it took %v to fail: this is not within five minutes", took)
	}
	o.sent = nil
	if plan := o.all(redrive.Plan); outcomes(plan) != "1 ready" || len(o.sent) > 0 {
		t.Errorf("the plan is %q, and sent %v", outcomes(plan), o.sent)
	}
	if done := o.all(redrive.Redrive); outcomes(done) != "1 redriven" || done.Items[0].Generation != 1 {
		t.Fatalf("redrive: %+v\n%s", done, p.logs.text())
	}
	p.settled(time.Hour)
	p.once(1)
	for _, id := range o.sent {
		if !strings.HasSuffix(id, ":1") {
			t.Errorf("%s was sent without its generation", id)
		}
	}
	rec = o.letter()
	if rec.State != letters.Redriven || rec.RedrivenAs != 1 || time.Since(rec.SettledAt) > time.Hour {
		t.Errorf("the dead letter is %q since %v", rec.State, rec.SettledAt)
	}
	if left := o.all(redrive.Plan); len(left.Items) > 0 {
		t.Errorf("it is still listed: %+v", left)
	}
	replayed := "1 redriven"
	if trouble.stage == letters.StageDeliver(p.kind) && wait > 34*24*time.Hour { // it was routed so long ago
		replayed = "1 too_old"
	}
	o.againWithoutEffect(name(rec), trouble.again, replayed)
}

// againWithoutEffect redrives by name what was redriven, and replays it, twice each.
func (o *operator) againWithoutEffect(id, want, replayed string) {
	o.t.Helper()
	for range 2 {
		if again := o.ask(redrive.Request{Common: asked(redrive.Redrive, id)}); outcomes(again) != want {
			o.t.Errorf("again: %q, not %q", outcomes(again), want)
		}
	}
	o.settled(time.Hour)
	o.once(1)
	for range 2 {
		answer, err := o.replayer.Replay(context.Background(), redrive.ReplayRequest{Common: asked(redrive.Replay)})
		if err != nil || outcomes(answer) != replayed {
			o.t.Errorf("replay: %v %+v", err, answer)
		}
	}
	o.settled(time.Hour)
	o.once(1)
	if left := o.all(redrive.Plan); len(left.Items) > 0 {
		o.t.Errorf("something became a dead letter: %+v", left)
	}
	entries, err := audit.Of(o.state, "demo", redrive.AuditChain).Entries(context.Background())
	if err != nil || len(entries) < 5 || entries[0].Reason != "ticket 7" {
		o.t.Errorf("the audit chain: %v %+v", err, entries)
	}
	if strings.Contains(o.logs.text(), "+15552010001") {
		o.t.Error("the logs hold the person's number")
	}
}

// name returns what a dead letter is asked for by.
func name(rec letters.Record) string {
	if rec.EventID != "" {
		return rec.EventID
	}
	return rec.ID
}

// once fails unless the portal holds n messages of one person, each once.
func (p *pipeline) once(n int) {
	p.t.Helper()
	seen := map[string]int{}
	for _, c := range p.messages() {
		seen[c.Properties[p.about.Key]]++
	}
	for k, times := range seen {
		if times != 1 {
			p.t.Errorf("%s was written %d times", k, times)
		}
	}
	if len(seen) != n {
		p.t.Errorf("%d messages\n%s", len(seen), p.logs.text())
	}
	for _, object := range p.about.People {
		if held := len(p.held(object)); held != 1 {
			p.t.Errorf("%d %s\n%s", held, object, p.logs.text())
		}
	}
}

func TestAThreadIsRedrivenOldestFirst(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		o := newOperator(p)
		const count = 12
		p.outage.refuse(p.about.Refusals.Data, time.Hour)
		thread := ""
		for n := range count {
			p.send(message{number: number(n), from: "+15552010001", text: fmt.Sprint(n)})
			p.settled(time.Hour)
			time.Sleep(time.Second)
		}
		for record := range p.state.All() {
			if rec, ok := letters.Read(record); ok && strings.HasPrefix(record.Sort, "dead/") {
				thread = rec.Group
			}
		}
		// The first one fails again, so that it is the last that was given up.
		first := o.all(redrive.Plan).Items[0]
		if got := o.ask(redrive.Request{Common: asked(redrive.Redrive, first.ID)}); outcomes(got) != "1 redriven" {
			t.Fatal(outcomes(got))
		}
		p.settled(time.Hour)
		p.outage.begin("", 0, "", 0)
		q := redrive.Request{Common: asked(redrive.Redrive), Filter: &redrive.Filter{Thread: thread}, Limit: 5}
		for requests := 0; ; requests++ {
			answer := o.ask(q)
			if answer.Counts[redrive.Redriven] != len(answer.Items) || requests > 3 {
				t.Fatalf("request %d: %+v", requests, answer)
			}
			if !answer.More {
				break
			}
			q.After = answer.Next
		}
		p.settled(time.Hour)
		var got, want []string
		for _, c := range p.messages() {
			got = append(got, c.Properties[p.about.Key])
		}
		for n := range count {
			want = append(want, p.key(n))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the order differs (-want +got): %s", diff)
		}
	})
}

func TestReplayGoesThroughAllThreadsOrOne(t *testing.T) {
	t.Parallel()
	run(t, options{}, func(t *testing.T, p *pipeline) {
		o := newOperator(p)
		for n := range 30 {
			p.send(message{number: number(n), from: fmt.Sprintf("+1555201%04d", n%10), text: "hello"})
			time.Sleep(time.Second)
		}
		p.settled(time.Hour)
		o.sent = nil
		replay := func(q redrive.ReplayRequest) map[string]int {
			events := map[string]int{}
			for requests := 0; ; requests++ {
				answer, err := o.replayer.Replay(t.Context(), q)
				if err != nil || requests > 20 || len(answer.Problems) > 0 {
					t.Fatal(err, answer.Problems)
				}
				for _, item := range answer.Items {
					events[item.ID]++
				}
				if q.After = answer.Next; !answer.More {
					return events
				}
			}
		}
		all := replay(redrive.ReplayRequest{Common: asked(redrive.Replay), Limit: 7})
		p.settled(time.Hour)
		if len(all) != 30 || slices.Max(slices.Collect(maps.Values(all))) != 1 {
			t.Errorf("%d events were replayed: %v", len(all), all)
		}
		if len(p.messages()) != 30 || len(p.people()) != 10 {
			t.Errorf("%d messages and %d people", len(p.messages()), len(p.people()))
		}
		marked := 0
		for _, id := range o.sent {
			if strings.HasSuffix(id, "."+p.kind+":1") {
				marked++
			}
		}
		if marked != 30 {
			t.Errorf("%d deliveries went out again", marked)
		}
		for record := range p.state.All() {
			if shard, thread := strings.Contains(record.Partition, "/threads/"), record.Sort; shard {
				one := replay(redrive.ReplayRequest{Common: asked(redrive.Plan), Thread: thread, Limit: 2})
				if len(one) != 3 {
					t.Errorf("thread %s has %d events", thread, len(one))
				}
			}
		}
		later := replay(redrive.ReplayRequest{Common: asked(redrive.Plan), From: time.Now().Add(time.Hour)})
		if len(later) > 0 {
			t.Errorf("%d events of the future", len(later))
		}
		time.Sleep(35 * 24 * time.Hour)
		old, err := o.replayer.Replay(t.Context(), redrive.ReplayRequest{Common: asked(redrive.Replay, slices.Sorted(maps.Keys(all))[0])})
		if err != nil || outcomes(old) != "1 too_old" {
			t.Errorf("%v %q", err, outcomes(old))
		}
	})
}

func TestReplayTriesAgainWhatWasGivenUp(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		o := newOperator(p)
		p.outage.refuse(p.about.Refusals.Data, time.Hour)
		p.send(message{number: number(0), from: "+15552010001", text: "hello"})
		p.settled(time.Hour)
		p.outage.begin("", 0, "", 0)
		answer, err := o.replayer.Replay(t.Context(), redrive.ReplayRequest{Common: asked(redrive.Replay)})
		if err != nil || outcomes(answer) != "1 redriven" {
			t.Fatal(err, answer)
		}
		p.settled(time.Hour)
		p.once(1)
		if plan := o.all(redrive.Plan); outcomes(plan) != "1 completed" {
			t.Errorf("the plan is %q", outcomes(plan))
		}
		if done := o.all(redrive.Redrive); outcomes(done) != "1 completed" || o.letter().State != letters.Completed {
			t.Errorf("redrive: %q, the dead letter is %q", outcomes(done), o.letter().State)
		}
		if plan := o.all(redrive.Plan); len(plan.Items) > 0 {
			t.Errorf("it is still listed: %+v", plan)
		}
	})
}

// TestAReplayedEventIsMarked looks at what travels.
func TestAReplayedEventIsMarked(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		o := newOperator(p)
		p.send(message{number: number(0), from: "+15552010001", text: "hello"})
		p.settled(time.Hour)
		time.Sleep(time.Second) // virtual, and perhaps the first: a replay is of what came before the instant it is asked for
		var bodies [][]byte
		p.deliver.Inject(func(c memqueue.Call) memqueue.Fault {
			for _, m := range c.Messages {
				if c.Operation == memqueue.OperationSend {
					bodies = append(bodies, m.Body)
				}
			}
			return memqueue.Fault{}
		})
		if _, err := o.replayer.Replay(t.Context(), redrive.ReplayRequest{Common: asked(redrive.Replay)}); err != nil {
			t.Fatal(err)
		}
		p.settled(time.Hour)
		if len(bodies) != 1 {
			t.Fatalf("%d deliveries", len(bodies))
		}
		var d struct {
			Generation int
			Event      struct {
				Flags    struct{ Replayed bool }
				Metadata map[string]json.RawMessage
			}
		}
		body, _, err := envelope.Open(t.Context(), p.ring, bodies[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body, &d); err != nil || d.Generation != 1 || !d.Event.Flags.Replayed || d.Event.Metadata["rawVendor"] != nil {
			t.Errorf("%v %+v", err, d)
		}
		page, _, err := p.state.List(t.Context(), store.Range{Partition: "demo/audit/" + redrive.AuditChain})
		if err != nil || len(page) != 2 {
			t.Errorf("%v: %d records of the audit chain", err, len(page))
		}
	})
}

// failing lets a call to a store or queue fail, before or after its effect, while it is armed.
type failing struct {
	mu    sync.Mutex
	armed bool
	left  int // calls until then
	after bool
	hit   bool
}

// now reports whether the call that is being made fails, and when.
func (f *failing) now() (fails, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed {
		return false, false
	}
	f.left--
	f.hit = f.hit || f.left == 0
	return f.left == 0, f.after
}

func (f *failing) arm(armed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = armed
}

// TestARedriveThatFailsAnywhereCanBeAskedForAgain fails each call of a redrive, before and after its effect.
func TestARedriveThatFailsAnywhereCanBeAskedForAgain(t *testing.T) {
	for i := range troubles(firstCRM(t), nil)[:3] {
		t.Run(troubles(firstCRM(t), nil)[i].name, func(t *testing.T) {
			calls := 0
			for hit := true; hit; {
				calls++
				for _, after := range []bool{false, true} {
					f := &failing{left: calls, after: after}
					synctest.Test(t, func(t *testing.T) { redriveThroughFailure(t, i, f) })
					hit = f.hit
				}
			}
			if calls < 6 {
				t.Errorf("only %d calls were seen", calls)
			}
		})
	}
}

func redriveThroughFailure(t *testing.T, which int, f *failing) {
	var crash atomic.Bool
	storeFault := func(c memstore.Call) memstore.Fault {
		if crash.Load() && c.Operation == memstore.Get && len(c.Keys) > 0 && c.Keys[0].Sort == "head" {
			panic("a defect of the router")
		}
		switch fails, after := f.now(); {
		case fails && after:
			return memstore.After
		case fails:
			return memstore.Before
		}
		return memstore.None
	}
	p := newPipeline(t, options{stateFault: storeFault, spoolFault: storeFault})
	o, trouble := newOperator(p), troubles(p.kind, &crash)[which]
	queueFault := func(c memqueue.Call) memqueue.Fault {
		if c.Operation != memqueue.OperationSend {
			return memqueue.Fault{}
		}
		switch fails, after := f.now(); {
		case fails && after:
			return memqueue.Fault{After: errors.New("the answer was lost")}
		case fails:
			return memqueue.Fault{Before: errors.New("down")}
		}
		return memqueue.Fault{}
	}
	p.events.Inject(queueFault)
	p.deliver.Inject(queueFault)
	p.start()
	defer p.halt()
	trouble.begin(o)
	p.send(message{number: number(0), from: "+15552010001", line: trouble.to, text: "hello"})
	p.settled(time.Hour)
	id := name(o.letter())
	trouble.end(o)
	f.arm(true)
	answer, err := o.redriver.Redrive(t.Context(), redrive.Request{Common: asked(redrive.Redrive), Filter: &redrive.Filter{}})
	if err == nil && len(answer.Parse) > 0 {
		_, _ = o.reparser.Reparse(t.Context(), asked(redrive.Redrive, id)) // it may fail: then it is asked again
	}
	f.arm(false)
	p.settled(time.Hour)
	o.all(redrive.Redrive)
	p.settled(time.Hour)
	p.once(1)
	if o.letter().State == letters.Open {
		t.Errorf("call %d, after %v: the dead letter is still open", f.left, f.after)
	}
}
