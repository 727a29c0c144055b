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

// name gives persons a name that have none. What somebody has named is left alone. Who is gone needs none.
func (o *org) name(ctx context.Context, w batch) {
	held := o.readPersons(ctx, whoOf(w), "FirstName", "LastName")
	var rows []connector.Object
	var of []string
	about := map[string][]int{}
	for i := range w.Len() {
		r := w.Request(i)
		h, there := held[r.who]
		switch {
		case h.err != nil:
			w.Fail(i, h.err)
		case !there || named(r.delivery, h.FirstName, h.LastName):
			w.Succeed(i)
		default:
			if len(about[r.who]) == 0 {
				first, last := nameOf(r.delivery)
				rows, of = append(rows, row(kindOf(r.who), r.who, "FirstName", first, "LastName", last)), append(of, r.who)
			}
			about[r.who] = append(about[r.who], i)
		}
	}
	for k, err := range o.writeRows(ctx, rows) {
		for _, i := range about[of[k]] {
			switch {
			case err == nil, missing(err):
				w.Succeed(i)
			default:
				w.Fail(i, err)
			}
		}
	}
}
