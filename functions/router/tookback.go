package router

import (
	"context"
	"strings"

	"signalbox/shared/canonical"
)

// findReaction returns which reaction an event takes back that does not say so, as far as it is among the last of its thread; "" of any other
// event. A message has one reaction of a person where it is not said.
func (r *Router) findReaction(ctx context.Context, e *canonical.Event) (string, error) {
	if e.Reaction == nil || !e.Reaction.Removed || strings.TrimSpace(e.Reaction.Emoji) != "" || e.RelatesTo == nil {
		return "", nil
	}
	last, err := r.decided(ctx, e.TenantID, e.ThreadID, true)
	for _, record := range last {
		put, unread := record.decode()
		if unread == nil && put.Reaction != nil && !put.Reaction.Removed && put.Direction == e.Direction && put.RelatesTo != nil &&
			put.RelatesTo.ProviderMessageID == e.RelatesTo.ProviderMessageID && !put.Timestamp.After(e.Timestamp) {
			nameReaction(e, put.Reaction.Emoji)
			return put.Reaction.Emoji, err
		}
	}
	return "", err
}

// nameReaction makes an event say which reaction it takes back, where that is known.
func nameReaction(e *canonical.Event, emoji string) {
	if e.Reaction != nil && emoji != "" {
		e.Reaction = &canonical.Reaction{Emoji: emoji, Removed: e.Reaction.Removed}
	}
}
