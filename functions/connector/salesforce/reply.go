package salesforce

import (
	"context"
	"slices"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// answer is what one person is to show of replies, and the end of what had begun by then, by the steps at.
type answer struct {
	who      string
	at       []int
	replied  time.Time // of the newest reply, zero if none is to be shown
	ends     time.Time // what had begun by then is to end; zero: nothing is
	written  bool      // an earlier try wrote the reply
	cadences []cadence // those that are not complete
	err      error
}

// add makes a reply part of the answer: the newest stands.
func (a *answer) add(r connector.Reply, step int) {
	a.at = append(a.at, step)
	if r.Mark && r.At.After(a.replied) {
		a.replied = r.At
	}
	if r.Cancel && r.At.After(a.ends) {
		a.ends = r.At
	}
}

// leave takes out what a reply at an instant has made of nobody's interest: it is the newer one's own delivery that does it all.
func (a *answer) leave(newer time.Time) {
	if newer.After(a.replied) {
		a.replied = time.Time{}
	}
	if newer.After(a.ends) {
		a.ends = time.Time{}
	}
}

// wholeSecond returns a time as Salesforce keeps it: fields have a precision of one second. It is written so and compared so,
// or else a reply would be older, or newer, than itself as it is read.
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/primitive_data_types.htm.
func wholeSecond(t time.Time) time.Time { return t.Truncate(time.Second) }

// reply shows on persons that they replied and ends what had begun by then: what they say is read, their cadences are looked
// for, the fields are written, and the cadences removed. Every part may be repeated, so that a try that was cut off anywhere
// is made good by the next. A person who has replied later by now is left alone: that reply's own delivery does it all. What ends without
// a reply, because we wrote by hand, leaves no mark that a repeat could know itself by: its field is written when the rest is done.
func (o *org) reply(ctx context.Context, w batch) {
	answers := o.unanswered(ctx, w)
	o.findCadences(ctx, answers)
	o.writeReplies(ctx, slices.DeleteFunc(slices.Clone(answers), func(a *answer) bool { return a.replied.IsZero() }))
	o.endCadences(ctx, answers)
	o.writeReplies(ctx, slices.DeleteFunc(slices.Clone(answers), func(a *answer) bool { return !a.replied.IsZero() }))
	for _, a := range answers {
		o.concludeAll(ctx, w, a.at, a.err)
	}
}

// unanswered returns the persons of whom something is to be shown or ended, contacts before leads: rows of one object that follow
// each other are a chunk, and a call has ten at most. The steps of all others are concluded.
func (o *org) unanswered(ctx context.Context, w batch) []*answer {
	answers := map[string]*answer{}
	for i := range w.Len() {
		r, sensible := connector.ReplyOf(w.Request(i).Delivery.Actions)
		if !sensible || !r.Any() {
			w.Fail(i, fault.New(fault.Permanent, "salesforce_reply_invalid", nil))
			continue
		}
		r.At = wholeSecond(r.At)
		who := w.Request(i).Who
		if answers[who] == nil {
			answers[who] = &answer{who: who}
		}
		answers[who].add(r, i)
	}
	held := o.readPersons(ctx, whoOf(w), fieldLastReply)
	var newest []*answer
	for _, who := range whoOf(w) { // in the steps' order
		a, h := answers[who], held[who]
		switch {
		case a == nil:
			continue
		case h == nil:
			o.concludeAll(ctx, w, a.at, fault.New(fault.Permanent, codeNotFound, nil))
			continue
		case h.err != nil:
			o.concludeAll(ctx, w, a.at, h.err)
			continue
		}
		a.leave(a.replied)
		a.leave(h.lastReply())
		if a.replied.IsZero() && a.ends.IsZero() {
			o.concludeAll(ctx, w, a.at, nil)
			continue
		}
		a.written = !a.replied.IsZero() && h.lastReply().Equal(a.replied)
		newest = append(newest, a)
	}
	slices.SortStableFunc(newest, func(a, b *answer) int { return strings.Compare(kindOf(a.who), kindOf(b.who)) })
	return newest
}

// writeReplies writes the fields. The stop is left out while a cadence runs that began later: whoever listens to it
// would end that one, too; and it is never taken back from here: the org's own automation does that when it has ended what it is to
// end. Fields that this very reply wrote are not written again: by now the org's automation may have taken
// the stop back and begun something new.
func (o *org) writeReplies(ctx context.Context, answers []*answer) {
	var rows []connector.Object
	var of []*answer
	for _, a := range answers {
		if a.err != nil || a.written && !a.ends.After(a.replied) {
			continue
		}
		fields := connector.Object{}
		if !a.replied.IsZero() {
			fields = append(fields, fieldLastReply, connector.Instant(a.replied))
		}
		if !a.ends.IsZero() && !slices.ContainsFunc(a.cadences, func(c cadence) bool { return c.runs() && c.began().After(a.ends) }) {
			fields = append(fields, "Msg_Stop_Automation__c", true)
		}
		if len(fields) > 0 {
			rows, of = append(rows, row(kindOf(a.who), a.who, fields...)), append(of, a)
		}
	}
	for k, err := range o.writeRows(ctx, rows) {
		of[k].err = err
	}
}
