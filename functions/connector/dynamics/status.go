package dynamics

import (
	"cmp"
	"context"
	"slices"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
)

// What the receipts lane may take of an environment: as many updates in a call as are read of the store at once, and two calls a second, which
// is a tenth of the 6,000 requests in five minutes that each of Dataverse's servers takes of a user.
// See https://learn.microsoft.com/power-apps/developer/data-platform/api-limits.
const (
	ReceiptsWidth = store.MaxGet
	ReceiptsPause = 500 * time.Millisecond
)

// WriteStatuses implements connector.StatusWriter: what the rows say is read, and those that say less are written, each if nobody wrote to it
// in between. No row is made of a message that nobody has put on a timeline.
func (c *CRM) WriteStatuses(ctx context.Context, of []receipt.Update) []error {
	if len(of) == 0 {
		return nil
	}
	keys, members := make([]string, len(of)), make([]connector.Object, len(of))
	for i, u := range of {
		keys[i] = u.Key
		members[i] = connector.Object{
			"msg_status", u.State, "msg_statusrank", u.Rank(), "msg_statusat", connector.Instant(u.At),
			"msg_statuserror", orNull(u.Error), "msg_statusreason", orNull(receipt.Words(u.Reason)),
		}
	}
	return c.update(ctx, connector.BindingKey{Tenant: of[0].TenantID, CRM: of[0].CRM}, messages, eventKey, keys, members, func(i int, held row) bool {
		return held.Rank != nil && *held.Rank > of[i].Rank()
	})
}

// WriteConversations implements connector.ConversationWriter.
func (c *CRM) WriteConversations(ctx context.Context, of []connector.ConversationUpdate) []error {
	if len(of) == 0 {
		return nil
	}
	keys, members := make([]string, len(of)), make([]connector.Object, len(of))
	for i, u := range of {
		keys[i], members[i] = u.Key, standing(u.State)
	}
	return c.update(ctx, connector.BindingKey{Tenant: of[0].TenantID, CRM: of[0].CRM}, conversations, conversationKey, keys, members, nil)
}

// row is what is read of a row before it is written.
type row struct {
	ETag string `json:"@odata.etag"`
	Rank *int   `json:"msg_statusrank"`
}

// update writes members of the rows of a set that are there by their keys, and returns an error each. With ahead, rows are read first, and those
// of which it says so are left alone.
func (c *CRM) update(
	ctx context.Context, at connector.BindingKey, set, column string, keys []string, members []connector.Object, ahead func(i int, held row) bool,
) []error {
	e, err := c.environment(ctx, at)
	if err != nil {
		return slices.Repeat([]error{err}, len(keys))
	}
	errs, rows := make([]error, len(keys)), make([][]part, len(keys))
	for i, key := range keys {
		if keyForm.MatchString(key) { // what is no key of ours has no row
			rows[i] = []part{held(byKey(set, column, key), "*", members[i])}
		}
	}
	if ahead != nil {
		e.compare(ctx, rows, errs, ahead)
	}
	for i, replies := range e.exchange(ctx, rows) {
		if errs[i] = cmp.Or(errs[i], firstOf(replies)); missing(errs[i]) {
			errs[i] = nil
		}
		errs[i] = e.explained(ctx, errs[i])
	}
	return errs
}

// compare reads the rows that are to be written, and makes each write one of the version that was read. It takes out those that are ahead, or
// cannot be read.
func (e *environment) compare(ctx context.Context, rows [][]part, errs []error, ahead func(i int, held row) bool) {
	reads := make([][]part, len(rows))
	for i, write := range rows {
		if write != nil {
			reads[i] = []part{get(write[0].path + "?$select=msg_statusrank")}
		}
	}
	for i, replies := range e.exchange(ctx, reads) {
		var held row
		if len(replies) == 0 {
			continue
		}
		if errs[i] = replies[0].read(&held); errs[i] != nil || ahead(i, held) {
			rows[i] = nil
			continue
		}
		rows[i][0].match = held.ETag
	}
}

// orNull returns a text as a member that clears the column where it is empty.
func orNull(value string) any {
	if value == "" {
		return nil
	}
	return connector.Cut(value, maxShort)
}
