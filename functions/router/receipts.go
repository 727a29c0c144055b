package router

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/deadletter"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/rules"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// CodeNoReceipt is the code of an event in the receipts lane that is none.
const CodeNoReceipt = "receipt_required"

// ReceiptParts is what Receipts is made of. All are needed.
type ReceiptParts struct {
	Outbox // to the receipts queues

	Store   conversation.Store
	Tenants Tenants
	Engine  Engine
	Events  queue.Publisher // to the queue that events come from
}

// Receipts routes the receipts lane: a queue.Handler of canonical receipts, several of one tenant side by side. The receipts of
// one message that come together become one write and one update a CRM. What a message has reached is raised in our own
// record before any CRM is told; a receipt behind it goes no further. Receipts have no event record: the message's status
// record is what is kept of them, and it holds nothing personal. They take no claim either, since every effect is a rise or a
// repetition.
//
// Where each message has a record in CRMs they are told of every message: they leave out what they have no record of. Where what is said
// is shown together they are told how a conversation stands whose last message of ours it is. That another failed, or arrived after it had,
// the session shows that has it: the event goes to the router, in the message's thread. So does that an address takes no messages, of
// whatever message. Of a message that nobody has told of our own record is raised, and nobody is told.
type Receipts struct {
	ReceiptParts
	sealer envelope.TenantSealer
}

// NewReceipts returns a Receipts that seals with s what goes to the router.
func NewReceipts(s envelope.TenantSealer, p ReceiptParts) *Receipts { return &Receipts{p, s} }

// messageReceipts is the receipts of one message in a batch, of which the furthest counts.
type messageReceipts struct {
	event    canonical.Event // of the furthest
	key      string
	trace    string
	from     *queue.Received
	status   receipt.Status
	heads    []int
	tenant   tenant.Tenant
	rose     bool // our own record says what it says, and CRMs are to be told
	held     map[store.Key]store.Record
	outgoing []*outgoing
	verdict  *queue.Message // to the router
	err      error
}

// Handle raises the status of each message and sends it on, each queue's updates in one Publish.
func (r *Receipts) Handle(ctx context.Context, heads []queue.Received) []error {
	errs := make([]error, len(heads))
	messages := r.gather(heads, errs)
	r.each(ctx, messages, r.raise)
	r.readKnown(ctx, messages)
	r.each(ctx, messages, r.tell)
	r.publish(ctx, messages)
	r.publishVerdicts(ctx, messages)
	sent, failed := 0, 0
	for _, x := range messages {
		for _, i := range x.heads {
			errs[i] = x.err
		}
		if x.err == nil {
			sent += len(x.outgoing)
		} else {
			failed += len(x.heads)
		}
	}
	r.Logger.InfoContext(ctx, "receipts routed", slog.Int("receipts", len(heads)), slog.Int("messages", len(messages)),
		slog.Int("updates", sent), slog.Int("failed", failed))
	return errs
}

// gather decodes heads and puts together what is about one message. What cannot be read gets its error.
func (r *Receipts) gather(heads []queue.Received, errs []error) []*messageReceipts {
	type message struct{ tenant, key string }
	var messages []*messageReceipts
	about := make(map[message]*messageReceipts, len(heads))
	for i, head := range heads {
		e, err := decode(head)
		if err == nil && e.Receipt == nil {
			err = fault.New(fault.Permanent, CodeNoReceipt, nil)
		}
		if err != nil {
			errs[i] = err
			continue
		}
		key := canonical.MessageKey(e.TenantID, e.Provider, e.AccountID, messageOf(&e))
		status := receipt.Of(&e)
		x := about[message{e.TenantID, key}]
		if x == nil {
			x = &messageReceipts{key: key, status: receipt.Status{}}
			about[message{e.TenantID, key}] = x
			messages = append(messages, x)
		}
		x.heads = append(x.heads, i)
		if status.Rank() > x.status.Rank() {
			x.event, x.status, x.from, x.trace = e, status, &heads[i], cmp.Or(head.Trace, e.Trace.Traceparent)
		}
	}
	return messages
}

// messageOf returns the provider's id of the message that a receipt is about.
func messageOf(e *canonical.Event) string {
	if e.RelatesTo != nil && e.RelatesTo.ProviderMessageID != "" {
		return e.RelatesTo.ProviderMessageID
	}
	return e.ProviderMessageID
}

// each does something for every message that has not failed, side by side and in half of the time. A panic is that message's own.
func (r *Receipts) each(ctx context.Context, messages []*messageReceipts, do func(context.Context, *messageReceipts) error) {
	ctx, cancel := queue.Half(ctx)
	defer cancel()
	queue.SideBySide(messages, func(_ int, x *messageReceipts) {
		if x.err != nil {
			return
		}
		defer func() {
			if value := recover(); value != nil {
				x.err = queue.Recovered(telemetry.WithTrace(ctx, x.trace), r.Logger, r.Meter, value)
			}
		}()
		x.err = do(ctx, x)
	})
}

// raise keeps how far a message got. Nobody is told what is behind what is held: whoever raised that tells it, and is not done before.
func (r *Receipts) raise(ctx context.Context, x *messageReceipts) (err error) {
	if ctx.Err() != nil {
		return queue.ErrNotStarted
	}
	x.tenant, err = r.Tenants.Tenant(ctx, x.event.TenantID)
	if errors.Is(err, tenant.ErrUnknown) {
		return fault.New(fault.Blocked, CodeTenantUnknown, nil)
	}
	if err != nil {
		return err
	}
	held, err := receipt.Raise(ctx, r.Store, x.event.TenantID, x.key, x.status)
	if err != nil || held.Rank() > x.status.Rank() {
		return err
	}
	x.status, x.rose = held, true
	x.event.LineID = x.tenant.MainLine(x.event.LineID)
	return nil
}

// updates returns what each CRM is to be told whose rules ask for it: of the message, or of a conversation.
func (r *Receipts) updates(x *messageReceipts, of *receipt.Conversation) ([]*outgoing, error) {
	e, t := &x.event, x.tenant
	decided := r.Engine.Decide(t.Rules, t.Version, t.CRMNames(), rules.Facts{Type: e.Type, Direction: e.Direction, Channel: e.Channel, At: e.Timestamp})
	var out []*outgoing
	for _, c := range decided.CRMs {
		if !slices.ContainsFunc(c.Actions, func(a delivery.Action) bool { return a.Kind == delivery.RaiseStatus }) {
			continue
		}
		body, err := json.Marshal(receipt.Update{TenantID: e.TenantID, CRM: c.CRM, Key: x.key, Channel: e.Channel, Status: x.status, Conversation: of})
		if err != nil {
			return nil, fault.New(fault.Permanent, canonical.CodeInvalid, nil)
		}
		crm, _ := t.CRM(c.CRM)
		out = append(out, &outgoing{kind: crm.Kind, stage: deadletter.StageReceipts(c.CRM), from: x.from, message: queue.Message{
			ID: string(delivery.NewID(e.EventID, c.CRM)), Group: e.TenantID, Body: body, Trace: x.trace,
		}})
	}
	return out, nil
}

// publish sends the updates of all rises that were raised.
func (r *Receipts) publish(ctx context.Context, messages []*messageReceipts) {
	var all []*outgoing
	for _, x := range messages {
		if x.err == nil {
			all = append(all, x.outgoing...)
		}
	}
	r.send(ctx, all)
	for _, x := range messages {
		for _, o := range x.outgoing {
			x.err = cmp.Or(x.err, o.err)
		}
	}
}

var _ queue.Handler = (*Receipts)(nil)
