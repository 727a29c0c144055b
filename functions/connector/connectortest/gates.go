package connectortest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/connect"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/tenant"
)

// gates lets a CRM take nothing, in each way in which that is the tenant's or the CRM's trouble, and then everything again. What comes
// meanwhile is parked, costs the CRM nothing and is delivered afterwards.
func gates[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	var refusals []Refusal
	synctest.Test(t, func(t *testing.T) { refusals = append(statuses(), fresh(t).Refusals...) })
	for _, r := range refusals {
		if r.Want != fault.Blocked && (r.Status < http.StatusInternalServerError || r.Want == fault.Permanent) {
			continue
		}
		t.Run(fmt.Sprintf("%d %s", r.Status, r.Name), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { parks(newWorld(t, fresh(t)), r) })
		})
	}
	t.Run("a hundred people who are known", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { drainsWide(newWorld(t, fresh(t)), 100) })
	})
}

// always matches every request.
func always([]byte) bool { return true }

func parks[R any](w *world[R], r Refusal) {
	l := newLane(w)
	var all []delivery.Delivery
	for n := range 3 {
		all = append(all, w.unknown(n, 1))
	}
	w.finish(all...)
	w.wire.spoil(&trouble{how: refuse, match: always, status: r.Status, header: r.Header, body: r.Body})
	for range 5 { // what does not answer is asked three times
		l.receive(w.known(0, 2))
	}
	if l.parked() == 0 {
		w.t.Fatalf("%d %s to every request closes no gate\n%s", r.Status, r.Name, w.out)
	}
	before := w.wire.count()
	l.receive(w.known(0, 3), w.known(1, 2), w.known(2, 2))
	if n := w.wire.count() - before; n > 0 || l.parked() != 4 {
		w.t.Errorf("%d requests behind a closed gate, and %d of 4 are parked", n, l.parked())
	}
	w.wire.spoil(nil)
	l.drain()
	if left := l.parked(); left > 0 {
		w.t.Errorf("%d are parked after the drain", left)
	}
	w.holds(3, append(all, w.known(0, 2), w.known(0, 3), w.known(1, 2), w.known(2, 2))...)
}

// drainsWide drains a message of each of many people.
func drainsWide[R any](w *world[R], people int) {
	l := newLane(w)
	first := w.hold(people)
	var second []delivery.Delivery
	for n := range people {
		second = append(second, w.known(n, 2))
	}
	w.wire.spoil(&trouble{how: refuse, match: always, status: http.StatusUnauthorized})
	for begin := 0; begin < people; begin += w.Width {
		l.receive(second[begin:min(begin+w.Width, people)]...)
	}
	w.wire.spoil(nil)
	if parked := l.parked(); parked != people {
		w.t.Fatalf("%d of %d are parked", parked, people)
	}
	l.drain()
	if n := w.wire.count(); !w.Singly && n > people/20 {
		w.t.Errorf("%d requests for %d messages in drain, the limit is 0.05 each", n, people)
	}
	w.holds(people, append(first, second...)...)
}

// hold has the CRM hold so many people, each by a message.
func (w *world[R]) hold(people int) (first []delivery.Delivery) {
	w.width = w.Width
	for n := range people {
		first = append(first, w.unknown(n, 1))
	}
	for chunk := range slices.Chunk(first, w.Width) {
		w.finish(chunk...)
	}
	return first
}

// lane is a CRM's queue with its gates.
type lane[R any] struct {
	*world[R]
	worker *queue.Worker
	gates  *connector.Gates
	sent   map[string]int // the place of each delivery in the queue
	tiers  tenant.Tiers

	jobFrom int
}

// told is tenants whose CRM of a lane is told of what when the lane says.
type told[R any] struct{ *lane[R] }

// Tenant implements connector.Tenants.
func (t told[R]) Tenant(_ context.Context, id string) (tenant.Tenant, error) {
	return tenant.Tenant{ID: id, CRMs: []tenant.CRM{{Name: t.Name, Kind: t.Name, Tiers: t.tiers}}}, nil
}

// Renew implements connector.Directory.
func (told[R]) Renew(context.Context, string) (bool, error) { return false, nil }

func newLane[R any](w *world[R]) *lane[R] {
	l := &lane[R]{world: w, sent: map[string]int{}}
	logger, meter := w.logs()
	g := connector.NewGates(connector.GateOptions{Tenants: told[R]{l}, Probe: 15 * time.Minute, Kind: w.Name, Store: w.store, Attempt: attempt, Logger: logger, Meter: meter})
	g.Ahead(w.aheadOf(g))
	l.gates, l.worker = g, w.worker(connector.Width, g)
	l.worker.Handler = g.Before(l.worker.Handler)
	return l
}

// worker returns a worker with the times of a deployment.
func (w *world[R]) worker(width int, g *connector.Gates) *queue.Worker {
	return w.workerOf(&process{}, width, g)
}

// workerOf returns a worker of a process.
func (w *world[R]) workerOf(p *process, width int, g *connector.Gates) *queue.Worker {
	logger, meter := w.logs()
	worker := &queue.Worker{
		Stage: "deliver", DeadLetters: refusing{}, Patience: 24 * time.Hour, BlockedWait: 15 * time.Minute, BackoffMin: 2 * time.Second, BackoffMax: 15 * time.Minute,
		MessageTime: message, SoftMargin: 3 * time.Second, Random: func() float64 { return 0 }, Logger: logger, Meter: meter,
	}
	envelope.OpenFor(worker, unsealed{}, w.connector(p, width, g))
	return worker
}

// refusing takes no dead letter: there is to be none.
type refusing struct{}

func (refusing) Publish(context.Context, ...queue.Message) error {
	return fault.New(fault.Retryable, "no_dead_letter", nil)
}

// receive has the lane's worker work on deliveries once.
func (l *lane[R]) receive(ds ...delivery.Delivery) {
	l.t.Helper()
	batch := make([]queue.Received, len(ds))
	for i, d := range ds {
		plain, err := json.Marshal(d)
		if err != nil {
			l.t.Fatal(err)
		}
		body, err := envelope.Delivery(l.t.Context(), unsealed{}, &d, plain)
		if err != nil {
			l.t.Fatal(err)
		}
		id := string(d.ID)
		if l.sent[id] == 0 {
			l.sent[id] = len(l.sent) + 1
		}
		batch[i] = queue.Received{
			Message: queue.Message{ID: id, Group: string(d.Event.ThreadID), Body: body}, Sequence: fmt.Sprintf("%020d", l.sent[id]), Attempt: 1, FirstSent: time.Now(),
		}
	}
	ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
	defer cancel()
	l.worker.Process(ctx, batch)
}

// drain drains what is parked, as whoever mended the tenant asks for.
func (l *lane[R]) drain() {
	l.t.Helper()
	l.drained(func(ctx context.Context, d *connector.Drain) ([]connect.Gate, error) {
		return d.Ring(ctx, l.Tenant, l.Name)
	})
}

// minutes drains what is due each minute for so many.
func (l *lane[R]) minutes(n int) {
	l.t.Helper()
	for range n {
		time.Sleep(time.Minute)
		l.minute(&process{})
	}
}

// minute drains what is due, by a process that may be killed.
func (l *lane[R]) minute(p *process) {
	l.t.Helper()
	err := l.drainedBy(p, func(ctx context.Context, d *connector.Drain) ([]connect.Gate, error) { return d.Run(ctx) })
	if err != nil && !p.died() {
		l.t.Error(err)
	}
}

func (l *lane[R]) drained(run func(context.Context, *connector.Drain) ([]connect.Gate, error)) {
	l.t.Helper()
	if err := l.drainedBy(&process{}, run); err != nil {
		l.t.Error(err)
	}
}

func (l *lane[R]) drainedBy(p *process, run func(context.Context, *connector.Drain) ([]connect.Gate, error)) error {
	logger, meter := l.logs()
	d := connector.NewDrain(connector.DrainOptions{
		Probe: 15 * time.Minute, Lease: lease, JobFrom: l.jobFrom, Kind: l.Name, CRM: l.New(l.wire.client(p), logger), Store: storage{p, l.store}, Tenants: told[R]{l}, Worker: l.workerOf(p, connector.DrainWidth, nil), Receipts: l.shower(), Logger: logger, Meter: meter,
	})
	ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
	defer cancel()
	_, err := run(ctx, d)
	return err
}

// parked returns how many are parked.
func (l *lane[R]) parked() (n int) {
	for r := range l.store.All() {
		if strings.Contains(r.Partition, "/pending/") {
			n++
		}
	}
	return n
}
