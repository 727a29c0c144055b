// Package wire makes the functions of the router from their environment.
package wire

import (
	"signalbox/functions/router"
	"signalbox/shared/aws/function"
	"signalbox/shared/claimcheck"
	"signalbox/shared/envelope"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/rules"
	"signalbox/shared/tenant"
)

// Route returns the worker that routes events to the CRMs of CRMS.
func Route(f *function.Function) *queue.Worker {
	worker, outbox := sends(f, "route", "DELIVER_QUEUE_PREFIX", ".fifo")
	sealer, state := sealer(f), f.Table(f.String("STATE_TABLE"))
	worker.Runs = true
	envelope.OpenFor(worker, sealer, router.New(sealer, router.Parts{
		Store: state, Log: state, Tenants: f.Tenants(), Peppers: f.Peppers(), Engine: rules.Ordered{}, Outbox: outbox,
		Files:  router.Files{Jobs: f.Queue(f.String("MEDIA_QUEUE_URL")), Base: f.String("PUBLIC_BASE_URL")},
		Events: f.Queue(f.String("QUEUE_URL")), Standings: queues(f, "RECEIPTS_QUEUE_PREFIX", ""), Claims: idempotency.New(state, f.Seconds("CLAIM_LEASE_SECONDS")),
	}))
	return worker
}

// sealer returns what seals events and deliveries, and keeps what is large apart.
func sealer(f *function.Function) *claimcheck.Sealer {
	return claimcheck.New(f.Ring(f.String("DATA_KEY"), f.String("CONFIG_TABLE"), f.String("PERSON_KEYS_TABLE")), f.Objects(f.String("OBJECTS_BUCKET")))
}

// Receipts returns the worker that routes receipts.
func Receipts(f *function.Function) *queue.Worker {
	worker, outbox := sends(f, "route-receipts", "RECEIPTS_QUEUE_PREFIX", "")
	worker.Unordered = true
	ring := f.Ring(f.String("DATA_KEY"), f.String("CONFIG_TABLE"), "")
	envelope.OpenFor(worker, ring, router.NewReceipts(ring, router.ReceiptParts{
		Store: f.Table(f.String("STATE_TABLE")), Tenants: f.Tenants(), Engine: rules.Ordered{}, Outbox: outbox, Events: f.Queue(f.String("EVENTS_QUEUE_URL")),
	}))
	return worker
}

// sends returns a worker, and the outbox of what it sends to each CRM's queue, as queues returns them.
func sends(f *function.Function, stage, prefix, suffix string) (*queue.Worker, router.Outbox) {
	worker := f.Worker(stage)
	worker.DeadLetters = f.DeadLetters()
	outbox := router.Outbox{
		Deliveries: queues(f, prefix, suffix), DeadLetters: worker.DeadLetters, Version: f.Identity.Version, Logger: f.Logger, Meter: f.Meter,
	}
	return worker, outbox
}

// queues returns each CRM's queue, by its kind: the prefix that the variable holds, the kind and a suffix.
func queues(f *function.Function, prefix, suffix string) map[string]queue.Publisher {
	all, urls := map[string]queue.Publisher{}, f.String(prefix)
	for _, kind := range f.List("CRMS") {
		all[kind] = f.Queue(urls + kind + suffix)
	}
	return all
}

// Replayer returns what routes stored events again.
func Replayer(f *function.Function) *router.Replayer {
	return router.NewReplayer(sealer(f), f.Table(f.String("STATE_TABLE")), tenant.NewBindings(f.Table(f.String("CONFIG_TABLE"))),
		f.Queue(f.String("EVENTS_QUEUE_URL")), f.Margin(), f.Logger, f.Meter)
}
