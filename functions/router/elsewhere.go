package router

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// byMessage reports whether each message has a record of its own in CRMs.
func byMessage(t tenant.Timeline) bool {
	return t.Granularity == tenant.ByMessage || t.Granularity == ""
}

// timeline returns how what is said is shown on the line of a receipt.
func (x *messageReceipts) timeline() tenant.Timeline { return x.tenant.TimelineOf(x.event.LineID) }

// keys returns where it is kept whether anybody told of the message, and how the conversations of the receipt's thread stand.
func (x *messageReceipts) keys() []store.Key {
	return []store.Key{x.sentKey(), conversation.StatesKey(x.event.TenantID, x.event.ThreadID), x.failedKey()}
}

// sentKey returns where it is kept that somebody told of the message.
func (x *messageReceipts) sentKey() store.Key {
	return store.Key{Partition: x.event.TenantID + "/message/" + x.key, Sort: sentSort}
}

// failedKey returns where it is kept that the router was told that the message failed.
func (x *messageReceipts) failedKey() store.Key {
	return store.Key{Partition: x.event.TenantID + "/message/" + x.key, Sort: "failed"}
}

// readKnown reads, by as few calls as can be, what is known of messages whose CRMs show what is said together.
func (r *Receipts) readKnown(ctx context.Context, messages []*messageReceipts) {
	messages = slices.DeleteFunc(slices.Clone(messages), func(x *messageReceipts) bool { return x.err != nil || !x.rose || byMessage(x.timeline()) })
	const each = 3
	for chunk := range slices.Chunk(messages, store.MaxGet/each) {
		keys := keysOf(chunk)
		held, err := r.Store.Get(ctx, keys...)
		for _, x := range chunk {
			x.err, x.held = err, map[store.Key]store.Record{}
			for i, record := range held {
				x.held[keys[i]] = record
			}
		}
	}
}

// keysOf returns the keys of messages, each once: two may be of one thread.
func keysOf(messages []*messageReceipts) (keys []store.Key) {
	for _, x := range messages {
		for _, key := range x.keys() {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// tell finds out who is to be told of a message's receipt: its conversation's, if it is the last message of ours there, and the router if
// it failed, or had.
func (r *Receipts) tell(ctx context.Context, x *messageReceipts) (err error) {
	timeline := x.timeline()
	if !x.rose {
		return nil
	}
	if isDeadAddress(&x.event) {
		err = r.forward(ctx, x)
	}
	if err == nil && byMessage(timeline) {
		x.outgoing, err = r.updates(x, nil)
	}
	if err != nil || byMessage(timeline) {
		return err
	}
	sent, failed := x.held[x.sentKey()], x.held[x.failedKey()]
	if sent.Version == 0 {
		if timeline.Elsewhere {
			x.outgoing, err = r.updates(x, nil)
		}
		return err
	}
	var known sentRecord
	if err := json.Unmarshal(sent.Data, &known); err != nil {
		return fault.New(fault.Permanent, CodeRecord, nil)
	}
	x.event.ThreadID = cmp.Or(known.Thread, x.event.ThreadID) // where it is counted and shown, whoever its person is by now
	if timeline.Conversations {
		if err := r.raiseConversation(ctx, x); err != nil {
			return err
		}
	}
	switch {
	case isFailure(&x.event) && failed.Version == 0:
		err = r.noteFailed(ctx, x)
	case !isFailure(&x.event) && (failed.Version == 0 || !isArrival(&x.event)):
		return nil
	}
	if err != nil {
		return err
	}
	return r.forward(ctx, x)
}

// noteFailed notes that the router is told that a message failed, for whoever learns that it arrived after all. That may have been told
// before: the router looks.
func (r *Receipts) noteFailed(ctx context.Context, x *messageReceipts) error {
	_, err := r.Store.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{Key: x.failedKey(), Expires: time.Now().Add(receipt.Retention)}})
	if _, noted := errors.AsType[*store.ConflictError](err); noted {
		return nil
	}
	return err
}

// raiseConversation raises how far the last message of ours in a conversation got, if it is this one, and finds out whom to tell.
func (r *Receipts) raiseConversation(ctx context.Context, x *messageReceipts) error {
	tenantID, thread := x.event.TenantID, x.event.ThreadID
	var held *store.Record
	if states, read := x.held[conversation.StatesKey(tenantID, thread)]; read {
		held = &states
	}
	var of *receipt.Conversation
	_, err := conversation.UpdateStates(ctx, r.Store, tenantID, thread, held, func(c *conversation.Conversations) bool {
		state, changed := c.RaiseReceipt(x.key, x.status)
		if of = nil; state.LastSent == x.key {
			of = &receipt.Conversation{Thread: thread, Line: state.Line, Channel: state.Channel}
		}
		return changed
	})
	if err == nil && of != nil {
		x.outgoing, err = r.updates(x, of)
	}
	return err
}

// forward makes an event for the router of what a receipt says.
func (r *Receipts) forward(ctx context.Context, x *messageReceipts) error {
	e := x.event
	body, err := canonical.Encode(e)
	if err == nil {
		body, err = envelope.Event(ctx, r.sealer, &e, body)
	}
	x.verdict = &queue.Message{ID: regenerated(string(e.EventID), queue.Generation(x.from.ID)), Group: string(e.ThreadID), Body: body, Trace: x.trace}
	return err
}

// publishVerdicts sends the router what it is to know.
func (r *Receipts) publishVerdicts(ctx context.Context, messages []*messageReceipts) {
	var verdicts []queue.Message
	var of []*messageReceipts
	for _, x := range messages {
		if x.err == nil && x.verdict != nil {
			verdicts, of = append(verdicts, *x.verdict), append(of, x)
		}
	}
	if len(verdicts) == 0 {
		return
	}
	for i, err := range queue.Errors(r.Events.Publish(ctx, verdicts...), len(verdicts)) {
		of[i].err = err
	}
}
