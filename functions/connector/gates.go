package connector

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// GateOptions are what Gates works with. All are required but Tenants and Concurrency.
type GateOptions struct {
	Kind        string // of the CRM
	CRM         any    // asked for advice, if it is an Adviser
	Store       Store
	Tenants     Directory     // whose files say what is collected; nil: nothing is, and gates close by what may have been changed some minutes ago
	Concurrency int           // how many functions of this one's kind run at once at most; 0: it is not known, and no call is cut short
	Attempt     time.Duration // how long one Do may take
	Probe       time.Duration // the longest time between two tries of a closed gate; the first is a fifteenth of it after the closing
	Logger      *slog.Logger
	Meter       *telemetry.Meter
}

// Gates keeps what waits for a tenant's CRM out of the queue that all tenants share. It closes the gates of one that refuses the tenant,
// asks for more than a minute, does not answer three calls in a row, or holds more than a fifth of the connector's functions by
// calls that hang. What is received for it from then on is parked in order, and what comes behind it, too.
type Gates struct {
	options GateOptions
	ahead   queue.Handler // of opt-outs; nil: none goes ahead

	mu       sync.Mutex
	bindings map[BindingKey]*calls
}

// NewGates returns Gates.
func NewGates(o GateOptions) *Gates { return &Gates{options: o, bindings: map[BindingKey]*calls{}} }

// Before returns the handler that parks what a closed gate holds back, and hands the rest on to h, which opens sealed deliveries. A body
// that is not sealed is never parked, and neither is a file, whose thread does not wait for it: they wait in the queue. What is parked is done, as far as
// the queue goes.
//
// The gates are read consistently each time: what is behind a message of its thread is received only once that one is acknowledged, so
// after it was parked, so after its gate was closed.
func (g *Gates) Before(h queue.Handler) queue.Handler { return &gated{g, h} }

type gated struct {
	*Gates
	inner queue.Handler
}

// place is where a message belongs.
type place struct {
	BindingKey
	shard string
}

// Handle returns one error a head, nil for what is delivered or parked.
func (g *gated) Handle(ctx context.Context, heads []queue.Received) []error {
	errs := make([]error, len(heads))
	places := g.places(ctx, heads)
	closed, err := g.gates(ctx, places)
	if err == nil {
		err = g.collect(ctx, closed)
	}
	var going []int
	waiting := map[place][]int{}
	for i, at := range places {
		switch {
		case at != nil && err != nil: // whether its gate is closed nobody knows
			errs[i] = err
		case at == nil || !holds(closed[*at], heads[i].Group):
			going = append(going, i)
		case opens(closed[*at]):
			errs[i] = &queue.HeldError{For: opensWait}
		default:
			waiting[*at] = append(waiting[*at], i)
		}
	}
	var parking sync.WaitGroup
	parking.Go(func() { g.parkAll(ctx, heads, closed, waiting, errs) })
	if len(going) > 0 {
		some := make([]queue.Received, len(going))
		for k, i := range going {
			some[k] = heads[i]
		}
		results := g.inner.Handle(ctx, some)
		for k, i := range going {
			if errs[i] = fault.New(fault.Retryable, queue.CodeHandler, nil); len(results) == len(going) {
				errs[i] = results[k]
			}
		}
	}
	parking.Wait()
	g.hurry(ctx, heads, waiting, errs)
	g.closeAll(ctx, heads, places, going, errs)
	return errs
}

// places returns where messages belong, nil for one that is never parked.
func (g *Gates) places(ctx context.Context, heads []queue.Received) []*place {
	places := make([]*place, len(heads))
	for i, head := range heads {
		a, ok := envelope.AddressOf(head.Body)
		if !ok || delivery.ID(head.ID).OfFile() {
			continue
		}
		of := BindingKey{a.Tenant, a.CRM}
		if a.History && tiersOf(ctx, g.options.Tenants, of).BulkHistory() {
			of = historyOf(of)
		}
		places[i] = &place{of, gateShard(head.Group)}
	}
	return places
}

// gates returns the gates of places, by one call: of one that is open the record is absent.
func (g *Gates) gates(ctx context.Context, places []*place) (map[place]store.Record, error) {
	at := map[place]store.Record{}
	var of []place
	var keys []store.Key
	for _, p := range places {
		if p == nil {
			continue
		}
		if _, asked := at[*p]; asked {
			continue
		}
		at[*p] = store.Record{}
		of, keys = append(of, *p), append(keys, gateKey(p.BindingKey, p.shard))
	}
	if len(keys) == 0 {
		return nil, nil
	}
	held, err := g.options.Store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	for i, r := range held {
		at[of[i]] = r
	}
	return at, nil
}

// closeAll closes the gates that what became of heads asks for, and parks those that would wait in the queue although their gate is closed: by
// this or by another process, while they were worked on.
func (g *Gates) closeAll(ctx context.Context, heads []queue.Received, places []*place, going []int, errs []error) {
	why := map[BindingKey]*fault.Error{}
	var left []int
	for _, i := range going {
		if places[i] == nil || !waits(errs[i]) {
			continue
		}
		left = append(left, i)
		of := places[i].BindingKey
		if f := blocks(g.options.Kind, errs[i]); f != nil && why[of] == nil {
			why[of] = f
		}
	}
	if len(left) == 0 {
		return
	}
	within, cancel := queue.Finishing(ctx)
	defer cancel()
	asked := make([]*place, len(left))
	for k, i := range left {
		asked[k] = places[i]
		of := places[i].BindingKey
		if f := g.failing(of); f != nil && why[of] == nil {
			why[of] = f
		}
	}
	g.renew(within, why, left, places, errs)
	for of, f := range why {
		if err := g.close(within, of, f); err != nil {
			g.options.Logger.WarnContext(ctx, "gate was not closed", slog.String("tenant", of.Tenant), slog.String("crm", of.CRM), slog.Any("error", err))
		}
	}
	closed, err := g.gates(within, asked)
	if err != nil {
		return // they wait, and find out later
	}
	waiting := map[place][]int{}
	for _, i := range left {
		if holds(closed[*places[i]], heads[i].Group) {
			waiting[*places[i]] = append(waiting[*places[i]], i)
		}
	}
	g.parkAll(ctx, heads, closed, waiting, errs)
}

// renew reads the configuration of tenants who are refused. Whose has changed is worked for by what was configured before: that closes no gate, and what was
// refused is tried again at once.
func (g *Gates) renew(ctx context.Context, why map[BindingKey]*fault.Error, left []int, places []*place, errs []error) {
	for of, f := range why {
		if f.Kind != fault.Blocked || g.options.Tenants == nil {
			continue
		}
		if changed, err := g.options.Tenants.Renew(ctx, of.Tenant); err != nil || !changed {
			continue
		}
		delete(why, of)
		for _, i := range left {
			if places[i].BindingKey == of && fault.Of(errs[i]).Kind == fault.Blocked {
				errs[i] = queue.ErrNotStarted
			}
		}
	}
}

// waits reports whether a message with this error would wait in its queue: it is neither done nor to be given up, and nobody else holds it.
func waits(err error) bool {
	if _, held := errors.AsType[*queue.HeldError](err); held || err == nil {
		return false
	}
	kind := fault.Of(err).Kind
	return errors.Is(err, queue.ErrNotStarted) || kind != fault.Permanent && kind != fault.Rejected
}

// close closes the gates of a tenant's CRM that are open, or closed to some threads alone.
func (g *Gates) close(ctx context.Context, of BindingKey, why *fault.Error) error {
	err := g.shut(ctx, of, why, gateKeys(of))
	g.forget(of)
	return err
}

// shut closes those of the gates at keys that are open, and tells it if none was closed. Without a key it is what receipts tell that is to wait, without
// a reason what is collected, which nobody is told of.
func (g *Gates) shut(ctx context.Context, of BindingKey, why *fault.Error, keys []store.Key) error {
	keys = append([]store.Key{closedKey(g.options.Kind, of)}, keys...)
	first := false
	err := insist(ctx, func(ctx context.Context) error {
		held, err := g.options.Store.Get(ctx, keys...)
		if err != nil {
			return err
		}
		var changes []store.Change
		for _, gate := range held[1:] {
			if !holds(gate, "") {
				changes = append(changes, store.Change{Record: store.Record{Key: gate.Key, Version: gate.Version, Number: gate.Number}})
			}
		}
		known := held[0].Version > 0
		if known && len(changes) == 0 {
			return nil
		}
		change := store.Change{Kind: store.Check, Record: store.Record{Key: keys[0], Version: held[0].Version}}
		if first = !known || len(changes) == len(keys)-1; first {
			if change, err = g.closing(of, held[0], why); err != nil {
				return err
			}
		}
		_, err = g.options.Store.Write(ctx, append(changes, change)...)
		if _, lost := conflictOf(err); lost { // somebody closed or opened one meanwhile
			return fault.New(fault.Retryable, codeContended, nil)
		}
		return err
	})
	if err == nil && first && why != nil {
		tellClosed(ctx, g.options.Logger, g.options.Meter, of, why, adviceOf(g.options.CRM, why.Code), len(keys) == 1)
	}
	return err
}

// tellClosed tells that nothing goes through any more.
func tellClosed(ctx context.Context, l *slog.Logger, m *telemetry.Meter, of BindingKey, why *fault.Error, advice string, receipts bool) {
	m.Count("Blocked", 1, telemetry.Label{Name: "tenant", Value: of.Tenant}, telemetry.Label{Name: "crm", Value: of.CRM}, telemetry.Label{Name: "code", Value: why.Code})
	l.ErrorContext(ctx, "gate closed", slog.String("tenant", of.Tenant), slog.String("crm", of.CRM), slog.String("kind", why.Kind.String()),
		slog.String("code", why.Code), slog.String("advice", advice), slog.Bool("receipts", receipts))
}

// closing returns the change that writes why nothing goes through, or that it is collected. It goes over a record of a CRM for which only receipts
// wait, but for one that says why they do, if nothing else is to be said.
func (g *Gates) closing(of BindingKey, held store.Record, why *fault.Error) (store.Change, error) {
	var c closure
	if held.Version > 0 {
		var err error
		if _, c, err = readClosure(held); err != nil {
			return store.Change{}, err
		}
	}
	if why == nil && held.Version > 0 && c.Kind != kindBatch {
		return store.Change{Kind: store.Check, Record: store.Record{Key: held.Key, Version: held.Version}}, nil
	}
	c.Since, c.Tries, c.Delivered = time.Now().UTC(), 0, 0
	if c.await(of); why != nil {
		c.block(why, adviceOf(g.options.CRM, why.Code), g.options.Probe)
	}
	return c.change(held)
}

var _ queue.Handler = (*gated)(nil)
