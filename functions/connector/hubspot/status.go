package hubspot

import (
	"context"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/receipt"
)

// What the receipts lane may take of a portal. The smallest limit of an app is 100 requests in ten seconds; two processes that
// pause so long take less than half of it, and leave the rest to live messages.
const (
	ReceiptsWidth = maxBatch
	ReceiptsPause = 500 * time.Millisecond
)

var _ connector.StatusWriter = (*CRM)(nil)

// WriteStatuses implements connector.StatusWriter: one call for records that are there, a second one for those that are not.
// An upsert would do both in one, and set a message's time and channel back to what its receipt knows. A portal that cannot
// hold our key on communications has no way to find a message by it: it shows no status.
func (c *CRM) WriteStatuses(ctx context.Context, updates []receipt.Update) []error {
	errs := make([]error, len(updates))
	if len(updates) == 0 {
		return errs
	}
	p, err := c.portal(ctx, connector.Place{Tenant: updates[0].TenantID, CRM: updates[0].CRM})
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	if !p.binding.Capabilities.EngagementUpsert {
		c.meter.Count("HubSpotStatusSkipped", len(updates))
		return errs
	}
	all := make([]int, len(updates))
	for i := range updates {
		all[i] = i
	}
	absent := p.statuses(ctx, "update", updates, all, errs, codeNotFound)
	overtaken := p.statuses(ctx, "create", updates, absent, errs, codeConflict)
	p.statuses(ctx, "update", updates, overtaken, errs, "")
	return errs
}

// statuses writes the updates at and answers those refused with a code that says to try the other verb.
func (p *portal) statuses(ctx context.Context, verb string, updates []receipt.Update, at []int, errs []error, other string) (left []int) {
	if len(at) == 0 {
		return nil
	}
	names := p.binding.Properties
	rows := make([]input, len(at))
	for k, i := range at {
		u := updates[i]
		rows[k] = input{ID: u.Key, IDProperty: names.EventKey, Properties: fill(names.Status, u.State, names.StatusError, u.Error)}
		if verb == "create" {
			rows[k].IDProperty = ""
			rows[k].Properties = stub(u, names)
		}
	}
	for k, r := range p.write(ctx, communications, verb, rows) {
		errs[at[k]] = r.err
		if other != "" && is(r.err, other) {
			left = append(left, at[k])
		}
	}
	return left
}

// stub answers the record of a message that is not there yet. The message brings the body, the person and its own time.
func stub(u receipt.Update, names Properties) map[string]string {
	return fill(
		names.EventKey, u.Key,
		"hs_communication_channel_type", channelType(u.Channel),
		"hs_communication_logged_from", "CRM",
		"hs_timestamp", instant(u.At),
		names.Direction, "outbound",
		names.Status, u.State,
		names.StatusError, u.Error,
		names.Channel, string(u.Channel),
	)
}
