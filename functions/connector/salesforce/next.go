package salesforce

import (
	"slices"
	"strconv"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/mapping"
)

// Request is one step of one delivery as Next wants it and Do carries it out. What an org can do is only known to Do.
type Request struct {
	kind     kind
	delivery delivery.Delivery
	action   delivery.Action // of consent, number and work
	who      string          // the id of the lead or contact
	notice   connector.Notice
	looks    bool                // the notice may be there
	activity *activity           // of record, set by Do: nil for a message by itself
	standing *connector.Standing // of record, set by Do, too
	fields   mapping.Fields      // set by Do, too
	shown    *earlier            // of record, set by Do: what an earlier try may have written; nil at the first one
	again    bool                // set by Do, too: an earlier try may have written it
	lost     string              // the id of the one that turned out to be gone; no other is looked for after the one then found
}

// kind is what a step does; it is also the step's name, with its place where a delivery can hold several.
type kind string

const (
	resolve  kind = "resolve"   // find the person
	record   kind = "record"    // one graph: the person if nobody was found, the message, its task
	taskOnce kind = "task.once" // the task, where the org has no key to upsert it by
	consent  kind = "consent"   // the person's consent fields
	owner    kind = "owner"     // whose the person is who was made
	notice   kind = "notice"    // the task that tells somebody
	attach   kind = "attach"    // the file
	reply    kind = "reply"     // the person's reply fields, and the end of their cadences
	number   kind = "number"    // the person's phone number, where they have another now
	name     kind = "name"      // the person's name, where there is none

	openCase  kind = "case"       // the case that a rule asks for
	setStatus kind = "status"     // the lead's status
	start     kind = "automation" // the flow that a rule starts
)

// What results say. Ids are Salesforce's.
const (
	resultWho    = linkWho // a lead's or contact's id
	resultEvent  = "event"
	resultOnce   = "once" // the task is left to taskOnce
	resultMade   = "made" // the person was made by this delivery: madeNow, or by an earlier try of it or by another delivery: madeBefore
	resultOwner  = "owner"
	resultBefore = "before" // the person was there before
)

// Values of resultMade.
const (
	madeNow    = "now"
	madeBefore = "before"
)

// linkWho is the key of delivery.Person.Links: Salesforce's word for "a lead or a contact". Which of them, the id says.
const linkWho = "who"

// plan is a delivery with what it has achieved.
type plan struct{ connector.Rounds }

// Next says what d needs now. A known person costs one step: the graph. One who is not linked is looked for; who is not found
// is part of the graph. Finding nobody is not checkpointed: a repeat looks again and finds by our key what the first try made,
// so that it never writes over what somebody changed in between.
func (c *CRM) Next(d delivery.Delivery, done connector.Progress) (connector.Step[Request], bool, error) {
	p := plan{connector.RoundsOf(d, done)}
	for _, action := range d.Actions {
		switch action.Kind {
		case delivery.EnsurePerson, delivery.LogActivity, delivery.SetConsent, delivery.MarkReplied, delivery.CancelSequences, delivery.Notify, delivery.ChangePhone, delivery.AttachFile,
			delivery.OpenCase, delivery.CreateTask, delivery.SetStatus, delivery.StartAutomation:
		default:
			return connector.Step[Request]{}, false, fault.New(fault.Permanent, "salesforce_action_unknown", nil)
		}
	}
	if _, isFile := d.File(); isFile {
		step, more := p.attachStep()
		return step, more, nil
	}
	who, step, more := p.person()
	if more {
		return step, true, nil
	}
	if step, more = p.recordStep(who); more {
		return step, true, nil
	}
	for i, action := range d.Actions {
		step := string(consent) + "." + strconv.Itoa(i)
		if action.Kind == delivery.SetConsent && who != "" && !p.Finished(step) {
			return p.step(consent, step, Request{action: action, who: who}), true, nil
		}
	}
	if connector.Asks(d, delivery.MarkReplied, delivery.CancelSequences) && who != "" && !p.Finished(string(reply)) {
		return p.step(reply, string(reply), Request{who: who}), true, nil
	}
	if i := slices.IndexFunc(d.Actions, func(a delivery.Action) bool { return a.Kind == delivery.ChangePhone }); i >= 0 && who != "" && !p.Finished(string(number)) {
		return p.step(number, string(number), Request{action: d.Actions[i], who: who}), true, nil
	}
	if connector.CarriesName(d) && who != "" && !p.named() {
		return p.step(name, string(name), Request{who: who}), true, nil
	}
	if step, more = p.noticeStep(who); more {
		return step, true, nil
	}
	if step, more = p.workStep(who); more {
		return step, true, nil
	}
	return connector.Step[Request]{}, false, nil
}

// noticeStep returns what tells somebody: first whose a new person is, then the task.
func (p plan) noticeStep(who string) (connector.Step[Request], bool) {
	n, wanted := connector.NoticeOf(p.Delivery)
	made := p.Result(string(record))[resultMade]
	if !wanted || n.Person && made == "" || p.Finished(string(notice)) {
		return connector.Step[Request]{}, false
	}
	r := Request{looks: made == madeBefore || !n.Since.IsZero(), notice: n}
	if n.Held || n.Person {
		r.who = who
	}
	if n.Theirs {
		known := p.Result(string(owner))
		switch {
		case who == "":
			return connector.Step[Request]{}, false
		case known == nil:
			return p.step(owner, string(owner), Request{who: who, notice: n}), true
		case known[resultBefore] != "" || n.Later && known[resultOwner] == "":
			return connector.Step[Request]{}, false
		}
		r.notice = n.ToOwner(known[resultOwner])
	}
	step := p.step(notice, string(notice), r)
	step.Once = true
	return step, true
}

// named reports whether the person of this round is known to have a name.
func (p plan) named() bool {
	return p.Named(kindOf(p.Linked(linkWho)) != "", string(resolve), string(record)) || p.Finished(string(name))
}

// person returns who it is as far as is known, or the step that looks. Nobody needs to be looked for when there is nothing to
// do with them.
func (p plan) person() (who string, step connector.Step[Request], more bool) {
	if made := p.Result(string(record))[resultWho]; made != "" {
		return made, step, false
	}
	if linked := p.Linked(linkWho); kindOf(linked) != "" {
		return linked, step, false
	}
	found := p.Result(string(resolve))
	n, tells := connector.NoticeOf(p.Delivery)
	if found == nil && (n.Held || connector.Works(p.Delivery) || connector.Asks(p.Delivery, delivery.EnsurePerson, delivery.LogActivity, delivery.SetConsent, delivery.MarkReplied, delivery.CancelSequences)) {
		step := p.step(resolve, string(resolve), Request{})
		step.Seen = tells && connector.MakesPerson(p.Delivery) // that nobody was there must be known once somebody is
		return "", step, true
	}
	return found[resultWho], step, false
}

// recordStep returns the graph, and the task where it cannot be part of it. Consent alone creates nobody: whoever is unknown
// to the CRM cannot be written to from it, and the decision itself is kept by the router. Nor does a reply alone: nobody who is
// unknown to the CRM is in a sequence of its.
func (p plan) recordStep(who string) (connector.Step[Request], bool) {
	makes := who == "" && connector.MakesPerson(p.Delivery)
	if (makes || who != "" && logs(p.Delivery)) && !p.Finished(string(record)) {
		step := p.step(record, string(record), Request{who: who})
		step.Logs = logs(p.Delivery)
		return step, true
	}
	if p.Says(string(record), resultOnce) && !p.Finished(string(taskOnce)) {
		step := p.step(taskOnce, string(taskOnce), Request{who: who})
		step.Once = true
		return step, true
	}
	return connector.Step[Request]{}, false
}

// logs reports whether a delivery has a message for the timeline.
func logs(d delivery.Delivery) bool { return connector.Asks(d, delivery.LogActivity) }

func (p plan) step(k kind, name string, r Request) connector.Step[Request] {
	r.kind, r.delivery, r.lost = k, p.Delivery, p.Gone
	return connector.Step[Request]{Name: p.Name(name), Request: r}
}

// Links returns the lead or contact that d's person turned out to be, when the router did not know it, and whether there is a name.
func (c *CRM) Links(d delivery.Delivery, done connector.Progress) map[string]string {
	p := plan{connector.RoundsOf(d, done)}
	return p.Links(linkWho, p.named(), string(resolve), string(record))
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
