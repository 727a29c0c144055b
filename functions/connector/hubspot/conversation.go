package hubspot

import (
	"context"
	"slices"
	"strconv"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/conversation"
	"signalbox/shared/fault"
	"signalbox/shared/mapping"
)

var _ connector.ConversationWriter = (*CRM)(nil)

// WriteConversations implements connector.ConversationWriter: one call, which updates contacts that are there.
func (c *CRM) WriteConversations(ctx context.Context, updates []connector.ConversationUpdate) []error {
	if len(updates) == 0 {
		return nil
	}
	p, err := c.portal(ctx, connector.BindingKey{Tenant: updates[0].TenantID, CRM: updates[0].CRM})
	if err != nil {
		return slices.Repeat([]error{err}, len(updates))
	}
	errs := p.stand(ctx, len(updates), func(i int) (string, []conversation.State) { return updates[i].Links[linkContact], updates[i].All }, nil)
	for i, err := range errs {
		if fault.Is(err, codeNotFound) {
			errs[i] = nil
		}
	}
	return errs
}

// conversation shows how the conversations of deliveries stand, and finds out whose contact is gone.
func (p *portal) conversation(ctx context.Context, w batch) {
	errs := p.stand(ctx, w.Len(), func(i int) (string, []conversation.State) {
		if s := w.Stands(i); s != nil {
			return w.Request(i).contact, s.All
		}
		return "", nil
	}, func(i int) []mapping.Field {
		return slices.Concat(w.Fields(i, mapping.Conversation, false), w.Fields(i, mapping.Person, false))
	})
	for i, err := range errs {
		if err != nil {
			p.failed(ctx, w, i, err)
			continue
		}
		w.Succeed(i)
	}
}

// stand shows on n contacts how the newest of their conversations stands, in one call, and returns an error each. What has no contact, or no
// conversation, is left out, as everything is in a portal without the properties. Mapped, if not nil, returns what else the contact gets.
func (p *portal) stand(ctx context.Context, n int, of func(int) (contact string, all []conversation.State), mapped func(int) []mapping.Field) []error {
	errs := make([]error, n)
	var at []int
	var rows []input
	for i := range n {
		if contact, all := of(i); contact != "" && len(all) > 0 && p.binding.showsConversations() {
			properties := standing(shownOf(all), p.binding.Properties)
			if mapped != nil {
				properties = with(properties, mapped(i))
			}
			at, rows = append(at, i), append(rows, input{ID: contact, Properties: properties})
		}
	}
	for k, r := range p.write(ctx, contacts, "update", rows) {
		errs[at[k]] = r.err
	}
	return errs
}

// showsConversations reports whether a portal has the properties of how a conversation stands.
func (b Binding) showsConversations() bool { return b.Properties.ConversationStatus != "" }

// shownOf returns which of a person's conversations their contact shows: the one with the newest message of those that are not closed, or
// of all if every one is. It is the same in whatever order they come.
func shownOf(all []conversation.State) conversation.State {
	var shown conversation.State
	for i, s := range all {
		open, held := s.Status != conversation.Closed, shown.Status != conversation.Closed
		switch by := latest(s).Compare(latest(shown)); {
		case i == 0, open && !held, open == held && by > 0, open == held && by == 0 && s.Line+" "+string(s.Channel) < shown.Line+" "+string(shown.Channel):
			shown = s
		}
	}
	return shown
}

// latest returns when the newest message of a conversation was written.
func latest(s conversation.State) time.Time {
	if s.LastInbound.After(s.LastOutbound) {
		return s.LastInbound
	}
	return s.LastOutbound
}

// standing returns what a contact is to say of a conversation: all of it, so that nothing is left of another one. An empty value clears.
func standing(s conversation.State, names Properties) map[string]string {
	instant := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return connector.Instant(t)
	}
	waiting, answered := "", ""
	if s.Status == conversation.WaitingForUs {
		waiting = instant(s.Since)
	}
	if !s.FirstAnswer.IsZero() {
		answered = strconv.FormatInt(int64(s.FirstAnswer.Sub(s.FirstInbound)/time.Second), 10)
	}
	return map[string]string{
		names.ConversationStatus: string(s.Status), names.ConversationChannel: string(s.Channel), names.ConversationLine: connector.Clean(s.Line),
		names.ConversationOwner: connector.Clean(s.Owner), names.WaitingSince: waiting,
		names.FirstInboundAt: instant(s.FirstInbound), names.LastInboundAt: instant(s.LastInbound),
		names.FirstOutboundAt: instant(s.FirstOutbound), names.LastOutboundAt: instant(s.LastOutbound),
		names.FirstResponseSeconds: answered, names.Messages: strconv.Itoa(s.Messages), names.LastReceipt: s.Receipt,
	}
}
