package salesforce

import (
	"context"
	"slices"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// answer is the newest reply of one person and what the steps at are to do about it.
type answer struct {
	connector.Reply
	who      string
	at       []int
	written  bool      // an earlier try wrote the fields
	cadences []cadence // those that are not complete
	err      error
}

// wholeSecond returns a time as Salesforce keeps it: fields have a precision of one second. It is written so and compared so,
// or else a reply would be older, or newer, than itself as it is read.
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/primitive_data_types.htm.
func wholeSecond(t time.Time) time.Time { return t.Truncate(time.Second) }

// reply shows on persons that they replied and ends what had begun by then: what they say is read, their cadences are looked
// for, the fields are written, and the cadences removed. Every part may be repeated, so that a try that was cut off anywhere
// is made good by the next. A person who has replied later by now is left alone: that reply's own delivery does it all.
func (o *org) reply(ctx context.Context, w batch) {
	answers := o.unanswered(ctx, w)
	o.findCadences(ctx, answers)
	o.writeReplies(ctx, answers)
	o.endCadences(ctx, answers)
	for _, a := range answers {
		o.concludeAll(ctx, w, a.at, a.err)
	}
}

// unanswered returns the persons whose reply is the newest that is known, contacts before leads: rows of one object that follow
// each other are a chunk, and a call has ten at most. The steps of all others are concluded.
func (o *org) unanswered(ctx context.Context, w batch) []*answer {
	answers := map[string]*answer{}
	for i := range w.Len() {
		r, sensible := connector.ReplyOf(w.Request(i).delivery.Actions)
		if !sensible || !r.Any() {
			w.Fail(i, fault.New(fault.Permanent, "salesforce_reply_invalid", nil))
			continue
		}
		r.At = wholeSecond(r.At)
		a := answers[w.Request(i).who]
		switch {
		case a == nil || a.At.Before(r.At):
			if a != nil {
				o.concludeAll(ctx, w, a.at, nil)
			}
			answers[w.Request(i).who] = &answer{Reply: r, who: w.Request(i).who, at: []int{i}}
		case a.At.After(r.At):
			w.Succeed(i)
		default:
			a.Mark, a.Cancel, a.at = a.Mark || r.Mark, a.Cancel || r.Cancel, append(a.at, i)
		}
	}
	held := o.readPersons(ctx, whoOf(w), fieldLastReply)
	var newest []*answer
	for _, who := range whoOf(w) { // in the steps' order
		switch a, h := answers[who], held[who]; {
		case a == nil:
		case h == nil:
			o.concludeAll(ctx, w, a.at, fault.New(fault.Permanent, codeNotFound, nil))
		case h.err != nil:
			o.concludeAll(ctx, w, a.at, h.err)
		case h.lastReply().After(a.At):
			o.concludeAll(ctx, w, a.at, nil)
		default:
			a.written = a.Mark && h.lastReply().Equal(a.At)
			newest = append(newest, a)
		}
	}
	slices.SortStableFunc(newest, func(a, b *answer) int { return strings.Compare(kindOf(a.who), kindOf(b.who)) })
	return newest
}

// writeReplies writes the fields. The stop is left out while a cadence runs that began after the reply: whoever listens to it
// would end that one, too; and it is never taken back from here: the org's own automation does that when it has ended what it is to
// end. Fields that this very reply wrote are not written again: by now the org's automation may have taken
// the stop back and begun something new.
func (o *org) writeReplies(ctx context.Context, answers []*answer) {
	var rows []connector.Object
	var of []*answer
	for _, a := range answers {
		row := row(kindOf(a.who), a.who)
		if a.Mark {
			row = append(row, fieldLastReply, connector.Instant(a.At))
		}
		stop := a.Cancel && !slices.ContainsFunc(a.cadences, func(c cadence) bool { return c.runs() && c.began().After(a.At) })
		if stop {
			row = append(row, "Msg_Stop_Automation__c", true)
		}
		if a.err == nil && !a.written && (a.Mark || stop) {
			rows, of = append(rows, row), append(of, a)
		}
	}
	for k, err := range o.writeRows(ctx, rows) {
		of[k].err = err
	}
}
