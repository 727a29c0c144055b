package hubspot

import (
	"context"
	"log/slog"
	"strconv"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// consent writes consent changes where they are newer than what the contacts say: on whom each is about, and on all others who have the
// number. It is the number that is closed, whoever it is kept with.
func (p *portal) consent(ctx context.Context, w batch) {
	names := p.binding.Properties
	others := connector.FindOthers(w, func(r Request) (delivery.Person, string) { return r.delivery.Person, r.contact }, func(person delivery.Person) (ids []string, err error) {
		found, err := p.search(ctx, person.Phone)
		if len(found) == candidates {
			p.crm.options.Logger.WarnContext(ctx, "more contacts may have the phone number than a search finds", slog.String("tenant", p.of.Tenant))
		}
		for _, o := range samePhone(found, person.Phone, person.Region) {
			ids = append(ids, o.ID)
		}
		return ids, err
	})
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
	}, others)
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
