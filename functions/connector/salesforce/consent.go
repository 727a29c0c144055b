package salesforce

import (
	"context"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// consentRow is what a person is to say. The visible fields follow from the hidden one: opted out while any channel is, since
// the newest change.
func consentRow(id string, p connector.Permissions) connector.Object {
	out, newest := p.Summary()
	var channels any // null clears it
	if len(out) > 0 {
		channels = connector.Cut(strings.Join(out, ";"), maxProvider)
	}
	return row(kindOf(id), id, fieldConsent, p.Encode(),
		"Msg_Opt_Out__c", len(out) > 0, "Msg_Opt_Out_At__c", connector.Instant(newest), "Msg_Opt_Out_Channels__c", channels)
}

// consent writes consent changes where they are newer than what the persons say: on whom each is about, and on all others who have the
// number. It is the number that is closed, whoever it is kept with.
func (o *org) consent(ctx context.Context, w batch) {
	others := connector.FindOthers(w, func(r Request) (delivery.Person, string) { return r.Delivery.Person, r.Who }, func(person delivery.Person) (ids []string, err error) {
		for _, digits := range connector.SearchDigits(person.Phone) {
			found, err := o.withPhone(ctx, person, "", digits)
			if err != nil {
				return nil, err
			}
			for _, p := range found {
				ids = append(ids, p.who())
			}
		}
		return ids, nil
	})
	o.amend(ctx, w, others, func(r Request, held *holding) (connector.Object, error) {
		channels, news, sensible := connector.PermissionOf(r.Action.Value)
		if !sensible {
			return nil, fault.New(fault.Permanent, "salesforce_consent_invalid", nil)
		}
		permissions := connector.DecodePermissions(held.Consent)
		if !permissions.ApplyAll(channels, news) {
			return nil, nil
		}
		held.Consent = permissions.Encode()
		return consentRow(held.ID, permissions), nil
	}, fieldConsent)
}
