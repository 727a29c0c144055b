package dynamics

import (
	"slices"
	"strconv"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// Request is one step of one delivery as Next wants it and Do carries it out.
type Request struct {
	kind     kind
	delivery delivery.Delivery
	action   delivery.Action // of consent, number and work
	who      string          // where the lead or contact is, "" for who is to be made
	notice   connector.Notice
	again    bool   // set by Do: an earlier try may have written it
	gone     string // who turned out to be gone or to be another; no other is looked for after the one then found
}

// kind is what a step does; it is also the step's name, with its place where a delivery can hold several.
type kind string

const (
	resolve kind = "resolve" // find the person
	record  kind = "record"  // the person if nobody was found, the message or session, how the conversation stands
	consent kind = "consent" // the person's columns of consent
	replied kind = "reply"   // the person's columns of an answered outreach
	number  kind = "number"  // the person's phone number, where they have another now
	name    kind = "name"    // the person's name, where there is none
	owner   kind = "owner"   // whose the person is who was made
	notice  kind = "notice"  // the task that tells somebody
	attach  kind = "attach"  // the note that is the file

	openCase  kind = "case"       // the case that a rule asks for
	setStatus kind = "status"     // the person's status
	start     kind = "automation" // the row that a flow is triggered by
)

// What results say.
const (
	resultWho    = linkWho
	resultMade   = "made" // the person was made by this delivery: madeNow, or by an earlier try of it or by another delivery: madeBefore
	resultOwner  = "owner"
	resultBefore = "before" // the person was there before
)

// Values of resultMade.
const (
	madeNow    = "now"
	madeBefore = "before"
)

// linkWho is the key of delivery.Person.Links. Its value is where the lead or contact is: an id alone does not tell which it is.
const linkWho = "who"

// plan is a delivery with what it has achieved.
type plan struct{ connector.Rounds }

type step = connector.Step[Request]

// Next says what d needs now. A known person costs one step. No step has to be marked before it is done: whatever is written is found by its
// key when it is written again.
func (c *CRM) Next(d delivery.Delivery, done connector.Progress) (connector.Step[Request], bool, error) {
	p := plan{connector.RoundsOf(d, done)}
	known := []delivery.Kind{
		delivery.EnsurePerson, delivery.LogActivity, delivery.SetConsent, delivery.MarkReplied, delivery.CancelSequences, delivery.Notify,
		delivery.ChangePhone, delivery.AttachFile, delivery.OpenCase, delivery.CreateTask, delivery.SetStatus, delivery.StartAutomation,
	}
	if slices.ContainsFunc(d.Actions, func(a delivery.Action) bool { return !slices.Contains(known, a.Kind) }) {
		return step{}, false, fault.New(fault.Permanent, "dynamics_action_unknown", nil)
	}
	next := p.next()
	if next == nil {
		return step{}, false, nil
	}
	return *next, true, nil
}

func (p plan) next() *step {
	d := p.Delivery
	if _, isFile := d.File(); isFile {
		return p.unlessDone(attach, string(attach), Request{who: p.Linked(linkWho)})
	}
	who, next := p.person()
	if next != nil {
		return next
	}
	makes := who == "" && connector.MakesPerson(d)
	if (makes || who != "" && logs(d)) && !p.Finished(string(record)) {
		next = p.step(record, string(record), Request{who: who})
		next.Logs = logs(d)
		return next
	}
	if who == "" {
		return p.last(who)
	}
	for i, a := range d.Actions {
		switch a.Kind {
		case delivery.SetConsent:
			next = p.unlessDone(consent, string(consent)+"."+strconv.Itoa(i), Request{who: who, action: a})
		case delivery.MarkReplied, delivery.CancelSequences: // one step for both
			next = p.unlessDone(replied, string(replied), Request{who: who})
		case delivery.ChangePhone:
			next = p.unlessDone(number, string(number), Request{who: who, action: a})
		default: // carried out by the other steps
		}
		if next != nil {
			return next
		}
	}
	if connector.CarriesName(d) && !p.named() { // the message does not wait for a name
		return p.step(name, string(name), Request{who: who})
	}
	return p.last(who)
}

// last plans what comes after the message: what tells somebody, and what the tenant's rules ask for beside it.
func (p plan) last(who string) *step {
	if next := p.tells(who); next != nil {
		return next
	}
	return p.work(who)
}

// tells plans what tells somebody: first whose a new person is, then the task.
func (p plan) tells(who string) *step {
	n, wanted := connector.NoticeOf(p.Delivery)
	made := p.Result(string(record))[resultMade]
	if !wanted || n.Person && made == "" || p.Finished(string(notice)) {
		return nil
	}
	r := Request{notice: n}
	if n.Held || n.Person {
		r.who = who
	}
	if n.Theirs {
		known := p.Result(string(owner))
		switch {
		case who == "": // nobody is held
			return nil
		case known == nil:
			return p.step(owner, string(owner), Request{who: who, notice: n})
		case known[resultBefore] != "" || n.Later && known[resultOwner] == "":
			return nil
		}
		r.notice = n.ToOwner(known[resultOwner])
	}
	return p.step(notice, string(notice), r)
}

// named reports whether the person of this round is known to have a name.
func (p plan) named() bool {
	return p.Named(setOf(p.Linked(linkWho)) != "", string(resolve), string(record)) || p.Finished(string(name))
}

// person returns who it is as far as is known, or the step that looks. Nobody needs to be looked for when there is nothing to do with them.
func (p plan) person() (who string, next *step) {
	if made := p.Result(string(record))[resultWho]; made != "" {
		return made, nil
	}
	if linked := p.Linked(linkWho); setOf(linked) != "" {
		return linked, nil
	}
	found := p.Result(string(resolve))
	n, tells := connector.NoticeOf(p.Delivery)
	wanted := connector.Asks(p.Delivery, delivery.EnsurePerson, delivery.LogActivity, delivery.SetConsent, delivery.MarkReplied, delivery.CancelSequences)
	if found == nil && (n.Held || wanted || connector.Works(p.Delivery)) {
		next = p.step(resolve, string(resolve), Request{})
		next.Seen = tells && connector.MakesPerson(p.Delivery) // that nobody was there must be known once somebody is
		return "", next
	}
	return found[resultWho], nil
}

// logs reports whether a delivery has a message for the timeline.
func logs(d delivery.Delivery) bool { return connector.Asks(d, delivery.LogActivity) }

func (p plan) unlessDone(k kind, name string, r Request) *step {
	if p.Finished(name) {
		return nil
	}
	return p.step(k, name, r)
}

func (p plan) step(k kind, name string, r Request) *step {
	r.kind, r.delivery, r.gone = k, p.Delivery, p.Gone
	return &step{Name: p.Name(name), Request: r}
}

// Links returns the lead or contact that d's person turned out to be, when the router did not know it, and whether there is a name.
func (c *CRM) Links(d delivery.Delivery, done connector.Progress) map[string]string {
	p := plan{connector.RoundsOf(d, done)}
	return p.Links(linkWho, p.named(), string(resolve), string(record))
}
