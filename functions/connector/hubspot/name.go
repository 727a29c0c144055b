package hubspot

import (
	"context"
	"strconv"

	"signalbox/functions/connector"
)

// HubSpot's own properties of a contact's name.
const (
	firstName = "firstname"
	lastName  = "lastname"
)

// named returns "true" if a contact that was found has a name, or else "false".
func named(r Request, held map[string]string) string {
	return strconv.FormatBool(!connector.Nameless(r.delivery, held[firstName]+" "+held[lastName], maxName))
}

// name gives contacts a name that have none. What somebody has named is left alone.
func (p *portal) name(ctx context.Context, w batch) {
	p.amend(ctx, w, []string{firstName, lastName}, func(r Request, held map[string]string) (map[string]string, error) {
		if named(r, held) == "true" {
			return nil, nil
		}
		first, last := nameOf(r.delivery)
		return map[string]string{firstName: first, lastName: last}, nil // an empty one takes the number away
	}, nil)
}
