package hubspot

import (
	"context"
	"slices"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/receipt"
)

// What the receipts lane may take of a portal. The smallest limit of an app is 100 requests in ten seconds; two processes that
// pause so long take less than half of it, and leave the rest to live messages.
const (
	ReceiptsWidth = maxBatch
	ReceiptsPause = 500 * time.Millisecond
)

var _ connector.StatusWriter = (*CRM)(nil)

// WriteStatuses implements connector.StatusWriter: one call, which updates records that are there. A portal that cannot hold our
// key on communications has no way to find a message by it: it shows no status.
func (c *CRM) WriteStatuses(ctx context.Context, updates []receipt.Update) []error {
	if len(updates) == 0 {
		return nil
	}
	p, err := c.portal(ctx, connector.BindingKey{Tenant: updates[0].TenantID, CRM: updates[0].CRM})
	if err != nil {
		return slices.Repeat([]error{err}, len(updates))
	}
	errs := make([]error, len(updates))
	if !p.binding.Capabilities.EngagementUpsert {
		return errs
	}
	names := p.binding.Properties
	rows := make([]input, len(updates))
	for i, u := range updates {
		properties := map[string]string{names.Status: u.State, names.StatusError: u.Error} // nothing, once it arrived after all
		if names.StatusReason != "" {
			properties[names.StatusReason] = receipt.Words(u.Reason)
		}
		rows[i] = input{ID: u.Key, IDProperty: names.EventKey, Properties: properties}
	}
	for i, r := range p.write(ctx, communications, "update", rows) {
		if !fault.Is(r.err, codeNotFound) { // nobody has put the message on a timeline, or nobody yet
			errs[i] = r.err
		}
	}
	return errs
}
