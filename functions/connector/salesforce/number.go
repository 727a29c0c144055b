package salesforce

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// number writes the number that persons have now where they still show the one that they had. There are few of these, so that each is
// looked at alone.
func (o *org) number(ctx context.Context, w batch) {
	saves := *o
	saves.binding.Capabilities.AllowDuplicates = true // somebody else may have had the number before
	w.Each(w.All(), func(i int) {
		err := saves.renumber(ctx, w.Request(i))
		switch kept := fault.Of(err); {
		case kept != nil && slices.Contains([]string{codeDuplicates, codeSchema, codeInvalid, codeRule, codeFlow, codeTrigger}, kept.Code): // a rule of the org's, or a field that is not ours to write
			o.crm.options.Logger.WarnContext(ctx, "the org refuses a person's new number, and the record shows the old one",
				slog.String("tenant", o.at.Tenant), slog.String("crm", o.at.CRM), slog.String("code", kept.Code))
			w.Succeed(i)
		case err != nil && !missing(err): // who is gone needs none
			w.Fail(i, err)
		default:
			w.Succeed(i)
		}
	})
}

func (o *org) renumber(ctx context.Context, r Request) error {
	held, err := o.get(ctx, r.Who)
	if err == nil && held.Converted {
		held, err = o.get(ctx, held.who())
	}
	if err != nil || held.ID == "" {
		return err
	}
	changed := held.renumbered(r.Delivery.Person, r.Action)
	if len(changed) == 0 {
		return nil
	}
	return o.call(ctx, http.MethodPatch, o.path("sobjects/"+kindOf(held.ID)+"/"+url.PathEscape(held.ID)), changed, nil)
}

// renumbered returns the fields that are to hold another number.
func (p person) renumbered(of delivery.Person, a delivery.Action) (changed connector.Object) {
	in := connector.RegionOf(of.Region, p.MailingCode, p.Mailing, p.CountryCode, p.Country)
	for _, field := range [...][2]string{{"Phone", p.Phone}, {"MobilePhone", p.MobilePhone}} {
		if connector.SameNumber(a.Value["from"], in, field[1]) {
			changed = append(changed, field[0], a.Value["to"])
		}
	}
	return changed
}
