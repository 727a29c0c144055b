package hubspot

import (
	"slices"
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
	final    bool            // a contact that is gone is not looked for again
	gone     string          // the contact that is gone, which a search may still find
}

// kind is what a step does; it is also the step's name, with its place where a delivery can hold several.
type kind string

const (
	resolve      kind = "resolve"       // find the contact
	create       kind = "contact"       // upsert the contact that was not found
	lead         kind = "lead"          // the lead record of a new contact
	activity     kind = "activity"      // upsert the communication and associate it
	activityOnce kind = "activity.once" // the same where the portal has no key to upsert by
	consent      kind = "consent"       // the contact's consent properties
	replied      kind = "reply"         // the contact's properties of an answered outreach
	name         kind = "name"          // the contact's name, where it has none
)

// What results say. Ids are HubSpot's.
const (
	resultContact = "contact"
	resultRecord  = "record"
	resultGone    = "gone"    // the contact that was linked is archived, deleted or merged away
	resultAdopted = "adopted" // the contact existed although nothing found it: HubSpot named it when refusing a second one
	resultOnce    = "once"    // nothing was done: the portal needs activityOnce
	resultNamed   = "named"   // whether the contact has a name
	resultSkipped = "skipped" // nothing was done: the portal has no such object
)

// linkContact is the key of delivery.Person.Links.
const linkContact = "contact"

// again marks the steps of the second round: those after a linked contact turned out to be gone.
const again = ".again"

// plan is a delivery with what it has achieved.
type plan struct {
	d      delivery.Delivery
	done   connector.Progress
	second bool
	gone   string // the contact of the first round, once it is gone
}

func newPlan(d delivery.Delivery, done connector.Progress) plan {
	p := plan{d: d, done: done}
	for _, result := range done {
		if id := result[resultGone]; id != "" {
			p.second, p.gone = true, id
		}
	}
	return p
}

// Next says what d needs now. The rounds: with the linked contact, or the one that was found or created; if that one is gone,
// once more with another. Finding nobody is checkpointed before anybody is created, so that a crash in between does not make
// the new contact look like an old one, which gets no lead.
func (c *CRM) Next(d delivery.Delivery, done connector.Progress) (connector.Step[Request], bool, error) {
	p := newPlan(d, done)
	for i, action := range d.Actions {
		step, ok, err := p.forAction(i, action)
		if ok || err != nil {
			return step, ok, err
		}
	}
	return p.nameStep()
}

// nameStep comes last: the message does not wait for a name.
func (p plan) nameStep() (connector.Step[Request], bool, error) {
	if !connector.CarriesName(p.d) || p.named() || p.finished(string(name)) {
		return connector.Step[Request]{}, false, nil
	}
	contact, step, ok := p.person(true)
	if ok {
		return step, true, nil
	}
	return p.step(name, string(name), delivery.Action{}, contact), true, nil
}

// named reports whether the contact of this round is known to have a name.
func (p plan) named() bool {
	if p.d.Person.Links[linkContact] != "" && !p.second {
		return p.d.Person.Links[connector.LinkNamed] == "true"
	}
	return p.done[p.inRound(string(resolve))][resultNamed] == "true" || p.done[p.inRound(string(create))][resultNamed] == "true"
}

func (p plan) forAction(i int, action delivery.Action) (connector.Step[Request], bool, error) {
	switch action.Kind {
	case delivery.EnsurePerson:
		return p.ensurePerson()
	case delivery.LogActivity:
		return p.logActivity(action)
	case delivery.SetConsent:
		return p.amend(consent, string(consent)+"."+strconv.Itoa(i), action)
	case delivery.MarkReplied, delivery.CancelSequences:
		return p.amend(replied, string(replied), delivery.Action{}) // one step for both
	default:
		return connector.Step[Request]{}, false, fault.New(fault.Permanent, "hubspot_action_unknown", nil)
	}
}

func (p plan) ensurePerson() (connector.Step[Request], bool, error) {
	contact, step, ok := p.person(true)
	if ok {
		return step, true, nil
	}
	if !p.created() || p.finished(string(lead)) {
		return connector.Step[Request]{}, false, nil
	}
	return p.step(lead, string(lead), delivery.Action{}, contact), true, nil
}

func (p plan) logActivity(action delivery.Action) (connector.Step[Request], bool, error) {
	if p.finished(string(activity)) || p.finished(string(activityOnce)) {
		return connector.Step[Request]{}, false, nil
	}
	contact, step, ok := p.person(true)
	if ok {
		return step, true, nil
	}
	if p.once() {
		step := p.step(activityOnce, string(activityOnce), action, contact)
		step.Once = true
		return step, true, nil
	}
	return p.step(activity, string(activity), action, contact), true, nil
}

// amend plans a step that changes what the contact says. It creates nobody: whoever is unknown to the CRM is neither written to
// nor in a sequence there, and the change itself is kept by the router.
func (p plan) amend(k kind, name string, action delivery.Action) (connector.Step[Request], bool, error) {
	if p.finished(name) {
		return connector.Step[Request]{}, false, nil
	}
	contact, step, ok := p.person(p.ensures())
	if ok {
		return step, true, nil
	}
	if contact == "" {
		return connector.Step[Request]{}, false, nil
	}
	return p.step(k, name, action, contact), true, nil
}

// person returns the contact of this round, or the step that finds or creates it.
func (p plan) person(createMissing bool) (contact string, step connector.Step[Request], ok bool) {
	if linked := p.d.Person.Links[linkContact]; linked != "" && !p.second {
		return linked, step, false
	}
	found, tried := p.done[p.inRound(string(resolve))]
	if !tried {
		step = p.step(resolve, string(resolve), delivery.Action{}, "")
		step.Seen = true
		return "", step, true
	}
	if found[resultContact] != "" || !createMissing {
		return found[resultContact], step, false
	}
	made, tried := p.done[p.inRound(string(create))]
	if !tried {
		return "", p.step(create, string(create), delivery.Action{}, ""), true
	}
	return made[resultContact], step, false
}

// created reports whether this delivery brought the contact into the CRM.
func (p plan) created() bool {
	made := p.done[p.inRound(string(create))]
	return made[resultContact] != "" && made[resultAdopted] == ""
}

// finished reports whether a step is done, in whichever round. One that met a contact that is gone is not.
func (p plan) finished(name string) bool {
	for _, name := range []string{name, name + again} {
		if result, ok := p.done[name]; ok && result[resultGone] == "" && result[resultOnce] == "" {
			return true
		}
	}
	return false
}

// once reports whether the portal has told that it cannot upsert communications.
func (p plan) once() bool {
	for _, name := range []string{string(activity), string(activity) + again} {
		if p.done[name][resultOnce] != "" {
			return true
		}
	}
	return false
}

func (p plan) ensures() bool {
	return slices.ContainsFunc(p.d.Actions, func(a delivery.Action) bool {
		return a.Kind == delivery.EnsurePerson || a.Kind == delivery.LogActivity
	})
}

func (p plan) inRound(name string) string {
	if p.second {
		return name + again
	}
	return name
}

func (p plan) step(k kind, name string, action delivery.Action, contact string) connector.Step[Request] {
	return connector.Step[Request]{
		Name:    p.inRound(name),
		Request: Request{kind: k, delivery: p.d, action: action, contact: contact, final: p.second, gone: p.gone},
	}
}

// Links returns the contact that d's person turned out to be, when the router did not know it, and whether it has a name.
func (c *CRM) Links(d delivery.Delivery, done connector.Progress) map[string]string {
	p, links := newPlan(d, done), make(map[string]string, 2)
	for _, step := range []string{string(resolve), string(create)} {
		if id := done[p.inRound(step)][resultContact]; id != "" {
			links[linkContact] = id
		}
	}
	switch {
	case p.named() || p.finished(string(name)):
		links[connector.LinkNamed] = "true"
	case links[linkContact] != "" && d.Person.Links[connector.LinkNamed] != "": // that was another contact
		links[connector.LinkNamed] = "false"
	}
	return links
}
