package router

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/rules"
	"signalbox/shared/store"
)

// Told is that a message of ours was known before an event came that tells of it: a registered outreach and its echo are one message,
// on a timeline once and answered once, at the time that was told first.
type Told struct {
	Event  canonical.EventID `json:"eventId"`          // which told of it first
	At     time.Time         `json:"at"`               // its event time
	Better bool              `json:"better,omitempty"` // this event says more than those before it: it takes their place
}

// sentRecord is what is kept of a message of ours: who told of it first, and who said most.
type sentRecord struct {
	First canonical.EventID `json:"first"`
	At    time.Time         `json:"at"`
	Best  canonical.EventID `json:"best"`
	Says  int               `json:"says"`

	Thread canonical.ThreadID `json:"thread"`
}

// sentSort is the sort key of a sentRecord, beside the receipts of the message.
const sentSort = "sent"

// sentKey returns where it is kept which event told of a message of ours; ok is false of an event that tells of none.
func sentKey(e *canonical.Event) (key store.Key, ok bool) {
	if e.Direction != canonical.Outbound || e.Type != canonical.TypeMessage || e.ProviderMessageID == "" {
		return store.Key{}, false
	}
	id := canonical.MessageKey(e.TenantID, e.Provider, e.AccountID, e.ProviderMessageID)
	return store.Key{Partition: e.TenantID + "/message/" + id, Sort: sentSort}, true
}

// worth returns how much an event says of a message: its words, then whether a person wrote them.
func worth(e *canonical.Event) (much int) {
	if saysSomething(e) {
		much = 2
	}
	if writtenByPerson(e) {
		much++
	}
	return much
}

// findTold finds out whether the message of an event is known, and keeps that it is now. One of whose first event nothing was recorded
// is known by this one: the other was given up, and finds this one should it be put back. The event takes over the message's time.
func (r *Router) findTold(ctx context.Context, j *job) (*Told, error) {
	e := &j.event
	key, ok := sentKey(e)
	if !ok {
		return nil, nil
	}
	known := sentRecord{First: e.EventID, At: e.Timestamp.UTC(), Best: e.EventID, Says: worth(e), Thread: e.ThreadID}
	var told *Told
	if held := j.held[key]; held.Version > 0 {
		var before sentRecord
		if err := json.Unmarshal(held.Data, &before); err != nil {
			return nil, fault.New(fault.Permanent, CodeRecord, nil)
		}
		recorded, err := r.recordedBefore(ctx, e, before.First)
		if err != nil {
			return nil, err
		}
		if recorded {
			told = &Told{Event: before.First, At: before.At, Better: before.Best == e.EventID || before.Says < known.Says}
			e.Timestamp, known.First, known.At = before.At, before.First, before.At
		}
		if recorded && !told.Better {
			return told, nil
		}
	}
	data, _ := json.Marshal(known) // ids and a time
	j.pointers = []store.Record{{Key: key, Expires: time.Now().Add(Retention + 24*time.Hour), Data: data}}
	return told, nil
}

// recordedBefore reports whether an event is another than e and recorded.
func (r *Router) recordedBefore(ctx context.Context, e *canonical.Event, event canonical.EventID) (bool, error) {
	if event == e.EventID {
		return false, nil
	}
	records, err := r.Store.Get(ctx, Key(e.TenantID, event))
	return err == nil && records[0].Version > 0, err
}

// withoutRepetition returns what rules decided of an event, without an activity, and without work, that another event made.
func (t *Told) withoutRepetition(decided rules.Decision) rules.Decision {
	if t == nil || t.Better {
		return decided
	}
	return without(decided, func(k delivery.Kind) bool { return k == delivery.LogActivity || k.Works() })
}

// without returns what rules decided, without the actions of some kinds.
func without(decided rules.Decision, some func(delivery.Kind) bool) rules.Decision {
	for i, c := range decided.CRMs {
		decided.CRMs[i].Actions = slices.DeleteFunc(slices.Clone(c.Actions), func(a delivery.Action) bool { return some(a.Kind) })
	}
	return decided
}
