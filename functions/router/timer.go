package router

import (
	"context"
	"encoding/json"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/spool"
	"signalbox/shared/store"
)

// A router that is to look at a thread again at a time keeps an event for then, which comes back in the thread's group: it is decided in
// order with what people write, once, whatever dies. Nobody said anything by it: it asks no rules and makes nobody.
const (
	timerProvider = "signalbox" // of such an event; no adapter is called so
	timerMember   = "timer"     // of its metadata: what it is for
)

// purpose is what a timer is for.
type purpose string

// waiting is that somebody may still wait for an answer.
const waiting purpose = "waiting"

// timerOf returns what an event is to look after, "" if it is no timer.
func timerOf(e *canonical.Event) (p purpose) {
	if e.Type == canonical.TypeChange && e.Provider == timerProvider {
		_ = json.Unmarshal(e.Metadata[timerMember], &p) // one that cannot be read is for nothing
	}
	return p
}

// newTimer returns what brings an event's thread back at a time, written as a pointer of the event's: before its record is. It has the
// time of the event, so that it is of whoever had the identifiers then. Its id is the event's and the purpose's, so that two are one.
func (r *Router) newTimer(ctx context.Context, e *canonical.Event, person string, p purpose, at time.Time) (store.Record, error) {
	member, _ := json.Marshal(p) // a string
	timer := canonical.Event{
		EventID:       canonical.NewEventID(e.TenantID, timerProvider, e.LineID, string(p), string(e.EventID)),
		SchemaVersion: canonical.SchemaVersion, TenantID: e.TenantID, AccountID: e.AccountID, LineID: e.LineID, ThreadID: e.ThreadID,
		Type: canonical.TypeChange, Channel: e.Channel, Direction: e.Direction, ConversationID: e.ConversationID, Provider: timerProvider,
		Sender: e.Sender, Recipient: e.Recipient, Timestamp: e.Timestamp, ReceivedAt: at,
		Trace:    canonical.Trace{Traceparent: e.Trace.Traceparent, CausationID: string(e.EventID)},
		Metadata: map[string]json.RawMessage{timerMember: member},
	}
	body, err := canonical.Encode(timer)
	if err == nil {
		body, err = envelope.EventOf(ctx, r.sealer, person, &timer, body)
	}
	if err != nil {
		return store.Record{}, err
	}
	return spool.Due(at, queue.Message{ID: string(timer.EventID), Group: string(e.ThreadID), Body: body, Trace: e.Trace.Traceparent}), nil
}

// decideTimer decides what becomes of a thread whose time has come. Where nothing does it leaves no record: a copy of it finds the same.
func (r *Router) decideTimer(ctx context.Context, j *job, head conversation.Head, d Decision) error {
	notice, err := r.tellsOfWait(ctx, j, head)
	if err != nil || notice == nil {
		return err
	}
	for _, crm := range j.tenant.CRMs {
		if len(head.Links) > 0 && !head.LinkedTo(crm.Name) {
			continue
		}
		d.CRMs = append(d.CRMs, CRMDecision{
			CRM: crm.Name, Kind: crm.Kind, Links: head.Links[crm.Name], Actions: []delivery.Action{notice.to(crm.Name)},
			Why: []delivery.RuleReference{{Rule: string(timerOf(&j.event)), Version: j.tenant.Version}},
		})
	}
	j.decision = &d
	return nil
}

// cause returns the event that a timer was set by.
func cause(timer *canonical.Event) canonical.EventID {
	return canonical.EventID(timer.Trace.CausationID)
}

// contended is the fault of a record that others keep changing.
func contended() error { return fault.New(fault.Retryable, CodeContended, nil) }
