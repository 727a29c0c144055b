package hubspot

import (
	"context"
	"strconv"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// consent writes consent changes where they are newer than what the contacts say.
func (p *portal) consent(ctx context.Context, w batch) {
	names := p.binding.Properties
	p.amend(ctx, w, []string{names.Consent}, func(r Request, held map[string]string) (map[string]string, error) {
		channels, news, sensible := connector.PermissionOf(r.action.Value)
		if !sensible {
			return nil, fault.New(fault.Permanent, "hubspot_consent_invalid", nil)
		}
		permissions := connector.DecodePermissions(held[names.Consent])
		if !permissions.ApplyAll(channels, news) {
			return nil, nil
		}
		return permitted(permissions, names), nil
	})
}

// permitted returns what the contact is to say. The visible properties follow from the hidden one: opted out while any channel
// is, since the newest change.
func permitted(p connector.Permissions, names Properties) map[string]string {
	out, newest := p.Summary()
	return map[string]string{
		names.Consent:       p.Encode(),
		names.OptOut:        strconv.FormatBool(len(out) > 0),
		names.OptOutAt:      connector.Instant(newest),
		names.OptOutChannel: strings.Join(out, ";"), // empty clears it
	}
}
