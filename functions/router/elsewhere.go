package router

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

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
	e := &x.event
	return []store.Key{
		{Partition: e.TenantID + "/message/" + x.key, Sort: sentSort}, conversation.StatesKey(e.TenantID, e.ThreadID),
	}
}

// readKnown reads, by as few calls as can be, what is known of messages whose CRMs show what is said together.
func (r *Receipts) readKnown(ctx context.Context, messages []*messageReceipts) {
	messages = slices.DeleteFunc(slices.Clone(messages), func(x *messageReceipts) bool { return x.err != nil || !x.rose || byMessage(x.timeline()) })
	const each = 2
	for chunk := range slices.Chunk(messages, store.MaxGet/each) {
		var keys []store.Key
		for _, x := range chunk {
			for _, key := range x.keys() {
				if !slices.Contains(keys, key) { // two messages of one thread
					keys = append(keys, key)
				}
			}
		}
		held, err := r.Store.Get(ctx, keys...)
		for _, x := range chunk {
			x.err, x.held = err, map[store.Key]store.Record{}
			for i, record := range held {
				x.held[keys[i]] = record
			}
		}
	}
}

// tell finds out who is to be told of a message's receipt: its conversation's, if it is the last message of ours there, and the router if
// it failed.
func (r *Receipts) tell(ctx context.Context, x *messageReceipts) (err error) {
	timeline := x.timeline()
	switch {
	case !x.rose:
		return nil
	case byMessage(timeline):
		x.outgoing, err = r.updates(x, nil)
		return err
	}
	keys := x.keys()
	sent := x.held[keys[0]]
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
	if isFailure(&x.event) {
		return r.forward(ctx, x)
	}
	return nil
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

// forward makes an event for the router of a message that failed.
func (r *Receipts) forward(ctx context.Context, x *messageReceipts) error {
	e := x.event
	body, err := canonical.Encode(e)
	if err == nil {
		body, err = envelope.Event(ctx, r.sealer, &e, body)
	}
	x.failure = &queue.Message{ID: regenerated(string(e.EventID), queue.Generation(x.from.ID)), Group: string(e.ThreadID), Body: body, Trace: x.trace}
	return err
}

// publishFailures sends the router what failed.
func (r *Receipts) publishFailures(ctx context.Context, messages []*messageReceipts) {
	var failures []queue.Message
	var of []*messageReceipts
	for _, x := range messages {
		if x.err == nil && x.failure != nil {
			failures, of = append(failures, *x.failure), append(of, x)
		}
	}
	if len(failures) == 0 {
		return
	}
	for i, err := range queue.Errors(r.Events.Publish(ctx, failures...), len(failures)) {
		of[i].err = err
	}
}
