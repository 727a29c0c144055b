package hubspot

import (
	"context"
	"strconv"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// sequenceBegan is HubSpot's own property: when the contact was last enrolled in a sequence. It is empty for who never was.
const sequenceBegan = "hs_latest_sequence_enrolled_date"

// stop is the value of Properties.StopAutomation that the customer's workflow listens to.
const stop = "true"

// replied shows on contacts that they answered. HubSpot's API takes nobody out of a sequence: the customer's workflow does when
// the contact says so, and clears the property; see package/sequences.md.
func (p *portal) replied(ctx context.Context, w batch) {
	names := p.binding.Properties
	properties := []string{names.LastReplyAt, names.StopAutomation, sequenceBegan}
	p.amend(ctx, w, properties, func(r Request, held map[string]string) (map[string]string, error) {
		reply, sensible := connector.ReplyOf(r.delivery.Actions)
		if !sensible {
			return nil, fault.New(fault.Permanent, "hubspot_reply_invalid", nil)
		}
		return answered(reply, held, names), nil
	}, nil)
}

// answered returns what the contact is to say of a reply: nothing when it tells of a newer one, which ended whatever this one
// would. A sequence that began after the reply is not what it answers, and goes on.
//
// A repeat may find its own reply told and the property cleared: by the workflow, or because it never was set. The two look the
// same, so it is set again. At worst the workflow runs once more, for sequences that are over. So it is with what we wrote by hand, of which
// the contact tells nothing else.
func answered(reply connector.Reply, held map[string]string, names Properties) map[string]string {
	last := moment(held[names.LastReplyAt])
	if last.After(reply.At) {
		return nil
	}
	changed := make(map[string]string, 2)
	if reply.Mark && !last.Equal(reply.At) {
		changed[names.LastReplyAt] = connector.Instant(reply.At)
	}
	if !reply.Cancel || moment(held[sequenceBegan]).After(reply.At) {
		return changed
	}
	if len(changed) > 0 || held[names.StopAutomation] != stop { // with a new reply always: the workflow may be clearing it by now
		changed[names.StopAutomation] = stop
	}
	return changed
}

// moment reads a time as HubSpot writes it, ISO 8601 or milliseconds since 1970. It is zero for what is neither: a property may
// have been edited by hand.
func moment(value string) time.Time {
	if t, err := time.Parse(time.RFC3339, value); err == nil {
		return t
	}
	if ms, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}
