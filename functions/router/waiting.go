package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/calendar"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// What is kept of a thread whose line tells of who waits: when the first message came that nobody has answered, with its event, and
// when somebody of ours last answered, both by event time. The wait is over once the second is not before the first.
func waitKeys(tenant string, thread canonical.ThreadID) (wait, answered store.Key) {
	partition := conversation.Key(tenant, thread).Partition
	return store.Key{Partition: partition, Sort: "wait"}, store.Key{Partition: partition, Sort: "answered"}
}

// follows reports whether the line of an event tells of who waits, and how long they may.
func follows(e *canonical.Event, t tenant.Tenant) (line tenant.Line, most time.Duration, ok bool) {
	line, ok = t.Line(e.LineID)
	most = time.Duration(line.Leads.WaitMinutes) * time.Minute
	return line, most, ok && most > 0
}

// followed reports whether any line of a tenant does: an answer may go out by another one than the question came in by.
func followed(t tenant.Tenant) bool {
	return slices.ContainsFunc(t.Lines, func(l tenant.Line) bool { return l.Leads.WaitMinutes > 0 })
}

// noteTurn keeps what of ours waits for an answer, and who waits for one of ours.
func (r *Router) noteTurn(ctx context.Context, j *job, d *Decision, head store.Record) error {
	if err := r.addOutreach(ctx, &j.event, *d, head); err != nil {
		return err
	}
	return r.noteWait(ctx, j, d)
}

// noteWait keeps that somebody waits from an event on, or that somebody of ours answered by it, or that they want no answer. It costs nothing where nobody
// is to be told of who waits.
func (r *Router) noteWait(ctx context.Context, j *job, d *Decision) error {
	e := &j.event
	line, most, ok := follows(e, j.tenant)
	switch {
	case e.Flags.Historical:
		return nil
	case (writtenByPerson(e) || closesAll(d.Consent)) && followed(j.tenant):
		_, answered := waitKeys(e.TenantID, e.ThreadID)
		_, err := r.Store.Write(ctx, store.Change{Kind: store.Raise, Record: store.Record{
			Key: answered, Number: e.Timestamp.UnixMilli(), Expires: time.Now().Add(Retention),
		}})
		if _, later := errors.AsType[*store.ConflictError](err); later {
			return nil
		}
		return err
	case !ok || !canReply(e) || d.Consent != nil || noLead(e, d, j.tenant) != "":
		return nil
	}
	open := calendar.Calendar{Zone: zoneOf(j.tenant), Spans: line.Leads.Hours, Holidays: j.tenant.Leads.Holidays}
	at, ok := open.After(e.Timestamp, most)
	if !ok { // the line is never open
		return nil
	}
	begins, err := r.beginWait(ctx, e)
	if err != nil || !begins {
		return err
	}
	return r.addTimer(ctx, j, e, d.Person.Key, waiting, at)
}

// closesAll reports whether a person asks for no more messages of any kind.
func closesAll(c *canonical.Consent) bool {
	return c != nil && c.State == consent.OptedOut && !ofMarketing(c)
}

// beginWait reports whether a wait begins with an event, and keeps it. Of several that nobody has answered it begins with the first.
func (r *Router) beginWait(ctx context.Context, e *canonical.Event) (begins bool, err error) {
	wait, answered := waitKeys(e.TenantID, e.ThreadID)
	now := e.Timestamp.UnixMilli()
	for range maxHops {
		held, err := r.Store.Get(ctx, wait, answered)
		if err != nil {
			return false, err
		}
		since, last := held[0], held[1].Number
		switch open := since.Version > 0 && since.Number > last; {
		case string(since.Data) == string(e.EventID): // kept by an earlier receive
			return open, nil
		case now <= last, open && since.Number <= now:
			return false, nil
		}
		_, err = r.Store.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{
			Key: wait, Version: since.Version, Number: now, Data: []byte(e.EventID), Expires: time.Now().Add(Retention),
		}})
		if _, lost := errors.AsType[*store.ConflictError](err); !lost {
			return err == nil, err
		}
	}
	return false, contended()
}

// tellsOfWait returns what tells of the wait that a timer looks after, nil if it is over or told of with that of an earlier message.
func (r *Router) tellsOfWait(ctx context.Context, j *job, head conversation.Head) (*notice, error) {
	e := &j.event
	line, most, ok := follows(e, j.tenant)
	if !ok {
		return nil, nil //nolint:nilnil // there is nothing to tell
	}
	waits, err := r.waits(ctx, e, head)
	if err != nil || !waits {
		return nil, err
	}
	n := &notice{value: map[string]string{
		"about":   "waiting/" + string(cause(e)),
		"subject": "Waiting for an answer since " + e.Timestamp.In(zoneOf(j.tenant)).Format("2006-01-02 15:04"),
		"text": fmt.Sprintf("What this person wrote by %s to the line %s has had no answer for %s. The last messages are on the timeline.",
			strings.ToUpper(string(e.Channel)), e.LineID, minutes(most)),
	}}
	n.standIn, _ = j.tenant.Leads.Seller(line.Leads.Owner)
	return n, nil
}

// minutes returns a time in words.
func minutes(d time.Duration) string {
	if d == time.Minute {
		return "1 minute"
	}
	return strconv.Itoa(int(d.Minutes())) + " minutes"
}

// maxMembers bounds of how many threads that became one the waits are looked at.
const maxMembers = store.MaxGet/2 - 1

// waits reports whether the wait that a timer's event began is open, and the first of its person's: whose threads may have become one
// meanwhile.
func (r *Router) waits(ctx context.Context, e *canonical.Event, head conversation.Head) (bool, error) {
	var keys []store.Key
	for _, thread := range append([]canonical.ThreadID{e.ThreadID}, head.Members[:min(len(head.Members), maxMembers)]...) {
		wait, answered := waitKeys(e.TenantID, thread)
		keys = append(keys, wait, answered)
	}
	held, err := r.Store.Get(ctx, keys...)
	if err != nil {
		return false, err
	}
	last := int64(0)
	for i := 1; i < len(held); i += 2 {
		last = max(last, held[i].Number)
	}
	var first store.Record
	for i := 0; i < len(held); i += 2 {
		if open := held[i].Version > 0 && held[i].Number > last; open && (first.Version == 0 || held[i].Number < first.Number) {
			first = held[i]
		}
	}
	return string(first.Data) == string(cause(e)), nil
}
