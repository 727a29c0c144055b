package salesforce

import (
	"slices"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/mapping"
)

// Request is one step of one delivery as Next wants it and Do carries it out. What an org can do is only known to Do, which sets the rest.
type Request struct {
	connector.Asked // Who is the id of a lead or contact

	activity *activity           // of a record: nil for a message by itself
	standing *connector.Standing // of a record, too
	fields   mapping.Fields
	shown    *earlier // of a record: what an earlier try may have written; nil at the first one
	again    bool     // an earlier try may have written it
}

// taskOnce is the step of the task, where the org has no key to upsert it by.
const taskOnce = "task.once"

// What results say. Ids are Salesforce's.
const (
	resultWho   = "who" // a lead's or contact's id; the key of delivery.Person.Links, too. Which of them, the id says
	resultEvent = "event"
	resultOnce  = "once" // the task is left to taskOnce
)

// Next implements connector.CRM. Finding nobody is not checkpointed: a repeat looks again and finds by our key what the first try made, so that it never
// writes over what somebody changed in between.
func (c *CRM) Next(d delivery.Delivery, done connector.Progress) (connector.Step[Request], bool, error) {
	next, more, err := planOf(d, done).Next()
	r := next.Request
	next.Once = slices.Contains([]string{taskOnce, connector.StepNotice, connector.StepAutomation, connector.StepAttach}, r.Kind)
	next.Last = r.Kind == connector.StepAttach
	if r.Action.Kind == delivery.SetStatus && kindOf(r.Who) == contactObject {
		next.Left = codeNoStatus
	}
	return next, more, err
}

func planOf(d delivery.Delivery, done connector.Progress) connector.Plan[Request] {
	p := connector.Plan[Request]{
		Rounds: connector.RoundsOf(d, done), Kind: Kind, Link: resultWho, IsPerson: func(id string) bool { return kindOf(id) != "" },
		Request: func(a connector.Asked) Request { return Request{Asked: a} },
	}
	if p.Says(connector.StepRecord, resultOnce) {
		p.Then = taskOnce
	}
	return p
}

// logs reports whether a delivery has a message for the timeline.
func logs(d delivery.Delivery) bool { return connector.Asks(d, delivery.LogActivity) }

// Links returns the lead or contact that d's person turned out to be, when the router did not know it, and whether there is a name.
func (c *CRM) Links(d delivery.Delivery, done connector.Progress) map[string]string {
	return planOf(d, done).Links()
}

// The objects that a person can be.
const (
	contactObject = "Contact"
	leadObject    = "Lead"
)

// kindOf returns the object of a person's id, "" for any other: an id begins with what it is of.
func kindOf(id string) string {
	switch {
	case !recordID.MatchString(id):
		return ""
	case id[:3] == "003":
		return contactObject
	case id[:3] == "00Q":
		return leadObject
	default:
		return ""
	}
}
