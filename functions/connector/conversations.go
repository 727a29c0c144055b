package connector

import (
	"context"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
)

// ConversationUpdate asks one CRM to show how a conversation stands.
type ConversationUpdate struct {
	TenantID string
	CRM      string // the binding's name
	Thread   canonical.ThreadID
	Key      string            // conversation.State.ExternalID
	Links    map[string]string // of the person, as delivery.Person.Links
	State    conversation.State
}

// ConversationWriter is a CRM that shows how conversations stand. It is safe for concurrent use.
type ConversationWriter interface {
	// WriteConversations shows how conversations stand in as few calls as the CRM has for them, and returns one error each, sorted by
	// package fault. The updates are of one tenant and binding and have different Keys. A conversation that the CRM has no record of, or
	// whose person it does not hold, is left out and is no error: whoever delivers its next message shows it. A repetition changes
	// nothing. One bad row never fails its neighbours.
	WriteConversations(ctx context.Context, updates []ConversationUpdate) []error
}
