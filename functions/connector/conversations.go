package connector

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// ConversationUpdate asks one CRM to show how a conversation stands.
type ConversationUpdate struct {
	TenantID string
	CRM      string // the binding's name
	Thread   canonical.ThreadID
	Key      string            // conversation.State.ExternalID
	Links    map[string]string // of the person, as delivery.Person.Links
	State    conversation.State
	All      []conversation.State // of the thread: for a CRM that shows one of them
}

// ConversationWriter is a CRM that shows how conversations stand. It is safe for concurrent use.
type ConversationWriter interface {
	// WriteConversations shows how conversations stand in as few calls as the CRM has for them, and returns one error each, sorted by
	// package fault. The updates are of one tenant and binding and have different Keys. A conversation that the CRM has no record of, or
	// whose person it does not hold, is left out and is no error: whoever delivers its next message shows it. A repetition changes
	// nothing. One bad row never fails its neighbours.
	WriteConversations(ctx context.Context, updates []ConversationUpdate) []error
}

// standing is a conversation that updates of a batch are about.
type standing struct {
	task
	receipt.Conversation
	update  ConversationUpdate
	written string // fingerprint of what was written
}

// writeStandings shows how a binding's conversations stand, one call after the other. After a call that failed for every row the rest is
// left.
func (r *Receipts) writeStandings(ctx context.Context, of BindingKey, writer ConversationWriter, all []*standing) {
	width := min(r.options.Width, store.MaxGet/2)
	for begin := 0; begin < len(all); begin += width {
		chunk := all[begin:min(begin+width, len(all))]
		if !r.pause(ctx, of) {
			failAll(all[begin:], queue.ErrNotStarted)
			break
		}
		r.writeChunk(ctx, of, writer, chunk)
		if err := common(chunk); err != nil {
			failAll(all[begin:], err)
			break
		}
	}
	written := 0
	for _, s := range all {
		if s.err == nil && s.written != "" {
			written++
		}
	}
	labels := []telemetry.Label{{Name: "tenant", Value: of.Tenant}, {Name: "crm", Value: of.CRM}}
	r.options.Meter.Count("ConversationsWritten", written, labels...)
}

// writeChunk writes how conversations stand and reads them again until what was written is how they stand. Whatever changes one for ever
// has an update or a delivery of its own.
func (r *Receipts) writeChunk(ctx context.Context, of BindingKey, writer ConversationWriter, chunk []*standing) {
	for range maxRounds {
		changed, err := r.changed(ctx, of, chunk)
		if err != nil {
			failAll(chunk, err)
			return
		}
		if len(changed) == 0 {
			return
		}
		updates := make([]ConversationUpdate, len(changed))
		for i, s := range changed {
			updates[i], s.written = s.update, fingerprint(s.update.All...)
		}
		within, cancel := context.WithTimeout(ctx, r.options.Attempt)
		began := time.Now()
		answered(r, of, changed, began, writer.WriteConversations(within, updates))
		cancel()
		chunk = slices.DeleteFunc(changed, func(s *standing) bool { return s.err != nil })
	}
}

// changed reads how conversations stand and whom the CRM holds, and returns those that do not stand as they were written.
func (r *Receipts) changed(ctx context.Context, of BindingKey, chunk []*standing) ([]*standing, error) {
	keys := map[store.Key]store.Record{}
	for _, s := range chunk {
		keys[conversation.StatesKey(of.Tenant, s.Thread)], keys[conversation.Key(of.Tenant, s.Thread)] = store.Record{}, store.Record{}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	asked := slices.Collect(maps.Keys(keys))
	found, err := r.options.Store.Get(ctx, asked...)
	if err != nil {
		return nil, err
	}
	for i, record := range found {
		keys[asked[i]] = record
	}
	var changed []*standing
	for _, s := range chunk {
		state, all, unread := findState(keys[conversation.StatesKey(of.Tenant, s.Thread)], s.Line, s.Channel)
		head, malformed := conversation.Decode(keys[conversation.Key(of.Tenant, s.Thread)].Data)
		if s.err = cmp.Or(unread, malformed); s.err != nil || state == nil || fingerprint(all...) == s.written {
			continue
		}
		s.update = ConversationUpdate{
			TenantID: of.Tenant, CRM: of.CRM, Thread: s.Thread, Key: state.ExternalID(of.Tenant, s.Thread), Links: head.Links[of.CRM], State: *state, All: all,
		}
		changed = append(changed, s)
	}
	return changed, nil
}
