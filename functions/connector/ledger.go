package connector

import (
	"context"
	"log/slog"
	"math"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/unknown"
)

// How requests are leased.
const (
	firstBlock = 20          // of a process, which doubles with each, so that one that soon ends loses little
	heldBack   = 10          // the part of a limit that all processes together may hold in blocks is one of so many
	seenFor    = time.Minute // what is known of the record is not looked at again, while it says no
	lookEvery  = time.Hour   // whether a CRM that told that its day is spent still says so
	tellEvery  = 5 * time.Minute
	paceOf     = time.Hour // the time whose pace a forecast goes on with
)

// codeSpent is what the code ends with that closes gates because messages may make no more requests in a day.
const codeSpent = "_budget_spent"

// ledger is what all processes know of the requests of a tenant's CRM in a day. It is a record whose Number is how many are used or leased.
type ledger struct {
	Ends   time.Time `json:"ends"`
	Limit  int64     `json:"limit,omitempty"`  // as the CRM told
	Told   time.Time `json:"told,omitzero"`    // when
	Cap    int64     `json:"cap,omitempty"`    // of ours, by the tenant's file
	Others int64     `json:"others,omitempty"` // of Number, what we did not lease, less what we leased and never used
	Past   []sample  `json:"past,omitempty"`   // of the last hour, oldest first
	Warned bool      `json:"warned,omitempty"` // somebody was told that it runs out

	Unknown unknown.Members `json:"-"`
}

// sample is what Number was.
type sample struct {
	At   time.Time `json:"at"`
	Used int64     `json:"used"`
}

func budgetKey(of BindingKey, what string) store.Key {
	return store.Key{Partition: of.Tenant + "/budget/" + of.CRM, Sort: what}
}

// most returns the number that is not exceeded by work of a priority.
func (l *ledger) most(p Priority) int64 {
	most := int64(math.MaxInt64)
	if l.Limit > 0 {
		most = l.Limit - p.kept(l.Limit)
	}
	if l.Cap > 0 {
		most = min(most, l.Others+l.Cap-p.kept(l.Cap))
	}
	return max(most, 0)
}

// correct corrects a number by what the CRM told at a time. It told of all that had been made by then, and blocks are less than slack.
func (l *ledger) correct(number int64, told Usage, at time.Time) (corrected int64, changed bool) {
	if told.Daily == 0 || at.Before(l.Told) {
		return number, false
	}
	corrected = number
	if slack := told.Daily / heldBack; told.Used > number {
		corrected = told.Used
	} else if number > told.Used+slack {
		corrected, l.Past = told.Used+slack, nil
	}
	if corrected == number && l.Limit == told.Daily && at.Sub(l.Told) < tellEvery {
		return number, false
	}
	l.Others += corrected - number
	l.Limit, l.Told = told.Daily, at
	return corrected, true
}

// remember keeps what the number is now, and reports whether it does: not more often than makes a difference.
func (l *ledger) remember(number int64, now time.Time) bool {
	if n := len(l.Past); n > 0 && now.Sub(l.Past[n-1].At) < tellEvery {
		return false
	}
	var past []sample // a copy, for this may not be written
	for _, s := range l.Past {
		if now.Sub(s.At) <= paceOf {
			past = append(past, s)
		}
	}
	l.Past = append(past, sample{now, number})
	return true
}

// runsOut returns when all requests are used at the pace of the last hour, the zero time if that is not before the end or is not known.
func (l *ledger) runsOut(number int64, now time.Time) time.Time {
	if len(l.Past) == 0 || l.most(ForOptOuts) == math.MaxInt64 {
		return time.Time{}
	}
	first := l.Past[0]
	made, took := number-first.Used, now.Sub(first.At)
	if made <= 0 || took < tellEvery {
		return time.Time{}
	}
	left := max(l.most(ForOptOuts)-number, 0)
	if until := float64(left) / float64(made) * float64(took); until < float64(l.Ends.Sub(now)) {
		return now.Add(time.Duration(until))
	}
	return time.Time{}
}

// warns reports whether somebody is to be told: what is left does not last, and more than a third is gone, or little is left however long it lasts.
func (l *ledger) warns(number int64, now time.Time) bool {
	most := l.most(ForOptOuts)
	return most < math.MaxInt64 && (number > most/3 && !l.runsOut(number, now).IsZero() || number > most-most/heldBack)
}

// asked is what work asks for.
type asked struct {
	Priority
	calls  int64
	limits tenant.Limits // by the tenant's file
	zone   string        // where the tenant's days begin, by the IANA database
}

// admitDay returns nil if a day's requests allow what is asked for, else the fault that it waits with.
func (b *Budget) admitDay(ctx context.Context, a *account, of BindingKey, q asked) (*fault.Error, error) {
	for range 5 {
		now := time.Now()
		l, number, changed := a.propose(q, now)
		if l.Limit == 0 && l.Cap == 0 {
			return nil, nil
		}
		a.mu.Lock()
		left := a.left
		a.mu.Unlock()
		if q.calls <= left && number-left+q.calls <= l.most(q.Priority) {
			return nil, nil
		}
		need, looks := q.calls-min(left, q.calls-1), false
		n := b.size(a, &l, need, l.most(q.Priority)-number)
		if n == 0 && l.overLimit(q.Priority, number+need) && now.Sub(l.Told) >= lookEvery {
			looks, changed, l.Told = true, true, now
		}
		if n == 0 && !changed {
			if now.Sub(a.seen) < seenFor {
				return b.spent(&l, q.Priority, number+need, now), nil
			}
			n = need
		}
		conflict, err := b.write(ctx, a, of, l, number, n, changed, q.Priority)
		switch {
		case err != nil:
			return nil, err
		case conflict:
			continue
		case n == 0 && !looks:
			return b.spent(&l, q.Priority, number+need, now), nil
		}
		a.mu.Lock()
		a.left += max(n, need)
		a.mu.Unlock()
		a.block = min(2*a.block, math.MaxInt32)
		return nil, nil
	}
	return nil, fault.New(fault.Retryable, codeContended, nil)
}

// propose returns the ledger as it is to be now and its number, and whether it differs from what was seen by more than that.
func (a *account) propose(q asked, now time.Time) (l ledger, number int64, changed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, number = a.day, a.record.Number
	if !now.Before(l.Ends) {
		zone := a.in(q.zone)
		y, m, d := now.In(zone).Date()
		began, ends := time.Date(y, m, d, 0, 0, 0, 0, zone).UTC(), time.Date(y, m, d+1, 0, 0, 0, 0, zone).UTC()
		l, number, changed = ledger{Ends: ends, Limit: l.Limit, Told: began, Unknown: l.Unknown}, 0, true // what was told before says nothing of this one
		if a.record.Version > 0 {                                                                         // what was leased was of another day
			a.left = min(a.left, 0)
		}
	}
	if l.Cap != q.limits.Daily {
		l.Cap, changed = q.limits.Daily, true
	}
	number, corrected := l.correct(number, a.told, a.at)
	remembered := l.remember(number, now)
	changed = changed || corrected || remembered
	if !l.Warned && l.warns(number, now) {
		l.Warned, changed = true, true
	}
	return l, number, changed
}

// in returns a zone by its name. It is read once.
func (a *account) in(name string) *time.Location {
	if a.zone != nil && a.zone.String() == name {
		return a.zone
	}
	zone, err := time.LoadLocation(name)
	if err != nil { // it was checked when the file was applied
		zone = time.UTC
	}
	a.zone = zone
	return zone
}

// overLimit reports whether a number is too many by what the CRM told, and not by the tenant's file alone.
func (l *ledger) overLimit(p Priority, number int64) bool {
	return l.Limit > 0 && number > l.Limit-p.kept(l.Limit)
}

// size returns how many to lease of so many that there are, zero if that is too few. All processes together hold a part of the limit.
func (b *Budget) size(a *account, l *ledger, need, room int64) int64 {
	if room < need {
		return 0
	}
	processes := int64(max(b.options.Concurrency, 20))
	most := max(l.most(ForOptOuts)/heldBack, 0)
	return max(need, min(a.block, most/processes, room/processes))
}

// write leases n: it adds them to the number alone if nothing else changed. Conflict is true if another process wrote first, or has left too few.
func (b *Budget) write(ctx context.Context, a *account, of BindingKey, l ledger, number, n int64, changed bool, p Priority) (conflict bool, err error) {
	change := store.Change{Kind: store.Add, Bound: l.most(p), Record: store.Record{Key: budgetKey(of, "day"), Number: n}}
	if changed {
		data, err := unknown.Marshal(l, l.Unknown)
		if err != nil {
			return false, fault.New(fault.Permanent, codeMalformed, nil)
		}
		change = store.Change{Record: store.Record{
			Key: change.Key, Version: a.record.Version, Expires: l.Ends.Add(48 * time.Hour), Number: number + n, Data: data,
		}}
	}
	written, err := b.options.Store.Write(ctx, change)
	if met, lost := conflictOf(err); lost {
		a.see(met.Held)
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if l.Warned && !a.day.Warned {
		b.warn(ctx, of, &l, number+n)
	}
	a.see(written[0])
	return false, nil
}

// see keeps what is known of the record.
func (a *account) see(r store.Record) {
	a.record, a.seen, a.day = r, time.Now(), readLedger(r)
}

// readLedger returns what a record holds. One that cannot be read is one of a day that is over.
func readLedger(r store.Record) (l ledger) {
	if r.Version == 0 {
		return ledger{}
	}
	var err error
	if l.Unknown, err = unknown.Unmarshal(r.Data, &l); err != nil {
		return ledger{}
	}
	return l
}

// spent returns the fault of work that waits until requests may be made again: the next day, or when the CRM is looked at again that told of the limit.
func (b *Budget) spent(l *ledger, p Priority, number int64, now time.Time) *fault.Error {
	wait := l.Ends.Sub(now)
	if l.overLimit(p, number) {
		wait = min(wait, max(lookEvery-now.Sub(l.Told), time.Minute))
	}
	code := b.options.Kind + codeSpent
	if p < ForMessages {
		code = b.options.Kind + "_budget_low"
	}
	return &fault.Error{Kind: fault.Blocked, Code: code, Wait: wait}
}

// warn tells that a day's requests run out, and when.
func (b *Budget) warn(ctx context.Context, of BindingKey, l *ledger, number int64) {
	b.options.Logger.WarnContext(ctx, "the requests of the day run out", slog.String("tenant", of.Tenant), slog.String("crm", of.CRM),
		slog.Int64("used", number), slog.Int64("limit", l.most(ForOptOuts)), slog.Int64("byUs", number-l.Others),
		slog.Time("at", l.runsOut(number, time.Now())), slog.Time("until", l.Ends))
	b.options.Meter.Count("BudgetLow", 1, telemetry.Label{Name: "tenant", Value: of.Tenant}, telemetry.Label{Name: "crm", Value: of.CRM},
		telemetry.Label{Name: "kind", Value: b.options.Kind})
}
