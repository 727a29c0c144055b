package router

import (
	"context"
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // where functions run there are no zones

	"signalbox/shared/calendar"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/queue"
	"signalbox/shared/rules"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// counted is how long it is kept that a thread was counted: longer than a CRM takes to tell of the person it made.
const counted = 30 * 24 * time.Hour

// newcomer is the sender of an event whom nobody knows, and all that is decided about them but whether there are too many.
type newcomer struct {
	decision Decision
	decided  rules.Decision
	head     conversation.Head
	line     store.Key // the count of its line on this day
	thread   store.Key // what says that the thread is counted
	full     store.Key // what says that it is told that there are too many
	number   int64     // among the new people of its line; zero if there are too many
	tells    bool      // that there are too many
}

// given is what becomes of whom an event makes: whose they are, nobody's where the CRM's own rules say; who is told where those say
// nothing; and what else is to be told.
type given struct {
	owner, standIn tenant.Seller
	tell           bool
	later          time.Duration     // until it is told that nobody owns who was given to nobody
	notice         map[string]string // of a Notify
}

// given returns what becomes of a newcomer.
func (n *newcomer) given(e *canonical.Event, t tenant.Tenant, now time.Time) (g given) {
	line, _ := t.Line(e.LineID)
	g.standIn, _ = t.Leads.Seller(line.Leads.Owner)
	switch {
	case n.number > 0:
		g.owner, g.tell, g.later = ownerOf(line, t, n.number, now), t.Leads.Tells(), t.Leads.OwnerWithin()
	case n.tells:
		day := now.In(zoneOf(t)).Format(time.DateOnly)
		g.notice = map[string]string{
			"about":   "leads/" + e.LineID + "/" + day,
			"subject": fmt.Sprintf("Line %s has had its %d new leads of %s", e.LineID, t.Leads.Cap(), day),
			"text":    "No more leads are made of new people who write to it on this day. Who writes again on another day becomes one. The limit is tenant.leads.dailyCap.",
		}
	}
	return g
}

// countLeads numbers the newcomers of all jobs and makes their records. A thread is counted once, however many of its messages come
// before the CRM has the person. A router that is killed in between may leave a count without its thread.
func (r *Router) countLeads(ctx context.Context, jobs []*job) {
	var left []*job
	for _, j := range open(jobs) {
		if j.newcomer != nil {
			left = append(left, j)
		}
	}
	if len(left) == 0 {
		return
	}
	ctx, cancel := queue.Half(ctx)
	defer cancel()
	now := time.Now()
	for _, j := range left {
		day := now.In(zoneOf(j.tenant)).Format(time.DateOnly)
		j.newcomer.line = store.Key{Partition: j.tenant.ID + "/line/" + j.event.LineID, Sort: "leads/" + day}
		j.newcomer.full = store.Key{Partition: j.newcomer.line.Partition, Sort: "full/" + day}
		j.newcomer.thread = store.Key{Partition: j.tenant.ID + "/thread/" + string(j.event.ThreadID), Sort: "lead"}
	}
	err := r.number(ctx, left, now.Add(counted))
	if err == nil {
		err = r.announce(ctx, left, now.Add(counted))
	}
	if err != nil {
		for _, j := range left {
			j.err = err
		}
		return
	}
	for _, j := range left {
		d := j.newcomer.decision
		if j.newcomer.number == 0 {
			d.NoLead = NoLeadCap
		}
		applyRules(j.tenant, j.newcomer.head, j.newcomer.decided, j.newcomer.given(&j.event, j.tenant, now), &d)
		j.decision = &d
	}
}

// number gives every newcomer the number of its thread.
func (r *Router) number(ctx context.Context, jobs []*job, expires time.Time) error {
	held, err := r.readCounts(ctx, jobs)
	if err != nil {
		return err
	}
	fresh := map[store.Key][]store.Key{} // by line, the threads that are not counted yet
	most := map[store.Key]int64{}
	for _, j := range jobs {
		n := j.newcomer
		if _, again := held[n.thread]; !again {
			held[n.thread] = 0 // until it gets a number
			fresh[n.line], most[n.line] = append(fresh[n.line], n.thread), j.tenant.Leads.Cap()
		}
	}
	var marks []store.Change
	var lines []store.Key
	for line, threads := range fresh {
		count, begun := held[line]
		given, err := r.addLeads(ctx, store.Record{Key: line, Number: max(0, min(int64(len(threads)), most[line]-count)), Expires: expires}, most[line], begun)
		if err != nil {
			return err
		}
		for i, thread := range threads {
			if number := given.first + int64(i); number <= given.last {
				marks = append(marks, store.Change{Record: store.Record{Key: thread, Number: number, Expires: expires}})
				lines = append(lines, line)
			}
		}
	}
	for i, outcome := range store.WriteEach(ctx, r.Store, marks) {
		conflict, lost := errors.AsType[*store.ConflictError](outcome.Err)
		switch held[marks[i].Key] = marks[i].Number; {
		case lost: // another of its messages counted it
			held[marks[i].Key] = conflict.Held.Number
			if _, err = r.addLeads(ctx, store.Record{Key: lines[i], Number: -1}, most[lines[i]], true); err != nil {
				return err
			}
		case outcome.Err != nil:
			return outcome.Err
		}
	}
	for _, j := range jobs {
		j.newcomer.number = held[j.newcomer.thread]
	}
	return nil
}

// announce has one event of a line and a day tell that there are too many: the first, which tells it again if it comes again.
func (r *Router) announce(ctx context.Context, jobs []*job, expires time.Time) error {
	first := map[store.Key]*job{}
	for _, j := range jobs {
		if j.newcomer.number == 0 && first[j.newcomer.full] == nil {
			first[j.newcomer.full] = j
		}
	}
	for key, j := range first {
		held, err := r.Store.Get(ctx, key)
		if err != nil {
			return err
		}
		id := string(j.event.EventID)
		if held[0].Version == 0 {
			_, err = r.Store.Write(ctx, store.Change{Record: store.Record{Key: key, Expires: expires, Data: []byte(id)}})
			conflict, lost := errors.AsType[*store.ConflictError](err)
			switch {
			case lost:
				held[0] = conflict.Held
			case err != nil:
				return err
			default:
				held[0].Data = []byte(id)
			}
		}
		for _, j := range jobs {
			j.newcomer.tells = j.newcomer.tells || j.newcomer.full == key && j.newcomer.number == 0 && string(j.event.EventID) == string(held[0].Data)
		}
	}
	return nil
}

// readCounts returns the numbers that are held of threads and lines. Of a thread that is not counted there is none.
func (r *Router) readCounts(ctx context.Context, jobs []*job) (map[store.Key]int64, error) {
	var keys []store.Key
	for _, j := range jobs {
		keys = append(keys, j.newcomer.thread, j.newcomer.line)
	}
	records, err := r.Store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	held := map[store.Key]int64{}
	for _, record := range records {
		if record.Version > 0 {
			held[record.Key] = record.Number
		}
	}
	return held, nil
}

// numbers are those that a line gives out at once; none if last is below first.
type numbers struct{ first, last int64 }

// addLeads changes the count of a line by as much of a number as stays within most. Begun reports whether there is a count.
func (r *Router) addLeads(ctx context.Context, by store.Record, most int64, begun bool) (numbers, error) {
	for by.Number > 0 || by.Number < 0 && begun {
		change := store.Change{Record: by} // the first of the day
		if begun {
			change = store.Change{Kind: store.Add, Record: store.Record{Key: by.Key, Number: by.Number}, Bound: most}
		}
		written, err := r.Store.Write(ctx, change)
		conflict, refused := errors.AsType[*store.ConflictError](err)
		switch {
		case err == nil:
			return numbers{written[0].Number - by.Number + 1, written[0].Number}, nil
		case !refused:
			return numbers{}, err
		case by.Number < 0: // there is nothing to take from
			return numbers{}, nil
		}
		begun, by.Number = conflict.Held.Version > 0, min(by.Number, most-conflict.Held.Number) // others were faster
	}
	return numbers{first: 1}, nil
}

// zoneOf returns a tenant's time zone.
func zoneOf(t tenant.Tenant) *time.Location {
	zone, err := time.LoadLocation(t.Zone) // "" is UTC
	if err != nil {                        // it was checked when the file was applied
		return time.UTC
	}
	return zone
}

// ownerOf returns who gets the nth new lead of a line, nobody where the CRM's own rules say. Of those who take turns it is somebody at
// work, if anybody is.
func ownerOf(l tenant.Line, t tenant.Tenant, n int64, now time.Time) tenant.Seller {
	switch l.Leads.Assign {
	case tenant.AssignOwner:
		owner, _ := t.Leads.Seller(l.Leads.Owner)
		return owner
	case tenant.AssignTurn:
		var all, atWork []tenant.Seller
		for _, name := range l.Leads.People {
			p, known := t.Leads.Seller(name)
			if !known {
				continue
			}
			all = append(all, p)
			if (calendar.Calendar{Zone: zoneOf(t), Spans: p.Hours, Holidays: t.Leads.Holidays}).Open(now) {
				atWork = append(atWork, p)
			}
		}
		if len(atWork) > 0 {
			all = atWork
		}
		if len(all) > 0 {
			return all[n%int64(len(all))]
		}
	default:
	}
	return tenant.Seller{}
}
