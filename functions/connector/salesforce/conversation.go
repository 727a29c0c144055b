package salesforce

import (
	"context"
	"slices"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/conversation"
)

// The object of conversations, which release 3 of package/ brought.
const (
	conversationObject   = "Msg_Conversation__c"
	fieldConversationKey = "Conversation_Key__c"
)

var _ connector.ConversationWriter = (*CRM)(nil)

// stateOf returns how a conversation stands. All of it follows from the state: what is not known is cleared.
func stateOf(s conversation.State) connector.Object {
	at := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return connector.Instant(t)
	}
	var answered any
	if !s.FirstAnswer.IsZero() && !s.FirstInbound.IsZero() {
		answered = int(s.FirstAnswer.Sub(s.FirstInbound).Seconds())
	}
	return connector.Object{
		"Channel__c", string(s.Channel), "Line__c", orNull(s.Line), "Status__c", orNull(string(s.Status)), "Waiting_Since__c", at(s.Since),
		"First_Inbound_At__c", at(s.FirstInbound), "Last_Inbound_At__c", at(s.LastInbound),
		"First_Outbound_At__c", at(s.FirstOutbound), "Last_Outbound_At__c", at(s.LastOutbound),
		"First_Response_Seconds__c", answered, "Messages__c", s.Messages,
		"Last_Receipt__c", orNull(s.Receipt), "Last_Receipt_At__c", at(s.ReceiptAt), "Consent__c", orNull(s.Consent), "Owner_Name__c", orNull(s.Owner),
	}
}

// WriteConversations implements connector.ConversationWriter, in two calls as WriteStatuses does. An org whose release of package/ has no
// conversations is left alone.
func (c *CRM) WriteConversations(ctx context.Context, of []connector.ConversationUpdate) []error {
	if len(of) == 0 {
		return nil
	}
	o, err := c.org(ctx, connector.BindingKey{Tenant: of[0].TenantID, CRM: of[0].CRM})
	if err != nil || o.binding.Package < releaseConversations {
		return slices.Repeat([]error{err}, len(of))
	}
	keys, states := make([]string, len(of)), make([]connector.Object, len(of))
	for i, u := range of {
		keys[i], states[i] = u.Key, stateOf(u.State)
	}
	return o.updateHeld(ctx, conversationObject, fieldConversationKey, keys, states)
}

// orNull returns a text as a member that clears the field where it is empty.
func orNull(value string) any {
	if value == "" {
		return nil
	}
	return connector.Cut(value, maxField)
}
