package router

import (
	"context"
	"slices"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/session"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// kept is how much longer than it takes what is late a session's record is kept: CRMs may be down.
const kept = 14 * 24 * time.Hour

// logs reports whether actions put the event on the person's timeline.
func logs(actions []delivery.Action) bool {
	return slices.ContainsFunc(actions, func(a delivery.Action) bool { return a.Kind == delivery.LogActivity })
}

// showable reports whether an event can be shown with others.
func showable(e *canonical.Event) bool {
	switch e.Type {
	case canonical.TypeMessage, canonical.TypeConsent, canonical.TypeReaction, canonical.TypeEdit, canonical.TypeRetract:
		return e.Direction != canonical.Status
	default:
		return false
	}
}

// isCounted reports whether an event counts as a message of its conversation.
func isCounted(e *canonical.Event) bool {
	return e.Type == canonical.TypeMessage || e.Type == canonical.TypeConsent && e.Direction == canonical.Inbound
}

// shownKeys returns where the event is shown and counted, as far as that can be told by the event alone.
func (j *job) shownKeys() (keys []store.Key) {
	e, t := &j.event, j.tenant.TimelineOf(j.event.LineID)
	if !showable(e) {
		return nil
	}
	if t.Granularity == tenant.ByDay || t.Granularity == tenant.BySummary {
		keys = append(keys, session.StoreKey(e.TenantID, e.ThreadID, dayOf(e, j.tenant, t).Name()))
	}
	if t.Conversations && isCounted(e) {
		keys = append(keys, conversation.StatesKey(e.TenantID, e.ThreadID))
	}
	return keys
}

// dayOf returns the session of an event's day.
func dayOf(e *canonical.Event, t tenant.Tenant, timeline tenant.Timeline) session.Place {
	zone := zoneOf(t)
	year, month, day := e.Timestamp.In(zone).Date()
	return placeOf(e, time.Date(year, month, day, 0, 0, 0, 0, zone), time.Date(year, month, day+1, 0, 0, 0, 0, zone), zone, timeline)
}

// placeOf returns the session of an event by its start and end: one that came too late is shown by itself.
func placeOf(e *canonical.Event, start, end time.Time, zone *time.Location, timeline tenant.Timeline) session.Place {
	p := session.Place{Tenant: e.TenantID, Thread: e.ThreadID, Channel: e.Channel, Line: e.LineID, Start: start}
	if e.ReceivedAt.After(end.Add(timeline.SealAfter)) {
		p.Part = late + e.ReceivedAt.In(zone).Format(time.DateOnly)
	}
	return p
}

// late is what parts begin with that came after their session was sealed.
const late = "late-"

// isLate reports whether a session shows what came too late for another.
func isLate(p session.Place) bool { return strings.HasPrefix(p.Part, late) }

// show finds the session of each event that CRMs are to show, and adds it there.
func (r *Router) show(ctx context.Context, jobs []*job) {
	ctx, cancel := queue.Half(ctx)
	defer cancel()
	threads := map[store.Key][]*job{}
	var first []*job
	for _, j := range open(jobs) {
		if j.decision == nil || !showable(&j.event) && !isVerdict(&j.event) || !slices.ContainsFunc(j.decision.CRMs, func(c CRMDecision) bool { return logs(c.Actions) }) {
			continue
		}
		if threads[j.headKey()] = append(threads[j.headKey()], j); len(threads[j.headKey()]) == 1 {
			first = append(first, j)
		}
	}
	r.sideBySide(ctx, first, func(ctx context.Context, one *job) error {
		s, all := r.newShelf(), threads[one.headKey()]
		for i, j := range all {
			if j.err = s.show(ctx, j, all[:i]); j.err != nil { // those behind it are not begun
				break
			}
		}
		s.meet(ctx)
		return one.err
	})
}

// show adds the event of a job to its session, and counts it.
func (s *shelf) show(ctx context.Context, j *job, before []*job) error {
	if slices.ContainsFunc(before, func(b *job) bool { return b.event.EventID == j.event.EventID }) {
		return queue.ErrNotStarted // the record of the other one decides
	}
	if isVerdict(&j.event) {
		return s.judge(ctx, j)
	}
	s.hold(j)
	pepper, err := s.Peppers.Pepper(ctx, j.event.TenantID)
	if err != nil {
		return err
	}
	t, d := j.tenant.TimelineOf(j.event.LineID), j.decision
	d.Withheld = t.Withholds()
	if t.Granularity != tenant.ByMessage && t.Granularity != "" {
		entry := s.told(j.event, d, j.tenant, pepper)
		v, err := s.find(ctx, j, &entry, t)
		if err != nil {
			return err
		}
		s.put(j, v, entry, t)
		d.Session = v.place.Name()
	}
	if t.Conversations && isCounted(&j.event) {
		d.Conversation = true
		return s.count(ctx, j, &j.event, d)
	}
	return nil
}

// restore makes sure that an event that is recorded is in its session and counted: whoever recorded it may have been killed before, or
// a copy of the event have been added to another session.
func (r *Router) restore(ctx context.Context, j *job, e *canonical.Event) error {
	d, added := &j.record.Decision, j.volume
	if added != nil && added.err == nil && added.place.Thread == e.ThreadID && added.place.Name() == d.Session {
		return nil
	}
	if j.volume = nil; added != nil {
		if err := added.withdraw(ctx, e.EventID); err != nil {
			return err
		}
	}
	s := r.newShelf()
	s.hold(j)
	counted := j.head.Attempt <= 1 // a message that is received again goes before what came after it
	if d.Session != "" {
		switch held, err := s.restore(ctx, j, e, d); {
		case err != nil:
			return err
		case j.volume == nil:
			return nil
		default:
			counted = counted && held
		}
	}
	if d.Conversation && !counted {
		head, err := s.read(ctx, conversation.Key(e.TenantID, e.ThreadID)) // nothing was decided now that knows it
		if err == nil {
			j.known, err = conversation.Decode(head.Data)
		}
		if err == nil {
			err = s.count(ctx, j, e, d)
		}
		if err != nil {
			return err
		}
	}
	s.meet(ctx)
	s.write(ctx, nil, s.merged())
	for _, m := range s.merged() {
		if m.err != nil {
			return m.err
		}
	}
	return nil
}

// restore adds an event to the session that its record names, and reports whether that holds it already. What is not in a session that may
// be gone by now is not added.
func (s *shelf) restore(ctx context.Context, j *job, e *canonical.Event, d *Decision) (held bool, err error) {
	place, ok := session.Named(e.TenantID, e.ThreadID, d.Session)
	if !ok {
		return false, fault.New(fault.Permanent, CodeRecord, nil)
	}
	v, err := s.volume(ctx, place, j.tenant, d.Person.Key)
	if err != nil {
		return false, err
	}
	if isVerdict(e) {
		what, err := s.verdict(ctx, e)
		s.mark(j, v, what)
		return true, err
	}
	if held = v.record.Holds(e.EventID); !held && time.Since(j.record.RoutedAt) > kept {
		return false, nil
	}
	pepper, err := s.Peppers.Pepper(ctx, e.TenantID)
	if err != nil {
		return false, err
	}
	s.put(j, v, s.told(*e, d, j.tenant, pepper), j.tenant.TimelineOf(e.LineID))
	return held, nil
}
