package hubspot

import (
	"strconv"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// Request is one step of one delivery as Next wants it and Do carries it out. What a portal can do is only known to Do.
type Request struct {
	kind     kind
	delivery delivery.Delivery
	action   delivery.Action // the one this step serves, zero for those that serve all
	contact  string          // the contact's id, once it is known
	notice   connector.Notice
	known    bool   // of an activity: the contact was not made by this delivery
	file     string // HubSpot's id of the file, once it is known
	again    bool   // set by Do: an earlier try may have written it
	gone     string // the contact that is gone, which a search may still find; no other is looked for after the one then found
}

// kind is what a step does; it is also the step's name, with its place where a delivery can hold several.
type kind string

const (
	resolve      kind = "resolve"       // find the contact
	create       kind = "contact"       // upsert the contact that was not found
	lead         kind = "lead"          // the lead record of a new contact
	activity     kind = "activity"      // the communication, or the parts of a session's, on the contact's timeline
	activityOnce kind = "activity.once" // a message's communication where the portal has no key to upsert by
	conversing   kind = "conversation"  // the contact's properties of how its conversation stands
	consent      kind = "consent"       // the contact's consent properties
	replied      kind = "reply"         // the contact's properties of an answered outreach
	number       kind = "number"        // the contact's phone number, where it has another now
	name         kind = "name"          // the contact's name, where it has none
	owner        kind = "owner"         // whose a contact is that was made
	notice       kind = "notice"        // the task that tells somebody
	upload       kind = "upload"        // the file
	attach       kind = "attach"        // the note on the contact's timeline that has the file
	openCase     kind = "case"          // the ticket that a rule asks for
	setStatus    kind = "status"        // the contact's lead status
	start        kind = "automation"    // the contact's properties of an automation
)

// What results say. Ids are HubSpot's.
const (
	resultContact = linkContact
	resultRecord  = "record"
	resultAdopted = "adopted" // the contact existed although nothing found it: HubSpot named it when refusing a second one
	resultOnce    = "once"    // nothing was done: the portal needs activityOnce
	resultSkipped = "skipped" // nothing was done: the portal has no such object
	resultErased  = "erased"  // the portal erased the person: there is no contact, and nothing is written
)

// linkContact is the key of delivery.Person.Links.
const linkContact = "contact"

// plan is a delivery with what it has achieved.
type plan struct{ connector.Rounds }

type step = connector.Step[Request]

// Next says what d needs now. The rounds: with the linked contact, or the one that was found or created; if that one is gone,
// once more with another. Finding nobody is checkpointed before anybody is created, so that a crash in between does not make
// the new contact look like an old one, which gets no lead.
func (c *CRM) Next(d delivery.Delivery, done connector.Progress) (connector.Step[Request], bool, error) {
	p := plan{connector.RoundsOf(d, done)}
	for i, action := range d.Actions {
		var next *step
		switch action.Kind {
		case delivery.EnsurePerson:
			next = p.ensurePerson()
		case delivery.LogActivity:
			next = p.logActivity(action)
		case delivery.SetConsent:
			next = p.amend(consent, string(consent)+"."+strconv.Itoa(i), action)
		case delivery.MarkReplied, delivery.CancelSequences: // one step for both
			next = p.amend(replied, string(replied), delivery.Action{})
		case delivery.ChangePhone:
			next = p.amend(number, string(number), action)
		case delivery.AttachFile:
			next = p.attachFile()
		case delivery.Notify, delivery.OpenCase, delivery.CreateTask, delivery.SetStatus, delivery.StartAutomation: // they come last
		default:
			return step{}, false, fault.New(fault.Permanent, "hubspot_action_unknown", nil)
		}
		if next != nil {
			return *next, true, nil
		}
	}
	if d.Conversation {
		if next := p.amend(conversing, string(conversing), delivery.Action{}); next != nil {
			next.Logs = true
			return *next, true, nil
		}
	}
	if connector.CarriesName(d) && !p.named() { // it comes last: the message does not wait for a name
		if next := p.amend(name, string(name), delivery.Action{}); next != nil {
			return *next, true, nil
		}
	}
	if next := p.tell(); next != nil {
		return *next, true, nil
	}
	if next := p.work(); next != nil {
		return *next, true, nil
	}
	return step{}, false, nil
}

// tell plans what tells somebody: first whose a new contact is, then the task.
func (p plan) tell() *step {
	n, wanted := p.Notice(string(create), string(notice))
	if !wanted {
		return nil
	}
	contact := ""
	if n.Held {
		var next *step
		if contact, next = p.person(false); next != nil {
			return next
		}
	}
	if n.Person {
		contact = p.Result(string(create))[resultContact]
	}
	name, n, contact := p.Tell(n, contact, string(owner), string(notice))
	if name == "" {
		return nil
	}
	next := p.step(kind(name), name, delivery.Action{}, contact)
	next.Once, next.Request.notice = kind(name) == notice, n
	return next
}

// named reports whether the contact of this round is known to have a name.
func (p plan) named() bool {
	return p.Named(p.Linked(linkContact) != "", string(resolve), string(create)) || p.Finished(string(name))
}

func (p plan) ensurePerson() *step {
	contact, next := p.person(true)
	made := p.Result(string(create))
	if next == nil && made[resultContact] != "" && made[resultAdopted] == "" && !p.Finished(string(lead)) {
		next = p.step(lead, string(lead), delivery.Action{}, contact)
	}
	return next
}

func (p plan) logActivity(action delivery.Action) *step {
	k := activity
	if p.Says(string(activity), resultOnce) { // the portal cannot upsert communications
		k = activityOnce
	}
	// A session that was put on the timeline of a contact who turned out to be gone goes on the next one's, too.
	moves := p.Gone != "" && p.Done[string(k)][resultContact] == p.Gone && p.Result(string(k)) == nil
	if p.Finished(string(k)) && !moves {
		return nil
	}
	contact, next := p.person(connector.MakesPerson(p.Delivery))
	if next == nil && contact != "" {
		next = p.step(k, string(k), action, contact)
		next.Once, next.Logs = k == activityOnce, true
		next.Request.known = p.Result(string(create))[connector.ResultMade] == ""
	}
	return next
}

// amend plans a step that changes what the contact says. It creates nobody: whoever is unknown to the CRM is neither written to
// nor in a sequence there, and the change itself is kept by the router.
func (p plan) amend(k kind, name string, action delivery.Action) *step {
	if p.Finished(name) {
		return nil
	}
	contact, next := p.person(connector.MakesPerson(p.Delivery))
	if next == nil && contact != "" {
		next = p.step(k, name, action, contact)
	}
	return next
}

// person returns the contact of this round, or the step that finds or creates it.
func (p plan) person(createMissing bool) (contact string, next *step) {
	found, made := p.Result(string(resolve)), p.Result(string(create))
	switch linked := p.Linked(linkContact); {
	case linked != "":
		return linked, nil
	case found == nil:
		next = p.step(resolve, string(resolve), delivery.Action{}, "")
		next.Seen = true
		return "", next
	case found[resultContact] != "":
		return found[resultContact], nil
	case made == nil && createMissing:
		return "", p.step(create, string(create), delivery.Action{}, "")
	default:
		return made[resultContact], nil
	}
}

func (p plan) step(k kind, name string, action delivery.Action, contact string) *step {
	return &step{
		Name:    p.Name(name),
		Request: Request{kind: k, delivery: p.Delivery, action: action, contact: contact, gone: p.Gone},
	}
}

// Links returns the contact that d's person turned out to be, when the router did not know it, and whether it has a name.
func (c *CRM) Links(d delivery.Delivery, done connector.Progress) map[string]string {
	p := plan{connector.RoundsOf(d, done)}
	return p.Links(linkContact, p.named(), string(resolve), string(create))
}
