// Package wire makes the functions of the connectors from their environment. A main says which CRM it is for, and which of the
// functions.
package wire

import (
	"crypto/rand"
	"net/http"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/health"
	"signalbox/shared/aws/function"
	"signalbox/shared/claimcheck"
	"signalbox/shared/envelope"
	"signalbox/shared/hosts"
	"signalbox/shared/idempotency"
	"signalbox/shared/media"
	"signalbox/shared/queue"
	"signalbox/shared/store"
)

// Client returns what CRMs are called with. It reaches what CRM_HOSTS allows.
func Client(f *function.Function) *http.Client {
	return hosts.NewClient(hosts.Policy(f.String("CRM_HOSTS")))
}

// Deliver returns the worker that carries deliveries into a kind of CRM, and parks those that wait for a tenant.
func Deliver[R any](f *function.Function, kind string, crm connector.CRM[R]) *queue.Worker {
	gates := gatesOf(f, kind, crm, f.Int("MAXIMUM_CONCURRENCY", 0))
	worker := deliver(f, kind, crm, connector.Width, gates, budget(f, kind, f.Int("MAXIMUM_CONCURRENCY", 0), false))
	worker.Handler = gates.Before(worker.Handler)
	return worker
}

// deliver returns a worker that carries deliveries into a kind of CRM, width in one call.
func deliver[R any](f *function.Function, kind string, crm connector.CRM[R], width int, gates *connector.Gates, b *connector.Budget) *queue.Worker {
	worker := f.Worker("deliver-" + kind)
	worker.DeadLetters = f.DeadLetters()
	ring, objects := f.Ring("", f.String("CONFIG_TABLE"), f.String("PERSON_KEYS_TABLE")), f.Objects(f.String("OBJECTS_BUCKET"))
	opener := claimcheck.New(ring, objects)
	state := f.Table(f.String("STATE_TABLE"))
	c := connector.New(crm, connector.Options{
		Claims: idempotency.New(state, f.Seconds("CLAIM_LEASE_SECONDS")),
		Store:  state, Opener: opener, Links: connector.ThreadLinks{Store: state},
		Files: media.Reader{Store: state, Objects: objects, Opener: ring}, Gates: gates, Budget: b, Mappings: connector.NewMappings(f.Tenants()),
		AtOnce: gates == nil, Width: width, Attempt: attempt(f), Watcher: watcher(f, kind, state), Logger: f.Logger, Meter: f.Meter,
	})
	envelope.OpenFor(worker, opener, c)
	if gates != nil {
		urgent := f.Worker(worker.Stage)
		envelope.OpenFor(urgent, opener, c.Ahead())
		gates.Ahead(urgent.Handler)
	}
	return worker
}

// Receipts returns the worker that shows in a kind of CRM how far sent messages got: width updates in one call, and a pause between
// two calls for one binding.
func Receipts(f *function.Function, kind string, crm connector.StatusWriter, width int, pause time.Duration) *queue.Worker {
	return receipts(f, kind, crm, width, pause, gatesOf(f, kind, crm, 0), budget(f, kind, 0, false))
}

// receipts returns a worker that shows in a kind of CRM how far sent messages got.
func receipts(f *function.Function, kind string, crm connector.StatusWriter, width int, pause time.Duration, gates *connector.Gates, b *connector.Budget) *queue.Worker {
	worker := f.Worker("receipts-" + kind)
	worker.Unordered, worker.DeadLetters = true, f.DeadLetters()
	state := f.Table(f.String("STATE_TABLE"))
	worker.Handler = connector.NewReceipts(connector.ReceiptOptions{
		CRM: crm, Store: state, Width: width, Pause: pause, Gates: gates, Budget: b,
		Attempt: attempt(f), Watcher: watcher(f, kind, state), Logger: f.Logger, Meter: f.Meter,
	})
	return worker
}

// budget returns what keeps the requests to a kind of CRM within limits, of whom so many functions run at once; 0: that is not known. With
// waits they wait for the end of a short time themselves.
func budget(f *function.Function, kind string, concurrency int, waits bool) *connector.Budget {
	return connector.NewBudget(connector.BudgetOptions{
		Kind: kind, Store: f.Table(f.String("STATE_TABLE")), Tenants: f.Tenants(), Concurrency: concurrency, Waits: waits, Logger: f.Logger, Meter: f.Meter,
	})
}

// watcher returns what keeps what this process sees of a kind of CRM.
func watcher(f *function.Function, kind string, state health.Noter) connector.Watcher {
	return health.NewRecorder(health.RecorderOptions{Kind: kind, Process: rand.Text(), Identity: f.Identity, Store: state, Logger: f.Logger})
}

// Health returns what tells how the connectors to all kinds of CRM are.
func Health(f *function.Function) *health.Reader {
	deliveries, receipts := f.String("DELIVER_QUEUE_PREFIX"), f.String("RECEIPTS_QUEUE_PREFIX")
	queues := map[string]map[string]health.Depth{}
	for _, kind := range f.List("CRMS") {
		queues[kind] = map[string]health.Depth{"deliveries": f.Queue(deliveries + kind + ".fifo"), "receipts": f.Queue(receipts + kind)}
	}
	return &health.Reader{Store: f.Table(f.String("STATE_TABLE")), Queues: queues, Logger: f.Logger}
}

// gatesOf returns the gates to a kind of CRM, of whom so many functions run at once; 0: their calls are not counted.
func gatesOf(f *function.Function, kind string, crm any, concurrency int) *connector.Gates {
	return connector.NewGates(connector.GateOptions{
		Kind: kind, CRM: crm, Store: f.Table(f.String("STATE_TABLE")), Tenants: f.Tenants(), Concurrency: concurrency, Attempt: attempt(f), Probe: probe(f), Logger: f.Logger, Meter: f.Meter,
	})
}

func attempt(f *function.Function) time.Duration {
	return f.Seconds("CRM_ATTEMPT_SECONDS")
}

// Drain returns what delivers what is parked for a kind of CRM, opens its gates, and connects tenants' CRMs. Build returns the CRM of tenants.
func Drain[R any](f *function.Function, kind string, build func(connector.Tenants) connector.CRM[R]) *connector.Drain {
	crm := build(f.Tenants())
	var shown *queue.Worker
	spent := budget(f, kind, 0, true)
	if writer, ok := crm.(connector.StatusWriter); ok {
		shown = receipts(f, kind, writer, store.MaxGet, 0, nil, spent)
	}
	return connector.NewDrain(connector.DrainOptions{
		Kind: kind, CRM: crm, Store: f.Table(f.String("STATE_TABLE")), Tenants: f.Tenants(), Worker: deliver(f, kind, crm, connector.DrainWidth, nil, spent), Receipts: shown, Probe: probe(f), Lease: f.Seconds("CLAIM_LEASE_SECONDS"), JobFrom: connector.JobFrom,
		Connect: connector.ConnectHandler(kind, func() (connector.Tenants, connector.Connecter) {
			tenants := f.FreshTenants() // which know a file that was applied just now
			connecter, _ := build(tenants).(connector.Connecter)
			return tenants, connecter
		}),
		Logger: f.Logger, Meter: f.Meter,
	})
}

// probe returns the longest time between two tries of a closed gate.
func probe(f *function.Function) time.Duration { return f.Seconds("BLOCKED_WAIT_SECONDS") }
