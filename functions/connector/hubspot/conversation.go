package hubspot

import (
	"context"
	"slices"
	"strconv"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/conversation"
	"signalbox/shared/fault"
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
	errs := p.stand(ctx, len(updates), func(i int) (string, *conversation.State) { return updates[i].Links[linkContact], &updates[i].State })
	for i, err := range errs {
		if fault.Is(err, codeNotFound) {
			errs[i] = nil
		}
	}
	return errs
}

// conversation shows how the conversations of deliveries stand, and finds out whose contact is gone.
func (p *portal) conversation(ctx context.Context, w batch) {
	errs := p.stand(ctx, w.Len(), func(i int) (string, *conversation.State) {
		if a := w.Activity(i); a != nil {
			return w.Request(i).contact, a.Conversation
		}
		return "", nil
	})
	for i, err := range errs {
		if err != nil {
			p.failed(ctx, w, i, err)
			continue
		}
		w.Succeed(i)
	}
}

// stand shows how n conversations stand on contacts, in one call, and returns an error each. What has no contact, or no state, is left out, as
// everything is in a portal without the properties.
func (p *portal) stand(ctx context.Context, n int, of func(int) (contact string, s *conversation.State)) []error {
	errs := make([]error, n)
	var at []int
	var rows []input
	for i := range n {
		if contact, s := of(i); contact != "" && s != nil && p.binding.showsConversations() {
			at, rows = append(at, i), append(rows, input{ID: contact, Properties: standing(*s, p.binding.Properties)})
		}
	}
	for k, r := range p.write(ctx, contacts, "update", rows) {
		errs[at[k]] = r.err
	}
	return errs
}

// showsConversations reports whether a portal has the properties of how a conversation stands.
func (b Binding) showsConversations() bool { return b.Properties.ConversationStatus != "" }

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
