package salesforce

import (
	"cmp"
	"context"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
)

// unknown is the last name, which Salesforce requires, of who has neither name nor number nor address.
const unknown = "Unknown"

// nameOf returns a first and a last name. Who has none is called by number or address.
func nameOf(d delivery.Delivery) (first, last string) {
	if words := strings.Fields(connector.NameOf(d)); len(words) > 1 {
		return connector.Cut(words[0], maxFirstName), connector.Cut(strings.Join(words[1:], " "), maxLastName)
	}
	return "", connector.Cut(cmp.Or(connector.CalledBy(d), unknown), maxLastName)
}

// named reports whether what an org holds of a person is a name and not what we wrote for want of one.
func named(d delivery.Delivery, first, last string) bool {
	return !connector.Nameless(d, first+" "+last, maxLastName) && (first != "" || last != unknown)
}

// name gives persons a name that have none. What somebody has named is left alone.
func (o *org) name(ctx context.Context, w batch) {
	o.amend(ctx, w, nil, func(r Request, held *holding) (connector.Object, error) {
		if named(r.Delivery, held.FirstName, held.LastName) {
			return nil, nil
		}
		held.FirstName, held.LastName = nameOf(r.Delivery)
		return row(kindOf(held.ID), held.ID, "FirstName", held.FirstName, "LastName", held.LastName), nil
	}, "FirstName", "LastName")
}
