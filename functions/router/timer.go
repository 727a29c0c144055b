package router

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/spool"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// A router that is to look at a thread again at a time keeps an event for then, which comes back in the thread's group: it is decided in
// order with what people write, once, whatever dies. Nobody said anything by it: it asks no rules and makes nobody.
const (
	timerProvider = "signalbox" // of such an event; no adapter is called so
	timerMember   = "timer"     // of its metadata: what it is for
)

// purpose is what a timer is for.
type purpose string

// The purposes.
const (
	waiting purpose = "waiting" // somebody may still wait for an answer
	owning  purpose = "owner"   // somebody new may still be nobody's
	silence purpose = "silence" // nothing may have been said in a conversation for long enough
	reach   purpose = "reach"   // a message to an address that took none may have arrived
	asking  purpose = "files"   // nobody may have been asked for a message's files
)

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
	metadata := map[string]json.RawMessage{timerMember: member}
	if thread := e.Metadata[threadMember]; thread != nil {
		metadata[threadMember] = thread
	}
	timer := canonical.Event{
		EventID:       canonical.NewEventID(e.TenantID, timerProvider, e.LineID, string(p), string(e.EventID)),
		SchemaVersion: canonical.SchemaVersion, TenantID: e.TenantID, AccountID: e.AccountID, LineID: e.LineID, ThreadID: e.ThreadID,
		Type: canonical.TypeChange, Channel: e.Channel, Direction: e.Direction, ConversationID: e.ConversationID, Provider: timerProvider,
		Sender: e.Sender, Recipient: e.Recipient, Timestamp: e.Timestamp, ReceivedAt: at,
		Trace:    canonical.Trace{Traceparent: e.Trace.Traceparent, CausationID: string(e.EventID)},
		Metadata: metadata,
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

// addTimer sets a timer with a job's record.
func (r *Router) addTimer(ctx context.Context, j *job, e *canonical.Event, person string, p purpose, at time.Time) error {
	timer, err := r.newTimer(ctx, e, person, p, at)
	j.pointers = append(j.pointers, timer)
	return err
}

// decideTimer decides what becomes of a thread whose time has come. Where nothing does it leaves no record: a copy of it finds the same.
func (r *Router) decideTimer(ctx context.Context, j *job, head conversation.Head, d Decision) error {
	var notice *notice
	var err error
	switch timerOf(&j.event) {
	case silence:
		return r.closeSilent(ctx, j, d.Person.Key)
	case reach:
		return r.lookForArrival(ctx, j, d.Person.Key)
	case asking:
		return r.askAgain(ctx, j)
	case waiting:
		notice, err = r.tellsOfWait(ctx, j, head)
	case owning:
		notice, err = r.tellsOfLead(ctx, j)
	default: // of a later release
	}
	if err != nil || notice == nil {
		return err
	}
	for _, crm := range j.tenant.CRMs {
		if !notice.concerns(crm.Name, head) {
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

// notice is a task for the owner of a person's record, or for the line's where that has none.
type notice struct {
	value   map[string]string
	standIn tenant.Seller
	crms    []string // that are to give it; nil for those that hold the person
}

// concerns reports whether a CRM is to give the notice. One of which it is not known that it holds the person finds out, if that is known of none.
func (n *notice) concerns(crm string, head conversation.Head) bool {
	if n.crms != nil {
		return slices.Contains(n.crms, crm)
	}
	return len(head.Links) == 0 || head.LinkedTo(crm)
}

// to returns the notice as one CRM is to give it.
func (n *notice) to(crm string) delivery.Action {
	value := maps.Clone(n.value)
	value[delivery.OfWhom], value[delivery.To] = delivery.Held, delivery.TheirOwner
	if user := n.standIn.Users[crm]; user != "" {
		value[delivery.Owner] = user
	}
	return delivery.Action{Kind: delivery.Notify, Value: value}
}

// ownedLater reports whether a CRM was to make somebody whom its own rules give to somebody.
func ownedLater(c CRMDecision) bool {
	return slices.ContainsFunc(c.Actions, func(a delivery.Action) bool { return a.Value[delivery.Later] != "" })
}

// tellsOfLead returns what tells of somebody new whom nobody owned when they were made: their owner by now, or the line's.
func (r *Router) tellsOfLead(ctx context.Context, j *job) (*notice, error) {
	record, err := r.causeOf(ctx, j)
	if err != nil || record == nil {
		return nil, err
	}
	line, _ := j.tenant.Line(j.event.LineID)
	n := &notice{value: map[string]string{
		"about": "person/" + record.Decision.Person.Key, "subject": "A new lead has no owner yet", delivery.MadeSince: record.RoutedAt.UTC().Format(time.RFC3339Nano),
	}}
	n.standIn, _ = j.tenant.Leads.Seller(line.Leads.Owner)
	for _, c := range record.Decision.CRMs {
		for _, a := range c.Actions {
			if a.Value[delivery.Later] != "" {
				n.crms, n.value["text"] = append(n.crms, c.CRM), a.Value["description"]
			}
		}
	}
	if n.crms == nil {
		return nil, nil //nolint:nilnil // there is nothing to tell
	}
	return n, nil
}

// cause returns the event that a timer was set by.
func cause(timer *canonical.Event) canonical.EventID {
	return canonical.EventID(timer.Trace.CausationID)
}

// causeOf returns the record of the event that a job's timer was set by; nil where there is none: a router that was killed kept the timer, and
// not what it is of.
func (r *Router) causeOf(ctx context.Context, j *job) (*Record, error) {
	held, err := r.Store.Get(ctx, Key(j.event.TenantID, cause(&j.event)))
	if err != nil || held[0].Version == 0 {
		return nil, err
	}
	record, err := OpenRecord(ctx, r.sealer, held[0].Key, held[0].Data)
	return &record, err
}

// contended is the fault of a record that others keep changing.
func contended() error { return fault.New(fault.Retryable, CodeContended, nil) }
