package connector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/connect"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// open seals and opens by doing nothing.
type open struct{}

func (open) SealPerson(_ context.Context, _ keyring.Place, _ string, plain []byte) ([]byte, error) {
	return plain, nil
}

func (open) Open(_ context.Context, _ keyring.Place, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// opener opens what is sealed unless the lane's keys cannot be had.
type opener struct{ *lane }

func (o opener) Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.keys != nil {
		return nil, o.keys
	}
	if o.erased[at.Name] {
		return nil, fault.New(fault.Permanent, keyring.CodeErased, nil)
	}
	return open{}.Open(ctx, at, sealed)
}

// letters takes dead letters.
type letters struct {
	mu    sync.Mutex
	codes []string
}

func (l *letters) Publish(_ context.Context, messages ...queue.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		letter, _ := queue.ParseDeadLetter(m)
		l.codes = append(l.codes, letter.Kind+" "+letter.Code)
	}
	return nil
}

// lane is a CRM's queue with its gates: messages are received until they are done.
type lane struct {
	t       testing.TB
	fault   func(memstore.Call) memstore.Fault
	store   *memstore.Store
	dead    letters
	out     *lockedWriter
	text    string              // of each message, where it matters
	tenants connector.Directory // itself, unless it matters
	width   int
	most    int // concurrency
	page    int // records that a drain reads at once, at most; 0: as many as it asks for
	jobFrom int
	sent    int
	batches [][]string // the deliveries of each call

	mu     sync.Mutex
	killed bool             // the process: none of its calls arrives
	keys   error            // why no key can be had
	erased map[string]bool  // deliveries whose person is
	state  map[string]error // what a call for a tenant returns, by its id
	bad    map[string]error // what a call for a delivery returns
	order  map[string][]string
	tiers  map[string]tenant.Tiers // of a tenant's CRM
}

// Tenant implements connector.Tenants.
func (l *lane) Tenant(_ context.Context, id string) (tenant.Tenant, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id == "nobody" {
		return tenant.Tenant{}, tenant.ErrUnknown
	}
	return tenant.Tenant{ID: id, CRMs: []tenant.CRM{{Name: "toy", Kind: "toy", Tiers: l.tiers[id]}}}, nil
}

// Renew implements connector.Directory.
func (*lane) Renew(context.Context, string) (bool, error) { return false, nil }

// newLane returns a lane to a CRM that takes everything, in one step.
func newLane(t testing.TB) *lane {
	t.Helper()
	l := &lane{
		t: t, out: &lockedWriter{w: &bytes.Buffer{}}, width: connector.Width, state: map[string]error{}, bad: map[string]error{}, order: map[string][]string{}, tiers: map[string]tenant.Tiers{},
	}
	l.tenants = l
	l.store = memstore.New(memstore.Faulty(func(c memstore.Call) memstore.Fault {
		l.mu.Lock()
		choose := l.fault
		l.mu.Unlock()
		if choose == nil {
			return memstore.None
		}
		return choose(c)
	}))
	return l
}

// Next asks for one step, whose request names tenant, thread and delivery.
func (*lane) Next(d delivery.Delivery, done connector.Progress) (step, bool, error) {
	if _, ok := done["write"]; ok {
		return step{}, false, nil
	}
	return step{Name: "write", Last: true, Request: d.Event.TenantID + " " + string(d.Event.ThreadID) + " " + string(d.ID)}, true, nil
}

func (l *lane) Do(_ context.Context, steps []step) []outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	outcomes := make([]outcome, len(steps))
	var call []string
	for i, s := range steps {
		of := strings.Fields(s.Request)
		call = append(call, of[2])
		err := l.state[of[0]]
		if err == nil {
			err = l.bad[of[2]]
		}
		if l.killed {
			err = fault.New(fault.Retryable, "toy_unreachable", nil)
		}
		again := slices.Contains(l.order[of[0]+" "+of[1]], of[2]) // an upsert by its key
		if outcomes[i].Err = err; err == nil && !again {
			l.order[of[0]+" "+of[1]] = append(l.order[of[0]+" "+of[1]], of[2])
		}
	}
	l.batches = append(l.batches, call)
	return outcomes
}

// Advice implements connector.Adviser.
func (*lane) Advice(code string) string { return "mend " + code }

func (l *lane) logs() (*telemetry.Meter, *connector.Options) {
	id := telemetry.Identity{Function: "Test", Version: "1"}
	meter := telemetry.NewMeter(l.out, id)
	return meter, &connector.Options{
		Claims: idempotency.New(l.store, 35*time.Second), Store: l.store, Width: l.width, Attempt: 10 * time.Second,
		Logger: telemetry.NewLogger(l.out, id), Meter: meter,
	}
}

func (l *lane) worker(o *connector.Options, crm connector.CRM[string]) *queue.Worker {
	w := &queue.Worker{
		Stage: "deliver-toy", DeadLetters: &l.dead, Patience: 24 * time.Hour, BlockedWait: 15 * time.Minute, BackoffMin: 2 * time.Second, BackoffMax: 15 * time.Minute,
		MessageTime: 20 * time.Second, SoftMargin: 3 * time.Second, Random: func() float64 { return 0.5 }, Logger: o.Logger, Meter: o.Meter,
	}
	envelope.OpenFor(w, opener{l}, connector.New(crm, *o))
	return w
}

// process returns the worker of a new process of the CRM's queue.
func (l *lane) process(crm connector.CRM[string]) *queue.Worker {
	meter, o := l.logs()
	o.Gates = connector.NewGates(connector.GateOptions{
		Kind: "toy", CRM: crm, Store: l.store, Tenants: l.tenants, Concurrency: l.most, Attempt: 10 * time.Second, Probe: 15 * time.Minute, Logger: o.Logger, Meter: meter,
	})
	w := l.worker(o, crm)
	w.Handler = o.Gates.Before(w.Handler)
	return w
}

// drain returns a new process that drains.
func (l *lane) drain() *connector.Drain { return l.drainInto(l) }

// drainInto returns one that drains into a CRM.
func (l *lane) drainInto(crm connector.CRM[string]) *connector.Drain {
	meter, o := l.logs()
	o.Width, o.AtOnce = 100, true
	looks := func(_ context.Context, r connect.Request) (connect.Result, error) {
		report := connect.Report{Tenant: r.Tenant, CRM: "toy"}
		if r.Tenant == "lacks" {
			report.Add("a field", connect.Missing, "", "make it")
		}
		return connect.Result{Reports: []connect.Report{report}}, nil
	}
	return connector.NewDrain(connector.DrainOptions{
		Probe: 15 * time.Minute, Lease: 35 * time.Second, Kind: "toy", CRM: crm, JobFrom: l.jobFrom, Connect: looks, Store: pages{l.store, l.page}, Tenants: l.tenants, Worker: l.worker(o, crm), Logger: o.Logger, Meter: meter,
	})
}

// pages is a store that returns pages of so many records at most, unless that is 0.
type pages struct {
	*memstore.Store
	most int
}

func (p pages) List(ctx context.Context, r store.Range) ([]store.Record, bool, error) {
	if p.most > 0 {
		r.Limit = min(r.Limit, p.most)
	}
	return p.Store.List(ctx, r)
}

func (l *lane) run(d *connector.Drain) []connect.Gate {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	gates, err := d.Run(ctx)
	if err != nil {
		l.t.Log(err)
	}
	return gates
}

// send returns the message of a delivery as it is received.
func (l *lane) send(tenant, thread, id string) queue.Received {
	l.t.Helper()
	return l.message(deliveryOf(id), tenant, thread, id)
}

// sendOld is send for a message of a history.
func (l *lane) sendOld(tenant, thread, id string) queue.Received {
	l.t.Helper()
	d := deliveryOf(id)
	d.Event.Flags.Historical, d.Event.ReceivedAt = true, time.Now()
	d.Event.Timestamp = d.Event.ReceivedAt.Add(-30 * 24 * time.Hour)
	return l.message(d, tenant, thread, id)
}

func (l *lane) message(d delivery.Delivery, tenant, thread, id string) queue.Received {
	l.t.Helper()
	d.Event.TenantID, d.Event.ThreadID, d.Person.Key = tenant, canonical.ThreadID(thread), "p"
	if l.text != "" {
		d.Event.Message.Text = l.text
	}
	plain, err := json.Marshal(d)
	if err != nil {
		l.t.Fatal(err)
	}
	body, err := envelope.Delivery(context.Background(), open{}, &d, plain)
	if err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	return queue.Received{
		Message: queue.Message{ID: id, Group: thread, Body: body}, Sequence: fmt.Sprintf("%020d", l.sent), Attempt: 1, FirstSent: time.Now(),
	}
}

// receive has a worker work on a batch and returns in words what becomes of each: done, or how long it waits.
func (l *lane) receive(w *queue.Worker, batch ...queue.Received) string {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var all []string
	for _, v := range w.Process(ctx, batch) {
		if v.Done {
			all = append(all, "done")
		} else {
			all = append(all, v.Wait.String())
		}
	}
	return strings.Join(all, " ")
}

func (l *lane) says(tenant string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state[tenant] = err
}

func (l *lane) calls() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.batches)
}

// counted returns how often the log has a text.
func (l *lane) counted(text string) int {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	return strings.Count(l.out.w.String(), text)
}

// kept returns the records of gates and of what is parked, as "partition sort number".
func (l *lane) kept() (all []string) {
	for r := range l.store.All() {
		if strings.Contains(r.Partition, "/gate/") && r.Sort != "hanging" || strings.HasPrefix(r.Partition, "gates:") || strings.Contains(r.Partition, "/pending/") {
			all = append(all, fmt.Sprintf("%s %s %d", r.Partition, r.Sort, r.Number))
		}
	}
	return all
}

// parked returns how many are parked by the gates' count, and how many there are.
func (l *lane) parked() (counted, there int) {
	for r := range l.store.All() {
		if strings.Contains(r.Partition, "/gate/") && r.Sort != "hanging" {
			counted += int(r.Number & (1<<28 - 1)) // the rest says since when it is closed to some threads alone
		}
		if strings.Contains(r.Partition, "/pending/") {
			there++
		}
	}
	return counted, there
}

// empty fails the test unless all gates are open.
func (l *lane) empty() {
	l.t.Helper()
	if kept := l.kept(); len(kept) > 0 {
		l.t.Errorf("the store keeps %q", kept)
	}
}

// inOrder fails the test unless a thread was delivered once and in order.
func (l *lane) inOrder(tenant, thread string, want ...string) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if got := l.order[tenant+" "+thread]; !slices.Equal(got, want) {
		l.t.Errorf("thread %s was delivered as %q, want %q", thread, got, want)
	}
}

func TestWhatBlocksATenantParksWhatIsBehindInOrder(t *testing.T) {
	refused := fault.New(fault.Blocked, "toy_unauthenticated", nil)
	long := &fault.Error{Kind: fault.Throttled, Code: "toy_throttled", Wait: 90 * time.Second}
	for name, c := range map[string]struct {
		err   error
		tries int // calls until the gate is closed
		probe time.Duration
	}{
		"credentials refused":         {refused, 1, time.Minute},
		"throttled for over a minute": {long, 1, 90 * time.Second},
		"an outage for over a minute": {&fault.Error{Kind: fault.Retryable, Code: "toy_unavailable", Wait: 6 * time.Hour}, 1, time.Minute},
		"not answering":               {fault.New(fault.Retryable, "toy_timeout", nil), 3, time.Minute},
		"not reached":                 {fault.New(fault.Retryable, "toy_unreachable", nil), 3, time.Minute},
		"an error of its own":         {fault.New(fault.Retryable, "toy_unavailable", nil), 3, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLane(t)
				w := l.process(l)
				l.says("acme", c.err)
				first := l.send("acme", "a", "a1")
				for try := 1; try < c.tries; try++ {
					if got := l.receive(w, first); got == "done" || len(l.kept()) > 0 {
						t.Fatalf("try %d: %s, %q", try, got, l.kept())
					}
				}
				if got := l.receive(w, first); got != "done" {
					t.Errorf("the first: %s", got)
				}
				calls := l.calls()
				if got := l.receive(w, l.send("acme", "a", "a2"), l.send("acme", "b", "b1"), l.send("other", "c", "c1"), l.send("acme", "a", "a3")); got != "done done done done" {
					t.Errorf("behind it: %s", got)
				}
				l.inOrder("other", "c", "c1")
				if l.calls() != calls+1 {
					t.Errorf("%d calls behind a closed gate", l.calls()-calls-1)
				}
				if counted, there := l.parked(); counted != 4 || there != 4 {
					t.Errorf("%d are parked, %d are counted", there, counted)
				}
				if l.counted(`"gate closed"`) != 1 || l.counted(`"Blocked":1`) != 1 || l.counted(`"advice":"mend `+fault.Of(c.err).Code) != 1 {
					t.Error("it is not told once, with what is to be done")
				}
				l.says("acme", nil)
				time.Sleep(c.probe - time.Second)
				l.run(l.drain())
				l.inOrder("acme", "a")
				time.Sleep(time.Second)
				if gates := l.run(l.drain()); len(gates) != 1 || gates[0].Closed || gates[0].Delivered != 4 {
					t.Errorf("%+v", gates)
				}
				l.inOrder("acme", "a", "a1", "a2", "a3")
				l.inOrder("acme", "b", "b1")
				l.empty()
				if l.counted(`"gate opened"`) != 1 {
					t.Error("that it was opened is not told")
				}
				if got := l.receive(w, l.send("acme", "a", "a4")); got != "done" {
					t.Errorf("afterwards: %s", got)
				}
				l.inOrder("acme", "a", "a1", "a2", "a3", "a4")
			})
		})
	}
}

func TestWhatIsAMessagesOwnClosesNoGate(t *testing.T) {
	for name, err := range map[string]error{
		"a short wait":             &fault.Error{Kind: fault.Throttled, Code: "toy_throttled", Wait: time.Minute},
		"a long lock":              &fault.Error{Kind: fault.Retryable, Code: "toy_locked", Wait: time.Hour},
		"a lock":                   fault.New(fault.Retryable, "toy_locked", nil),
		"the store does not reply": fault.New(fault.Retryable, "store_failed", nil),
		"a bad row":                fault.New(fault.Permanent, "toy_refused", nil),
		"a key that is unusable":   fault.New(fault.Blocked, "key_unusable", nil),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLane(t)
				w := l.process(l)
				l.says("acme", err)
				for range 5 {
					l.receive(w, l.send("acme", "a", fmt.Sprint("a", l.sent)))
				}
				l.empty()
			})
		})
	}
}

func TestASuccessBetweenTwoFailuresKeepsAGateOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		w := l.process(l)
		for i := range 12 {
			l.says("acme", nil)
			if i%3 > 0 {
				l.says("acme", fault.New(fault.Retryable, "toy_timeout", nil))
			}
			l.receive(w, l.send("acme", "a", fmt.Sprint("a", i)))
		}
		l.empty()
	})
}

// TestACallThatWasNotMadeIsNoAnswer: what a store or a key fails with between time-outs keeps no gate open.
func TestACallThatWasNotMadeIsNoAnswer(t *testing.T) {
	says := func(kind fault.Kind, code string) func() error {
		return func() error { return fault.New(kind, code, nil) }
	}
	for name, c := range map[string]struct {
		between func() error
		parks   bool
	}{
		"a store that does not reply":              {says(fault.Retryable, "store_failed"), true},
		"a key that cannot be had":                 {says(fault.Retryable, "key_unavailable"), true},
		"a token that another process has not got": {awaited, true},
		"what the CRM refuses of this one":         {says(fault.Permanent, "toy_refused"), false},
		"a lock of the CRM's":                      {says(fault.Retryable, "toy_locked"), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLane(t)
				w := l.process(l)
				for i := range 6 {
					l.says("acme", fault.New(fault.Retryable, "toy_timeout", nil))
					if i%2 > 0 {
						l.says("acme", c.between())
					}
					l.receive(w, l.send("acme", "a", fmt.Sprint("a", i)))
				}
				if counted, _ := l.parked(); c.parks != (counted > 0) {
					t.Errorf("%d are parked", counted)
				}
			})
		})
	}
}

// awaited returns what a process waits with while another one asks for a token and gets none.
func awaited() error {
	s := memstore.New()
	c := connector.Credentials{Fingerprint: "f", Ask: func(context.Context) (connector.Token, error) {
		return connector.Token{}, fault.New(fault.Retryable, "toy_unreachable", nil)
	}}
	use := func() error {
		return connector.NewTokens("toy", s, nil, slog.New(slog.DiscardHandler)).Use(context.Background(), connector.BindingKey{Tenant: "acme", CRM: "toy"}, c, nil)
	}
	_ = use() // it is the one that asks
	return use()
}

// TestOfWhatIsNotSealedNothingIsParked: a body of an old release may hold what nobody may keep in the clear.
func TestOfWhatIsNotSealedNothingIsParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		w := l.process(l)
		l.says("acme", fault.New(fault.Blocked, "toy_forbidden", nil))
		d := deliveryOf("a1")
		d.Event.TenantID = "acme"
		if got := l.receive(w, heads(d)...); got != "15m0s" {
			t.Error(got)
		}
		l.empty()
	})
}

func TestAFileClosesNoGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		w := l.process(l)
		l.says("acme", fault.New(fault.Blocked, "toy_forbidden", nil))
		if got := l.receive(w, l.send("acme", "a", "a1.toy~0")); got != "15m0s" {
			t.Error(got)
		}
		l.empty()
	})
}

// TestAFileIsNotParked: it may have to wait for days, for whoever fetches it, and would keep the gate closed.
func TestAFileIsNotParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.park("acme", 4, 1)
		l.says("acme", nil)
		if got := l.receive(l.process(l), l.send("acme", "t000-0.toy~0", "t000-0.toy~0"), l.send("acme", "t000", "t000-1")); !strings.HasSuffix(got, " done") {
			t.Error(got)
		}
		if counted, there := l.parked(); counted != 5 || there != 5 {
			t.Errorf("%d are parked, %d are counted, want five messages", there, counted)
		}
	})
}

// renewed are tenants whose configuration has changed so many times that nobody knows of.
type renewed struct {
	*lane
	changes int
	err     error
}

func (r *renewed) Renew(context.Context, string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil || r.changes == 0 {
		return false, r.err
	}
	if r.changes--; r.changes == 0 {
		delete(r.state, "acme") // what is configured now is taken
	}
	return true, nil
}

// TestAGateClosesByWhatIsConfiguredNow, not by credentials that were changed some minutes ago.
func TestAGateClosesByWhatIsConfiguredNow(t *testing.T) {
	for name, c := range map[string]struct {
		changes int
		err     error
		want    string // of the two that are received
		closes  bool
	}{
		"they were changed":      {1, nil, "0s 0s", false},
		"nothing has changed":    {0, nil, "done done", true},
		"it cannot be found out": {1, fault.New(fault.Retryable, "store_failed", nil), "done done", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLane(t)
				l.tenants = &renewed{l, c.changes, c.err}
				w := l.process(l)
				l.says("acme", fault.New(fault.Blocked, "toy_unauthenticated", nil))
				batch := []queue.Received{l.send("acme", "a", "a1"), l.send("acme", "b", "b1")}
				if got := l.receive(w, batch...); got != c.want || len(l.kept()) > 0 != c.closes {
					t.Errorf("%s, %q", got, l.kept())
				}
				if c.closes {
					return
				}
				if got := l.receive(w, batch...); got != "done done" {
					t.Error(got)
				}
				l.inOrder("acme", "a", "a1")
				l.empty()
			})
		})
	}
}

// TestADrainTriesWithWhatIsConfiguredNow: whoever mended credentials waits for nobody's memory.
func TestADrainTriesWithWhatIsConfiguredNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.park("acme", 4, 1)
		l.tenants = &renewed{l, 1, nil}
		if gates, err := l.drain().Ring(t.Context(), "acme", "toy"); err != nil || len(gates) != 1 || gates[0].Closed {
			t.Errorf("%+v, %v", gates, err)
		}
		l.empty()
	})
}

func TestWhatIsReceivedTwiceIsParkedAndCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		w := l.process(l)
		l.says("acme", fault.New(fault.Blocked, "toy_forbidden", nil))
		first, second := l.send("acme", "a", "a1"), l.send("acme", "a", "a2")
		for range 2 {
			if got := l.receive(w, first, second); got != "done done" {
				t.Error(got)
			}
		}
		if counted, there := l.parked(); counted != 2 || there != 2 {
			t.Errorf("%d are parked, %d are counted", there, counted)
		}
	})
}

// TestTwentyWorkersParkBehindOneGate: transactions that meet at the gate's count are refused by the database, and tried again.
func TestTwentyWorkersParkBehindOneGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		l.says("acme", fault.New(fault.Blocked, "toy_forbidden", nil))
		l.receive(l.process(l), l.send("acme", "a", "first"))
		var mu sync.Mutex
		writing := 0
		l.fault = func(c memstore.Call) memstore.Fault {
			if c.Operation != memstore.Write || len(c.Keys) < 2 {
				return memstore.None
			}
			mu.Lock()
			writing++
			busy := writing > 1
			mu.Unlock()
			time.Sleep(8 * time.Millisecond)
			mu.Lock()
			writing--
			mu.Unlock()
			if busy {
				return memstore.Before
			}
			return memstore.None
		}
		var running sync.WaitGroup
		var left sync.Map
		for i := range 20 {
			var batch []queue.Received
			for k := range 10 {
				batch = append(batch, l.send("acme", "a", fmt.Sprintf("m%d-%d", i, k)))
			}
			w := l.process(l)
			running.Go(func() {
				for _, m := range batch { // a thread's messages come one by one
					for l.receive(w, m) != "done" {
						left.Store(m.ID, true)
						time.Sleep(time.Second)
					}
				}
			})
		}
		running.Wait()
		if counted, there := l.parked(); counted != 201 || there != 201 {
			t.Errorf("%d are parked, %d are counted, want 201", there, counted)
		}
	})
}
