package dynamics

import (
	"signalbox/functions/connector"
	"signalbox/shared/delivery"
)

// Request is one step of one delivery as Next wants it and Do carries it out.
type Request struct {
	connector.Asked

	again bool // set by Do: an earlier try may have written it
}

// resultWho is the key of delivery.Person.Links and of results. Its value is where the lead or contact is: an id alone does not tell which it is.
const resultWho = "who"

// Next implements connector.CRM. No step has to be marked before it is done: whatever is written is found by its key when it is written again.
func (c *CRM) Next(d delivery.Delivery, done connector.Progress) (connector.Step[Request], bool, error) {
	next, more, err := planOf(d, done).Next()
	if r := next.Request; r.Action.Kind == delivery.OpenCase && setOf(r.Who) == leads {
		next.Left = codeCaseOfLead
	}
	return next, more, err
}

func planOf(d delivery.Delivery, done connector.Progress) connector.Plan[Request] {
	return connector.Plan[Request]{
		Rounds: connector.RoundsOf(d, done), Kind: Kind, Link: resultWho, IsPerson: func(who string) bool { return setOf(who) != "" },
		Request: func(a connector.Asked) Request { return Request{Asked: a} },
	}
}

// logs reports whether a delivery has a message for the timeline.
func logs(d delivery.Delivery) bool { return connector.Asks(d, delivery.LogActivity) }

// Links returns the lead or contact that d's person turned out to be, when the router did not know it, and whether there is a name.
func (c *CRM) Links(d delivery.Delivery, done connector.Progress) map[string]string {
	return planOf(d, done).Links()
}
