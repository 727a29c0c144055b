package local_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/shared/deadletter"
	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/race"
	"signalbox/shared/dev/samples"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/store"

	"github.com/google/go-cmp/cmp"
)

// quick are the template's times, far shorter: a message whose function was killed comes back when its visibility time-out ends. They
// nest as the real ones do.
func quick() map[string]string {
	return map[string]string{
		"WebhookTimeoutSeconds": "5", "CrmAttemptSeconds": "1", "MessageSeconds": "1.4", "SoftMarginSeconds": "0.3",
		"FunctionTimeoutSeconds": "2", "ClaimLeaseSeconds": "2.1", "VisibilitySeconds": "2.2", "BackoffMinSeconds": "0.05",
		"BackoffMaxSeconds": "0.5", "PatienceSeconds": "600", "BlockedWaitSeconds": "0.5",
		"ReceiptsWindowSeconds": "0.2", "ReceiptsVisibilitySeconds": "2.4",
	}
}

// clouds is how many run side by side: most of a run is waiting.
const clouds = 6

// scenario is something that is done with the functions of which it is about. What it leaves is the same whatever is killed.
type scenario struct {
	name      string
	functions []string
	do        func(ctx context.Context, w *world)
}

// boundary is where one run kills.
type boundary struct {
	kill
	scenario scenario
	call     cloud.Call
	leaves   map[string]int // what the clean run left
}

func (b boundary) String() string {
	when := "before"
	if b.After {
		when = "after"
	}
	return fmt.Sprintf("%s: %s killed %s call %d, %s %s", b.scenario.name, b.Function, when, b.Call, b.call.Service, b.call.Operation)
}

// world is one local cloud with the messages that were sent to it.
type world struct {
	*testing.T
	*local.Cloud
	client *samples.Client
	plan   *plan
	number int // of the cloud
	sent   []samples.Sample

	broken, applied int // messages and tenant files so far
}

func newWorld(t *testing.T, number int, o local.Options) *world {
	t.Helper()
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	observer := &plan{}
	o.Root, o.Hooks.Observer, o.Built = root, observer, true
	o.LogFile = fmt.Sprintf("test-%s-%d.log", strings.ToLower(t.Name()), number)
	c, err := local.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	observer.cloud = c
	client, err := samples.NewClient(root, plugins.Channels(), c.Target())
	if err != nil {
		t.Fatal(err)
	}
	return &world{T: t, Cloud: c, client: client, plan: observer, number: number}
}

// sample is a message of a person who was never seen.
func (w *world) sample() samples.Sample {
	n := len(w.sent) + 1
	id := fmt.Sprintf("SM%016d%016d", w.number, n)
	return samples.Sample{
		Name: id, Path: "/v1/accounts/demo-twilio/twilio/messages",
		Form: [][2]string{
			{"MessageSid", id},
			{"AccountSid", "AC00000000000000000000000000000de0"},
			{"From", fmt.Sprintf("+1555%03d%04d", 300+w.number, n)},
			{"To", "+15557654321"},
			{"Body", "Is this still available?"},
			{"NumMedia", "0"},
		},
	}
}

// outreach is what a sales tool sent a minute ago to whoever a sample is from.
func (w *world) outreach(to samples.Sample) samples.Sample {
	return w.client.New(samples.Load{
		Kind: samples.Outreach, Number: "out-" + w.client.ID(to), Person: to.Form[2][1], Sent: time.Now().Add(-time.Minute),
	})
}

// event is a message that a program tells, of a person who was never seen.
func (w *world) event() samples.Sample {
	n := len(w.sent) + 1
	id := fmt.Sprintf("evt-%d-%d", w.number, n)
	body := fmt.Sprintf(`{"eventId":%q,"channel":"rcs","direction":"inbound","sender":{"phone":"+1555%03d%04d"},`+
		`"recipient":{"phone":"+15557654321"},"message":{"text":"Is this still available?"}}`, id, 400+w.number, n)
	return samples.Sample{Name: id, Path: "/v1/accounts/demo-edge/edge/events", JSON: []byte(body)}
}

// send sends a new message as a client that tries again does.
func (w *world) send(ctx context.Context) {
	w.Helper()
	w.deliver(ctx, w.sample())
}

// deliver sends a webhook until it is accepted.
func (w *world) deliver(ctx context.Context, s samples.Sample) {
	w.Helper()
	w.sent = append(w.sent, s)
	for range 10 {
		status, err := w.client.Send(ctx, s)
		if err == nil && status/100 == 2 {
			return
		}
	}
	w.Error("the webhook was never accepted")
}

// invoke invokes a function until it succeeds, as whoever invokes it would.
func (w *world) invoke(ctx context.Context, function string, event any) []byte {
	w.Helper()
	payload, err := json.Marshal(event)
	if err != nil {
		w.Fatal(err)
	}
	for range 10 {
		if answer, failed, err := w.Invoke(ctx, function, payload); err == nil && failed == "" {
			return answer
		}
	}
	w.Errorf("%s never succeeded", function)
	return nil
}

// warm sends a first message, for which connectors ask for sessions: they share them, so that no later message does, and ask
// once a minute at most, so that a kill in the middle of that is waited for longer than a test waits. The connector's own
// tests kill there.
func (w *world) warm(ctx context.Context) {
	w.Helper()
	w.send(ctx)
	w.rest(ctx)
}

func (w *world) rest(ctx context.Context) {
	w.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !w.empty() {
		select {
		case <-ctx.Done():
			w.Error("the queues did not become empty")
			return
		case <-tick.C:
		}
	}
}

func (w *world) empty() bool {
	for _, id := range w.Queues() {
		if n := w.Queue(id).Counters(); n.Visible+n.InFlight > 0 {
			return false
		}
	}
	return true
}

// held counts the records of every object in every CRM, the dead letters recorded and sent, and the tenant's versions.
func (w *world) held(ctx context.Context) map[string]int {
	w.Helper()
	counts := map[string]int{}
	for crm := range w.CRMs {
		for _, object := range w.Simulated[crm].Objects {
			records, err := w.client.Records(ctx, crm, object)
			if err != nil {
				w.Fatal(err)
			}
			counts[crm+" "+object] = len(records)
		}
	}
	for _, tenant := range []string{"_", "demo"} {
		counts["recorded dead letters"] += w.count(ctx, "StateTable", store.Range{Partition: deadletter.Day(tenant, time.Now())})
	}
	counts["tenant versions"] = w.count(ctx, "ConfigTable", store.Range{Partition: "demo/config", Prefix: "v/"})
	counts["spooled"] = 0
	for shard := range 16 {
		counts["spooled"] += w.count(ctx, "SpoolTable", store.Range{Partition: fmt.Sprintf("spool/%d", shard)})
	}
	for _, id := range w.Queues() {
		if strings.HasSuffix(id, "DeadLetters") {
			counters := w.Queue(id).Counters()
			counts["sent dead letters"] += counters.Sent + counters.MovedIn
		}
	}
	return counts
}

func (w *world) count(ctx context.Context, table string, r store.Range) int {
	w.Helper()
	page, more, err := w.Table(table).List(ctx, r)
	if err != nil || more {
		w.Fatal("the records cannot be counted", err)
	}
	return len(page)
}

// once reports whether every CRM shows once what was sent last.
func (w *world) once(ctx context.Context) bool {
	w.Helper()
	return len(w.sent) == 0 || w.shown(ctx, w.sent[len(w.sent)-1])
}

// shown reports whether every CRM shows once what a sample leads to.
func (w *world) shown(ctx context.Context, s samples.Sample) bool {
	w.Helper()
	for crm := range w.CRMs {
		n, shows := 0, w.client.Shows(crm, s)
		for _, object := range w.Simulated[crm].Objects {
			records, err := w.client.Records(ctx, crm, object)
			if err != nil {
				w.Fatal(err)
			}
			for _, r := range records {
				if shows(r) {
					n++
				}
			}
		}
		if n != 1 {
			return false
		}
	}
	return true
}

// difference returns what was added.
func difference(before, after map[string]int) map[string]int {
	added := map[string]int{}
	for name, n := range after {
		if n != before[name] {
			added[name] = n - before[name]
		}
	}
	return added
}

// play does a scenario with cold functions while one of them is killed, perhaps, and returns what it left.
func (w *world) play(ctx context.Context, s scenario, k kill) (left map[string]int, killed bool, calls []cloud.Call) {
	w.Helper()
	w.Recycle()
	before := w.held(ctx)
	w.plan.arm(k)
	s.do(ctx, w)
	w.rest(ctx)
	killed, calls = w.plan.disarm()
	return difference(before, w.held(ctx)), killed, calls
}

// boundaries returns every call that the scenario's functions make, twice: a kill before and one after.
func (w *world) boundaries(ctx context.Context, s scenario) []boundary {
	w.Helper()
	left, _, calls := w.play(ctx, s, kill{})
	seen := map[string]int{}
	var out []boundary
	for _, call := range calls {
		f := call.Function()
		seen[f]++
		if !slices.Contains(s.functions, f) {
			continue
		}
		for _, after := range []bool{false, true} {
			out = append(out, boundary{kill{Function: f, Call: seen[f], After: after}, s, call, left})
		}
	}
	for _, f := range s.functions {
		if seen[f] == 0 {
			w.Errorf("%s: %s made no call", s.name, f)
		}
	}
	w.Logf("%s: calls %v, leaves %v", s.name, seen, left)
	return out
}

// run kills at a boundary and compares what is left with the clean run.
func (w *world) run(ctx context.Context, b boundary) {
	w.Helper()
	left, killed, _ := w.play(ctx, b.scenario, b.kill)
	if !killed {
		w.Logf("%s: there was no such call this time", b)
	}
	if diff := cmp.Diff(b.leaves, left); diff != "" {
		w.Errorf("%s: what is left differs from the clean run (-want +got): %s", b, diff)
	}
	if !w.once(ctx) {
		w.Errorf("%s: the message is not in every CRM once", b)
	}
}

func scenarios() []scenario {
	return []scenario{
		{"a webhook", []string{"twilioReceive", "Route", "hubspotDeliver", "salesforceDeliver"}, func(ctx context.Context, w *world) { w.send(ctx) }},
		{"a webhook while the queue is down", []string{"twilioReceive", "SpoolDrain"}, func(ctx context.Context, w *world) {
			down := &memqueue.Error{Code: memqueue.CodeInternal, Reason: "down"}
			w.Queue("EventsQueue").Inject(func(c memqueue.Call) memqueue.Fault {
				if c.Operation == memqueue.OperationSend {
					return memqueue.Fault{Before: down}
				}
				return memqueue.Fault{}
			})
			w.send(ctx)
			w.Queue("EventsQueue").Inject(nil)
			for range 10 { // as the schedule does: one that is short of time leaves the rest to the next
				if w.invoke(ctx, "SpoolDrain", map[string]any{}); w.held(ctx)["spooled"] == 0 {
					break
				}
			}
		}},
		{"a status callback", []string{"twilioReceive", "RouteReceipts", "hubspotReceipts", "salesforceReceipts"}, func(ctx context.Context, w *world) {
			s := w.sample()
			s.Path, s.Shows = "/v1/accounts/demo-twilio/twilio/status", "delivered"
			s.Form[2], s.Form[3] = [2]string{"To", s.Form[2][1]}, [2]string{"From", s.Form[3][1]}
			s.Form[4], s.Form[5] = [2]string{"MessageStatus", s.Shows}, [2]string{"SmsStatus", s.Shows}
			if err := w.client.Register(ctx, s); err != nil {
				w.Fatal(err)
			}
			w.deliver(ctx, s)
			w.rest(ctx)
			if !w.shown(ctx, s) {
				w.Errorf("not every CRM shows message %s once as %s", w.client.ID(s), s.Shows)
			}
		}},
		{"a reply", []string{"outreachReceive", "Route", "hubspotDeliver", "salesforceDeliver"}, func(ctx context.Context, w *world) {
			message := w.sample()
			outreach := w.outreach(message)
			w.deliver(ctx, outreach)
			w.rest(ctx)
			w.deliver(ctx, message)
			w.rest(ctx)
			if !w.shown(ctx, outreach) {
				w.Errorf("not every CRM shows that %s was answered", w.client.ID(outreach))
			}
		}},
		{"an event through the door", []string{"edgeReceive"}, func(ctx context.Context, w *world) {
			s := w.event()
			w.deliver(ctx, s)
			w.rest(ctx)
			if !w.shown(ctx, s) {
				w.Errorf("not every CRM shows event %s once", w.client.ID(s))
			}
		}},
		{"an outreach that is told of after its reply", []string{"Route"}, func(ctx context.Context, w *world) {
			message := w.sample()
			w.deliver(ctx, message)
			w.rest(ctx)
			w.deliver(ctx, w.outreach(message))
		}},
		{"a message that cannot be routed", []string{"Route", "RecordDeadLetter"}, func(ctx context.Context, w *world) {
			w.broken++
			id := fmt.Sprintf("broken-%d", w.broken)
			if err := w.Queue("EventsQueue").Publish(ctx, queue.Message{ID: id, Group: id, Body: []byte("{}")}); err != nil {
				w.Error(err)
			}
		}},
		{"a tenant file that changed", []string{"ApplyTenant"}, func(ctx context.Context, w *world) {
			file, err := w.Tenant()
			if err != nil {
				w.Fatal(err)
			}
			tenant, _ := file["tenant"].(map[string]any)
			w.applied++
			tenant["name"] = fmt.Sprintf("Acme %d", w.applied)
			w.invoke(ctx, "ApplyTenant", map[string]any{"action": "apply", "file": file})
			if plan := string(w.invoke(ctx, "ApplyTenant", map[string]any{"action": "plan", "file": file})); !strings.Contains(plan, `"changes":[]`) {
				w.Errorf("the file is not in force: %s", plan)
			}
		}},
	}
}

func TestAKillAtAnyCallLosesAndDoublesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes and waits for time-outs")
	}
	first := newWorld(t, 0, local.Options{Times: quick()})
	first.warm(t.Context())
	var all []boundary
	for _, s := range scenarios() {
		all = append(all, first.boundaries(t.Context(), s)...)
	}
	step := 1
	if race.Enabled { // what is killed runs in processes that the detector does not see; a run without it kills everywhere
		step = 24
	}
	work := make(chan boundary, len(all))
	for i := 0; i < len(all); i += step {
		work <- all[i]
	}
	close(work)
	worlds := []*world{first}
	for number := 1; number < clouds; number++ {
		w := newWorld(t, number, local.Options{Times: quick()})
		w.warm(t.Context())
		worlds = append(worlds, w)
	}
	var running sync.WaitGroup
	for _, w := range worlds {
		running.Go(func() {
			for b := range work {
				w.run(t.Context(), b)
			}
		})
	}
	running.Wait()
	t.Logf("%d kills at %d places", (len(all)+step-1)/step, len(all))
}
