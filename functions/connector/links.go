package connector

import (
	"context"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
)

// ThreadLinks keeps what was learned in the heads of threads, where the router reads it.
type ThreadLinks struct{ Store conversation.Store }

// Link adds links to a thread's head.
func (l ThreadLinks) Link(ctx context.Context, tenant string, thread canonical.ThreadID, crm string, known, links map[string]string) error {
	return conversation.Link(ctx, l.Store, tenant, thread, crm, known, links)
}

var _ Links = ThreadLinks{}
