package connector

import (
	"slices"
	"strconv"

	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// The kinds of the steps of a Plan. They are the names of the steps, too, but of those of which a delivery has several: consent, which is numbered, and work.
const (
	StepResolve    = "resolve" // find the person
	StepRecord     = "record"  // the person if nobody was found, the message or session, how the conversation stands
	StepConsent    = "consent" // what the person's record says of consent
	StepReply      = "reply"   // what it says of an answered outreach
	StepNumber     = "number"  // the person's phone number, where they have another now
	StepName       = "name"    // the person's name, where there is none
	StepOwner      = "owner"   // whose the person is who was made
	StepNotice     = "notice"  // the task that tells somebody
	StepAttach     = "attach"  // the file
	StepCase       = "case"    // the case that a rule asks for
	StepStatus     = "status"  // the person's status
	StepAutomation = "automation"
)

// Asked is what a step of a Plan asks a CRM for.
type Asked struct {
	Kind     string
	Delivery delivery.Delivery
	Action   delivery.Action // of consent, number and work
	Who      string          // where the person is, "" for who is to be made
	Notice   Notice
	Gone     string // who turned out to be gone or to be another; no other is looked for after the one then found
}

// Plan is what a delivery needs of a CRM that finds a person by one step and writes the person, the message and how the conversation stands by another. A
// person who is known costs one step. What only CRMs of a kind have of a step, whether it is Once, they add.
type Plan[R any] struct {
	Rounds
	Kind     string            // of the CRM
	Link     string            // the key of delivery.Person.Links and of results that has the person
	IsPerson func(string) bool // reports whether a link is to one
	Then     string            // the kind of a step that follows the record, "" for none
	Request  func(Asked) R
}

// Next does what CRM.Next does.
func (p Plan[R]) Next() (step Step[R], more bool, err error) {
	known := []delivery.Kind{
		delivery.EnsurePerson, delivery.LogActivity, delivery.SetConsent, delivery.MarkReplied, delivery.CancelSequences, delivery.Notify,
		delivery.ChangePhone, delivery.AttachFile, delivery.OpenCase, delivery.CreateTask, delivery.SetStatus, delivery.StartAutomation,
	}
	if slices.ContainsFunc(p.Delivery.Actions, func(a delivery.Action) bool { return !slices.Contains(known, a.Kind) }) {
		return step, false, fault.New(fault.Permanent, p.Kind+"_action_unknown", nil)
	}
	if next := p.next(); next != nil {
		return *next, true, nil
	}
	return step, false, nil
}

// Links returns what Linker returns.
func (p Plan[R]) Links() map[string]string {
	return p.Rounds.Links(p.Link, p.named(), StepResolve, StepRecord)
}

func (p Plan[R]) next() *Step[R] {
	if _, isFile := p.Delivery.File(); isFile { // for which nobody is looked for, and nobody is made
		return p.unlessDone(StepAttach, StepAttach, Asked{Who: p.Linked(p.Link)})
	}
	who, next := p.person()
	if next != nil {
		return next
	}
	for _, plan := range []func(who string) *Step[R]{p.record, p.amend, p.tell, p.work} {
		if next := plan(who); next != nil {
			return next
		}
	}
	return nil
}

// person returns who it is as far as is known, or the step that looks. Nobody needs to be looked for when there is nothing to do with them.
func (p Plan[R]) person() (who string, next *Step[R]) {
	if made := p.Result(StepRecord)[p.Link]; made != "" {
		return made, nil
	}
	if linked := p.Linked(p.Link); p.IsPerson(linked) {
		return linked, nil
	}
	found := p.Result(StepResolve)
	n, tells := NoticeOf(p.Delivery)
	wanted := Asks(p.Delivery, delivery.EnsurePerson, delivery.LogActivity, delivery.SetConsent, delivery.MarkReplied, delivery.CancelSequences)
	if found == nil && (n.Held || wanted || Works(p.Delivery)) {
		next = p.step(StepResolve, StepResolve, Asked{})
		next.Seen = tells && MakesPerson(p.Delivery) // that nobody was there must be known once somebody is
		return "", next
	}
	return found[p.Link], nil
}

// record plans the record, and what it leaves. Consent alone makes nobody: who is unknown to the CRM cannot be written to from it, and the decision itself is
// kept by the router. Nor does a reply alone: nobody who is unknown to the CRM is in a sequence of its.
func (p Plan[R]) record(who string) *Step[R] {
	logs := Asks(p.Delivery, delivery.LogActivity)
	if (who == "" && MakesPerson(p.Delivery) || who != "" && logs) && !p.Finished(StepRecord) {
		next := p.step(StepRecord, StepRecord, Asked{Who: who})
		next.Logs = logs
		return next
	}
	if p.Then == "" {
		return nil
	}
	return p.unlessDone(p.Then, p.Then, Asked{Who: who})
}

// amend plans what changes what a person's record says: the message does not wait for it.
func (p Plan[R]) amend(who string) *Step[R] {
	if who == "" {
		return nil
	}
	var next *Step[R]
	for i, a := range p.Delivery.Actions {
		if a.Kind == delivery.SetConsent && next == nil {
			next = p.unlessDone(StepConsent, StepConsent+"."+strconv.Itoa(i), Asked{Action: a, Who: who})
		}
	}
	if next == nil && Asks(p.Delivery, delivery.MarkReplied, delivery.CancelSequences) { // one step for both
		next = p.unlessDone(StepReply, StepReply, Asked{Who: who})
	}
	if i := slices.IndexFunc(p.Delivery.Actions, func(a delivery.Action) bool { return a.Kind == delivery.ChangePhone }); i >= 0 && next == nil {
		next = p.unlessDone(StepNumber, StepNumber, Asked{Action: p.Delivery.Actions[i], Who: who})
	}
	if next == nil && CarriesName(p.Delivery) && !p.named() {
		next = p.step(StepName, StepName, Asked{Who: who})
	}
	return next
}

// tell plans what tells somebody: first whose a new person is, then the task.
func (p Plan[R]) tell(who string) *Step[R] {
	n, wanted := p.Notice(StepRecord, StepNotice)
	if !wanted {
		return nil
	}
	kind, n, about := p.Tell(n, who, StepOwner, StepNotice)
	if kind == "" {
		return nil
	}
	return p.step(kind, kind, Asked{Who: about, Notice: n})
}

// work plans the next of what the tenant's rules ask for beside the message.
func (p Plan[R]) work(who string) *Step[R] {
	a, name, ok := p.Work()
	if !ok {
		return nil
	}
	asked := Asked{Action: a, Who: who}
	if a.Kind == delivery.CreateTask {
		asked.Notice = TaskOf(p.Delivery, a)
	}
	next := p.step(WorkStep(a.Kind), name, asked)
	if next.Aside = true; who == "" {
		next.Left = CodeWorkNobody
	}
	return next
}

// named reports whether the person of this round is known to have a name.
func (p Plan[R]) named() bool {
	return p.Named(p.IsPerson(p.Linked(p.Link)), StepResolve, StepRecord) || p.Finished(StepName)
}

func (p Plan[R]) unlessDone(kind, name string, a Asked) *Step[R] {
	if p.Finished(name) {
		return nil
	}
	return p.step(kind, name, a)
}

func (p Plan[R]) step(kind, name string, a Asked) *Step[R] {
	a.Kind, a.Delivery, a.Gone = kind, p.Delivery, p.Gone
	return &Step[R]{Name: p.Name(name), Request: p.Request(a)}
}
