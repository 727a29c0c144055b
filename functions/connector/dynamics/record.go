package dynamics

import (
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strconv"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/mapping"
)

// written is what one step writes, and what became of it.
type written struct {
	who, set string // where the person is, by id, or by our key if the step makes them
	parts    []part
	person   int // where in parts the person is read; who is made is written just before
	sections int // how many parts a session has
	replies  []reply
	anew     map[string]bool // where parts of a session are to be that a user deleted
	unowned  bool            // the environment refuses whom the new person was to be given to
}

// record writes persons who are not there yet, messages or sessions, and how conversations stand: one row of requests a step. The person is
// read with them: messages go on to whoever stands for them by now.
func (e *environment) record(ctx context.Context, w batch) {
	all := make([]*written, w.Len())
	var at []int
	for i := range all {
		if r := w.Request(i); r.Who == "" && !keyForm.MatchString(r.Delivery.Person.Key) {
			w.Fail(i, fault.New(fault.Permanent, "dynamics_person_key_missing", nil))
			continue
		}
		all[i], at = &written{}, append(at, i)
	}
	e.write(ctx, w, all, at)
	var again []int
	for _, i := range at {
		if e.amends(ctx, w, i, all[i]) {
			again = append(again, i)
		}
	}
	e.write(ctx, w, all, again)
	w.Each(at, func(i int) { e.concludeRecord(ctx, w, i, all[i]) })
}

// write makes the requests of the steps at.
func (e *environment) write(ctx context.Context, w batch, all []*written, at []int) {
	if len(at) == 0 {
		return
	}
	rows := make([][]part, len(at))
	for k, i := range at {
		e.compose(w, i, all[i])
		rows[k] = all[i].parts
	}
	for k, replies := range e.exchange(ctx, rows) {
		all[at[k]].replies = replies
	}
}

// compose makes the requests of a step.
func (e *environment) compose(w batch, i int, of *written) {
	r := w.Request(i)
	d := r.Delivery
	of.who, of.parts = r.Who, nil
	if of.who == "" {
		of.set = leads
		if e.binding.Contacts {
			of.set = contacts
		}
		of.who = byKey(of.set, senderKey, d.Person.Key)
		if of.unowned {
			d = connector.WithoutOwner(d)
		}
		of.parts = append(of.parts, fresh(of.who, newPerson(d, of.set).With(ofPerson(w, i, of.set, true))))
	} else {
		of.set = setOf(of.who)
	}
	of.person = len(of.parts)
	of.parts = append(of.parts, getPerson(of.who, of.set))
	if fields := ofPerson(w, i, of.set, false); of.person == 0 && logs(d) && len(fields) > 0 {
		of.parts = append(of.parts, held(of.who, "*", connector.Object(nil).With(fields)))
	}
	if !logs(d) {
		return
	}
	of.sections = 0
	if a := w.Activity(i); a != nil {
		for _, one := range sections(a, of.who, of.set, of.anew, func(made bool) []mapping.Field { return mapped(w, i, mapping.Activity, made) }) {
			of.sections++
			of.parts = append(of.parts, one.requests(w.Again(i))...)
		}
	} else {
		one := newMessage(d.Event, of.who, of.set)
		one.first = one.first.With(mapped(w, i, mapping.Activity, true))
		one.always = one.always.With(mapped(w, i, mapping.Activity, false))
		of.parts = append(of.parts, one.requests(w.Again(i))...)
	}
	if s := w.Stands(i); s != nil {
		of.parts = append(of.parts, newConversation(s, of.who, of.set, e.sets(), mapped(w, i, mapping.Conversation, false)))
	}
}

// choiceForm is what the value of a choice is.
var choiceForm = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,9})$`)

// mapped returns the fields that the tenant of a step maps. A choice is a number here, whatever it is written as.
func mapped(w batch, i int, o mapping.Object, made bool) []mapping.Field {
	fields := slices.Clone(w.Fields(i, o, made))
	for k, f := range fields {
		if text := f.Text(); f.As == mapping.Choice && choiceForm.MatchString(text) {
			fields[k].Value = json.Number(text)
		}
	}
	return fields
}

// ofPerson returns those of somebody in a set: a lead's go before a person's.
func ofPerson(w batch, i int, set string, made bool) []mapping.Field {
	if set == leads {
		return slices.Concat(mapped(w, i, mapping.Lead, made), mapped(w, i, mapping.Person, made))
	}
	return mapped(w, i, mapping.Person, made)
}

// err returns the first error of what is written of the message. That a row is there which was to be made if it is not is none.
func (of *written) err() error {
	for k, told := range of.replies[of.person+1:] {
		if told.err != nil && (!of.parts[of.person+1+k].fresh || !exists(told.err)) {
			return told.err
		}
	}
	return nil
}

// amends reports whether a step has to be written once more, otherwise: without an owner whom the environment refuses, or with parts that a user
// deleted.
func (e *environment) amends(ctx context.Context, w batch, i int, of *written) bool {
	d := w.Request(i).Delivery
	if of.person > 0 {
		if err := of.replies[0].err; ofUser(err, connector.OwnerOf(d)) {
			e.crm.options.Logger.WarnContext(ctx, "the environment refuses the owner of a new person, who is made without one",
				slog.String("tenant", e.at.Tenant), slog.String("crm", e.at.CRM), slog.String("code", fault.Of(err).Code))
			of.unowned = true
		}
	}
	for k, told := range of.replies[of.person+1:] {
		if p := of.parts[of.person+1+k]; of.replies[of.person].err == nil && w.Activity(i) != nil && p.match != "" && missing(told.err) {
			if of.anew == nil {
				of.anew = map[string]bool{}
			}
			of.anew[p.path] = true
		}
	}
	return of.unowned || len(of.anew) > 0
}

// concludeRecord turns what became of a step's requests into its outcome.
func (e *environment) concludeRecord(ctx context.Context, w batch, i int, of *written) {
	r := w.Request(i)
	made := ""
	if of.person > 0 {
		switch err := of.replies[0].err; {
		case exists(err): // another try made them, or another thread of the same person
			made = connector.MadeBefore
		case err != nil:
			w.Fail(i, e.explained(ctx, err))
			return
		default:
			made = connector.MadeNow
		}
	}
	var p person
	err := of.replies[of.person].read(&p)
	if err == nil {
		var heir string
		if heir, err = e.heirOf(ctx, p); heir != "" && r.Gone == "" {
			w.Succeed(i, connector.ResultGone, p.who())
			return
		}
	}
	if err == nil {
		err = of.err()
	} else if missing(err) && r.Gone == "" {
		w.Succeed(i, connector.ResultGone, of.who)
		return
	}
	switch {
	case missing(err) && of.person > 0 && fault.Is(of.replies[0].err, codeDuplicate): // a key of the environment's own is taken
		w.Fail(i, of.replies[0].err)
	case missing(err): // whom it is about, in the moment between
		w.Fail(i, fault.New(fault.Retryable, "dynamics_person_gone", err))
	case err != nil:
		w.Fail(i, e.explained(ctx, err))
	default:
		sections, known := "", ""
		if w.Activity(i) != nil {
			sections = strconv.Itoa(of.sections)
		}
		if made != "" {
			known = strconv.FormatBool(named(r.Delivery, p))
		}
		w.Succeed(i, resultWho, p.who(), connector.ResultMade, made, connector.ResultNamed, known, connector.ResultParts, sections)
	}
}
