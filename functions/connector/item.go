package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/mapping"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// The codes of the faults that a Connector finds itself.
const (
	CodeInvalid   = "delivery_invalid" // the body is no delivery
	CodeAction    = "action_unknown"   // a newer writer's action
	CodePlan      = "crm_plan_repeats" // Next asks for a step that is done
	CodeStep      = "crm_step_unknown" // Do has no step that Next asks for
	CodeAnswers   = "crm_answers"      // Do did not return one outcome a step
	CodeOutOfTime = fault.CodeOutOfTime
)

// item is one delivery in a Connector's hands.
type item struct {
	delivery delivery.Delivery
	trace    string
	claim    *idempotency.Claim // nil while nothing is claimed
	done     Progress           // what Next sees: the claim's progress without intents
	apart    bool               // its last call failed: no other delivery shares the next
	again    bool               // an earlier try may have come through
	show     *showing           // what is shown of its session, nil if it has none
	file     *File              // which it puts into the CRM, nil for a message
	fields   mapping.Fields     // that its tenant maps
	ended    time.Time          // when nothing was left but to complete it
	finished bool               // complete, by us or before
	err      error

	completions *completions // of the batch
}

// verdict returns nil only for what is certainly done.
func (it *item) verdict() error {
	switch {
	case it.finished:
		return nil
	case it.err == nil:
		return queue.ErrNotStarted
	default:
		return it.err
	}
}

// failed keeps why the item is not done, and since when.
func (it *item) failed(err error) {
	failing := &queue.FailingError{Since: it.claim.RecordFailure(fault.Of(err)), Err: err}
	if it.claim != nil {
		failing.Attempt = it.claim.Attempt
	}
	it.err = failing
}

// open decodes what a head carries. What cannot be carried out at all never claims.
func (c *Connector[R]) open(ctx context.Context, head queue.Received) *item {
	it := &item{trace: head.Trace}
	if err := decode(head, &it.delivery); err != nil {
		c.fail(ctx, it, err)
	}
	return it
}

func decode(head queue.Received, d *delivery.Delivery) error {
	if err := json.Unmarshal(head.Body, d); err != nil {
		*d = delivery.Delivery{}
		return undecoded(head, err)
	}
	if d.ID == "" || d.CRM == "" || d.Event.EventID == "" || d.Event.TenantID == "" {
		return fault.New(fault.Permanent, CodeInvalid, errors.New("deliveryId, crm, event.eventId and event.tenantId are required"))
	}
	for i, action := range d.Actions {
		if !action.Kind.Carried() {
			return fault.New(fault.Permanent, CodeAction, fmt.Errorf("actions[%d] is of a kind this build does not know", i))
		}
	}
	return nil
}

// undecoded sorts what a body was refused for. Only the event's own faults are safe to repeat: others may quote the body.
func undecoded(head queue.Received, err error) *fault.Error {
	if of, ok := errors.AsType[*fault.Error](err); ok {
		return canonical.Awaited(of, head.FirstSent)
	}
	return fault.New(fault.Permanent, CodeInvalid, errors.New("the body is not the JSON of a delivery"))
}

// key returns where the claim is: beside the event's own record. A file's is beside its message's.
func (it *item) key() store.Key {
	key := messageClaim(&it.delivery)
	if n, ok := it.delivery.File(); ok {
		key.Sort = fmt.Sprintf("%s%s/%03d", FilePrefix, it.delivery.CRM, n)
	}
	return key
}

// messageClaim returns where the claim is on showing the message of a delivery.
func messageClaim(d *delivery.Delivery) store.Key {
	return store.Key{
		Partition: d.Event.TenantID + "/event/" + string(d.Event.EventID),
		Sort:      idempotency.DeliveryClaims + d.CRM,
	}
}

// context returns ctx with what log lines about the item carry.
func (it *item) context(ctx context.Context) context.Context {
	trace := it.trace
	if trace == "" {
		trace = it.delivery.Event.Trace.Traceparent
	}
	ctx = telemetry.WithTrace(ctx, trace)
	if it.delivery.Event.EventID == "" {
		return ctx
	}
	return telemetry.WithEvent(ctx, string(it.delivery.Event.EventID))
}

// intent is what the name of a step begins with in a claim's progress while nobody knows whether it was carried out.
const intent = "intent:"

// suspected is in a claim's progress after a call that failed without a refusal: the delivery may be what makes calls fail. It is
// no step's name.
const suspected = intent + "suspected"

// suspect keeps it in mind that a call with the item failed. A refusal names its row or is the tenant's, and a limit is nobody's.
func (it *item) suspect(err error) {
	if fault.Of(err).Kind == fault.Retryable {
		it.claim.Progress[suspected] = Result{}
	}
}

// hold makes a claim the item's.
func (it *item) hold(claim *idempotency.Claim) {
	it.claim, it.done = claim, Progress{}
	it.again = claim.Attempt > 1 || claim.Unfinished > 0 || claim.Generation > 0 || len(claim.Progress) > 0 || Forgotten(it.delivery.Event)
	_, suspect := claim.Progress[suspected]
	it.apart = suspect || it.file != nil // one file at a time
	delete(claim.Progress, suspected)
	for name, result := range claim.Progress {
		if !strings.HasPrefix(name, intent) {
			it.done[name] = result
		}
	}
	it.refresh()
}

func (it *item) intends(step string) bool {
	_, ok := it.claim.Progress[intent+step]
	return ok
}

func (it *item) intend(step string) { it.claim.Progress[intent+step] = Result{} }

// achieve keeps a copy of what a step learned, beside what it learned when it was made before.
func (it *item) achieve(step string, result Result) {
	kept := maps.Clone(it.claim.Progress[step])
	if kept == nil {
		kept = Result{}
	}
	maps.Copy(kept, result)
	delete(it.claim.Progress, intent+step)
	it.claim.Progress[step], it.done[step] = kept, kept
}
