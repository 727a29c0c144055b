package router

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/store"
)

// Log lists what happened in threads; *dynamostore.Store and *memstore.Store do.
type Log interface {
	List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error)
}

// Reply is that outreach was answered: by a message that has just come, or, when it is the outreach that has just come to be
// known, by one that came before.
type Reply struct {
	Event    canonical.EventID   `json:"eventId"`
	At       time.Time           `json:"at"`       // event time
	Outreach []canonical.EventID `json:"outreach"` // what was answered
}

// headReply returns the reply as threads' heads have it.
func (r *Reply) headReply() conversation.Message {
	return conversation.Message{Event: r.Event, At: r.At}
}

// isOutreach reports whether an event is something we sent that a person can answer. An answer that a machine of ours gave by
// itself is none.
func isOutreach(e *canonical.Event) bool {
	return e.Direction == canonical.Outbound && e.Type == canonical.TypeMessage && !e.Flags.AutoReply
}

// canReply reports whether an event can be the answer to an outreach: a person wrote. A keyword is one: whoever asks to be left
// alone has answered. Receipts, reactions, what a machine wrote and messages of nothing are none. The last are what a provider
// makes of what it cannot show, a reaction among it.
func canReply(e *canonical.Event) bool {
	if e.Direction != canonical.Inbound || automatic(e) {
		return false
	}
	switch e.Type {
	case canonical.TypeConsent:
		return true
	case canonical.TypeMessage:
		return saysSomething(e) && !isReaction(e.Message.Text) && (e.RelatesTo == nil || e.RelatesTo.Kind != "reaction")
	default:
		return false
	}
}

// saysSomething reports whether a message has content, had some that was set aside, or has some that only a device shows.
func saysSomething(e *canonical.Event) bool {
	m := e.Message
	return m != nil && (e.Metadata[canonical.MetadataSetAside] != nil || len(m.Attachments) > 0 || m.Postback != nil || m.Location != nil || m.Template != nil ||
		len(m.Contacts) > 0 || m.Order != nil || len(m.Cards) > 0 || m.List != nil ||
		m.ContentType == canonical.ContentEncrypted || m.ContentType == canonical.ContentUnsupported || strings.TrimFunc(m.Text, invisible) != "")
}

// findReply returns the reply that an event is, or that an outreach already has; nil if there is none. Event times decide, not arrival.
// One that was told before waits, or has its reply, by what told of it.
func (r *Router) findReply(ctx context.Context, e *canonical.Event, told *Told, head *conversation.Head) (*Reply, error) {
	switch {
	case canReply(e):
		if answered := head.OutreachBefore(e.Timestamp); len(answered) > 0 {
			return &Reply{e.EventID, e.Timestamp.UTC(), answered}, nil
		}
	case isOutreach(e) && told == nil:
		var first conversation.Message
		for _, thread := range append([]canonical.ThreadID{e.ThreadID}, head.Members...) {
			earlier, err := r.findAnswer(ctx, e, thread)
			if err != nil {
				return nil, err
			}
			if first.At.IsZero() || !earlier.At.IsZero() && earlier.At.Before(first.At) {
				first = earlier
			}
		}
		if !first.At.IsZero() {
			return &Reply{first.Event, first.At, []canonical.EventID{e.EventID}}, nil
		}
	}
	return nil, nil
}

// findAnswer looks for the first message of a thread that is an answer to an outreach which comes to be known only now. Most
// outreach is known before anybody answers, and then there is nothing behind it in the log.
func (r *Router) findAnswer(ctx context.Context, outreach *canonical.Event, thread canonical.ThreadID) (conversation.Message, error) {
	for e, err := range r.later(ctx, outreach, thread) {
		if err != nil {
			return conversation.Message{}, err
		}
		if canReply(&e) {
			return conversation.Message{Event: e.EventID, At: e.Timestamp.UTC()}, nil
		}
	}
	return conversation.Message{}, nil
}

// later returns the events of a thread that were routed and are later than one, in the order of their times. Those of an erased person are gone.
// A pointer without a record is of one that was not routed; should it be, it finds what came before.
func (r *Router) later(ctx context.Context, than *canonical.Event, thread canonical.ThreadID) iter.Seq2[canonical.Event, error] {
	from := *than
	from.ThreadID = thread
	after := logPointer(&from, time.Time{}).Key
	return func(yield func(canonical.Event, error) bool) {
		for page, err := range store.Pages(ctx, r.Log, store.Range{Partition: after.Partition, Prefix: logPrefix, After: after.Sort, Limit: store.MaxGet}) {
			if err != nil {
				yield(canonical.Event{}, err)
				return
			}
			for record, err := range r.records(ctx, than.TenantID, page) {
				var e canonical.Event
				if err == nil {
					e, err = record.decode()
				}
				// A copy of a webhook that gives no time of its own leaves a pointer at the time of the copy.
				if (err != nil || e.Timestamp.After(than.Timestamp) && e.ThreadID == thread) && (!yield(e, err) || err != nil) {
					return
				}
			}
		}
	}
}

// addOutreach brings an outreach that nobody has answered into the thread's head. The head is written before the record: one that is
// given up in between finds its answer even when it is put back after that came, since what has no record is decided anew.
func (r *Router) addOutreach(ctx context.Context, e *canonical.Event, d Decision, head store.Record) error {
	if d.Reply != nil || d.Told != nil || !isOutreach(e) {
		return nil
	}
	return conversation.Update(ctx, r.Store, head.Key, &head, func(h *conversation.Head) bool {
		return h.AddOutreach(conversation.Message{Event: e.EventID, At: e.Timestamp.UTC()})
	})
}

// addReply writes a reply into the thread's head, and beside the outreach that it is to. It follows from the record, so that a repeat
// writes the same.
func (r *Router) addReply(ctx context.Context, j *job, e *canonical.Event, d *Decision) error {
	if d.Reply == nil {
		return nil
	}
	if err := r.Store.Note(ctx, repliedPointers(e.TenantID, d.Reply)...); err != nil {
		return err
	}
	key := conversation.Key(e.TenantID, e.ThreadID)
	return conversation.Update(ctx, r.Store, key, j.threadHead, func(h *conversation.Head) bool { return h.AddReply(d.Reply.headReply()) })
}

// repliedPointers returns what is noted beside each outreach that was answered: whoever looks at it sees when, and by what.
func repliedPointers(tenant string, reply *Reply) []store.Record {
	pointers := make([]store.Record, len(reply.Outreach))
	for i, outreach := range reply.Outreach {
		data, _ := json.Marshal(reply.headReply()) // an id and a time
		pointers[i] = store.Record{
			Key: eventKey(tenant, outreach, "replied"), Number: reply.At.UnixMilli(), Data: data, Expires: time.Now().Add(Retention),
		}
	}
	return pointers
}
