package deadletter

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/jsontext"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
)

// Bounds of one request.
const (
	maxPointers = 2000 // of a filter without a thread
	maxThread   = 2000 // dead letters of a thread
	maxGet      = 20   // records read at once: each may be 350 KB
)

// choiceProblems returns what is wrong with how a request chooses.
func choiceProblems(q redrive.Request, now time.Time) (problems []string) {
	if (len(q.IDs) == 0) == (q.Filter == nil) {
		problems = append(problems, "either ids or filter is required")
	}
	if q.Limit < 0 || q.Limit > redrive.MaxItems {
		problems = append(problems, "limit is at most 100")
	}
	if q.Filter != nil {
		from, to, err := days(*q.Filter, now)
		if err != nil || to.Before(from) || to.Sub(from) > 2*deadletter.Retention {
			problems = append(problems, "filter.from and filter.to are days like 2026-01-31, at most 180 apart")
		}
	}
	return problems
}

// unknownNames returns what a request that chose nothing names and nobody knows, of a tenant with CRMs of some kinds.
func unknownNames(q redrive.Request, kinds map[string]string) []string {
	if kinds == nil {
		return q.UnknownTenant()
	}
	if q.Filter == nil {
		return nil
	}
	if _, name, ok := deadletter.CutStage(q.Filter.Stage); ok && kinds[name] == "" {
		return []string{"filter.stage names the CRM " + name + ": " + q.Tenant + " has " + cmp.Or(strings.Join(slices.Sorted(maps.Keys(kinds)), ", "), "none")}
	}
	return nil
}

// days returns the first and the last day.
func days(f redrive.Filter, now time.Time) (from, to time.Time, err error) {
	from, to = now.UTC().Add(-deadletter.Retention).Truncate(24*time.Hour), now.UTC().Truncate(24*time.Hour)
	if f.From != "" {
		if from, err = time.Parse(time.DateOnly, f.From); err != nil {
			return from, to, err
		}
	}
	if f.To != "" {
		to, err = time.Parse(time.DateOnly, f.To)
	}
	return from, to, err
}

func matchesPointer(f redrive.Filter, p deadletter.Pointer) bool {
	return (f.Stage == "" || f.Stage == p.Stage) && (f.Kind == "" || f.Kind == p.Kind) &&
		(f.Code == "" || f.Code == p.Code) && (f.Thread == "" || f.Thread == p.Group)
}

func matchesRecord(f redrive.Filter, rec deadletter.Record) bool {
	return (f.FunctionVersion == "" || f.FunctionVersion == rec.FunctionVersion) && (f.Settled || rec.State == deadletter.Open)
}

// letter is a dead letter that was chosen. It is without its body: there may be thousands of a thread.
type letter struct {
	key   store.Key
	rec   deadletter.Record
	crm   string // of a delivery
	order string // its event's arrival
}

// decodeLetter makes a letter of a record; ok is false when it holds none.
func decodeLetter(held store.Record) (l letter, ok bool) {
	l.key = held.Key
	if l.rec, ok = deadletter.Read(held); !ok {
		return l, false
	}
	arrived := l.readBody(l.rec.Body)
	if arrived.IsZero() {
		arrived = l.rec.First
	}
	l.order = arrived.UTC().Format("2006-01-02T15:04:05.000000000Z") + "/" + l.rec.ID
	l.rec.Body = nil
	return l, true
}

// readBody reads the CRM out of a body and returns when its event arrived, zero if that is not known.
func (l *letter) readBody(body []byte) time.Time {
	c := parse(body)
	l.crm = c.CRM
	arrived, _ := time.Parse(time.RFC3339Nano, c.event().ReceivedAt) // zero, if it is no time
	return arrived
}

// claim returns where the claim is that its worker takes; Sort is empty when it takes none.
func (l letter) claim() store.Key {
	key := store.Key{Partition: deadletter.Key(l.rec).Partition}
	_, name, _ := deadletter.CutStage(l.rec.Stage)
	switch {
	case l.rec.EventID == "":
	case l.rec.Stage == deadletter.StageDeliver(name) && l.crm != "":
		key.Sort = idempotency.DeliveryClaims + l.crm
	case l.rec.Stage == deadletter.StageRoute:
		key.Sort = idempotency.RouteClaim
	}
	return key
}

// selection is what a request chose, oldest first.
type selection struct {
	letters []letter
	missing []string
	more    bool
	next    string
}

func (r *Redriver) selectLetters(ctx context.Context, q redrive.Request) (selection, error) {
	limit := cmp.Or(q.Limit, redrive.MaxItems)
	var c selection
	var err error
	switch {
	case q.Filter == nil:
		c, err = r.byID(ctx, q)
	case q.Filter.Thread != "":
		c, err = r.byThread(ctx, q, limit)
	default:
		c, err = r.byFilter(ctx, q, limit, maxPointers, q.After)
	}
	sortLetters(c.letters)
	return c, err
}

func sortLetters(letters []letter) {
	slices.SortFunc(letters, func(a, b letter) int { return strings.Compare(a.order, b.order) })
}

// byID reads all dead letters of the events, and webhooks, of these ids, also those that were settled: whoever names one means it.
func (r *Redriver) byID(ctx context.Context, q redrive.Request) (c selection, err error) {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(q.IDs))) {
		page, _, err := r.store.List(ctx, store.Range{Partition: q.Tenant + "/event/" + id, Prefix: "dead/"})
		if err != nil {
			return c, err
		}
		found := false
		for _, held := range page {
			if strings.Count(held.Sort, "/") > 1 {
				continue // a part of a body
			}
			if l, ok := decodeLetter(held); ok {
				c.letters, found = append(c.letters, l), true
			}
		}
		if !found {
			c.missing = append(c.missing, id)
		}
	}
	return c, nil
}

// byThread reads all dead letters of a thread before it chooses the oldest: a later one never goes before an earlier one, however
// many requests it takes.
func (r *Redriver) byThread(ctx context.Context, q redrive.Request, limit int) (selection, error) {
	all, err := r.byFilter(ctx, q, maxThread, 1<<30, "")
	if err != nil {
		return selection{}, err
	}
	if all.more {
		return selection{}, fault.New(fault.Permanent, "thread_too_long", nil)
	}
	c := selection{letters: slices.DeleteFunc(all.letters, func(l letter) bool { return l.order <= q.After })}
	sortLetters(c.letters)
	if len(c.letters) > limit {
		c.letters, c.more, c.next = c.letters[:limit], true, c.letters[limit-1].order
	}
	return c, nil
}

// byFilter goes through the days from after on until it has limit dead letters or has seen most pointers.
func (r *Redriver) byFilter(ctx context.Context, q redrive.Request, limit, most int, after string) (selection, error) {
	day, last, err := days(*q.Filter, time.Now())
	if err != nil {
		return selection{}, err
	}
	s := search{Request: q, limit: limit, maxPointers: most}
	if at, rest, found := strings.Cut(after, " "); found {
		if resumed, err := time.Parse(time.DateOnly, at); err == nil && !resumed.Before(day) {
			day, s.after = resumed, rest
		}
	}
	for ; !day.After(last); day, s.after = day.AddDate(0, 0, 1), "" {
		left, full, err := r.searchDay(ctx, &s, day)
		if err != nil {
			return selection{}, err
		}
		if full {
			s.more, s.next = left || day.Before(last), day.Format(time.DateOnly)+" "+s.after
			break
		}
	}
	return s.selection, nil
}

// search is how far a search got.
type search struct {
	redrive.Request
	selection

	limit, maxPointers int
	after              string // in the day
	seen               int
}

// searchDay searches one day. It is full when nothing more is to be read; left says that something of the day is.
func (r *Redriver) searchDay(ctx context.Context, s *search, day time.Time) (left, full bool, err error) {
	for more := true; more; {
		var page []store.Record
		page, more, err = r.store.List(ctx, store.Range{Partition: deadletter.Day(s.Tenant, day), After: s.after, Limit: 10 * maxGet})
		if err != nil {
			return false, false, err
		}
		for len(page) > 0 {
			n := min(len(page), maxGet, s.limit-len(s.letters))
			letters, err := r.follow(ctx, *s.Filter, page[:n])
			if err != nil {
				return false, false, err
			}
			s.letters, s.seen, s.after, page = append(s.letters, letters...), s.seen+n, page[n-1].Sort, page[n:]
			if len(s.letters) >= s.limit || s.seen >= s.maxPointers || redrive.OutOfTime(ctx, 2*r.margin) {
				return len(page) > 0 || more, true, nil
			}
		}
	}
	return false, false, nil
}

// follow returns the dead letters that pointers lead to and the filter takes.
func (r *Redriver) follow(ctx context.Context, f redrive.Filter, pointers []store.Record) ([]letter, error) {
	wanted := map[store.Key][]store.Record{} // a dead letter that took the place of another has the pointers of both
	var keys []store.Key
	for _, pointer := range pointers {
		var p deadletter.Pointer
		if json.Unmarshal(pointer.Data, &p) != nil || !matchesPointer(f, p) {
			continue
		}
		key := store.Key{Partition: p.Partition, Sort: p.Sort}
		if wanted[key] == nil {
			keys = append(keys, key)
		}
		wanted[key] = append(wanted[key], pointer)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	held, err := r.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	var letters []letter
	for _, record := range held {
		l, ok := decodeLetter(record)
		current := func(pointer store.Record) bool { return deadletter.IsCurrent(pointer, l.rec) }
		if ok && matchesRecord(f, l.rec) && slices.ContainsFunc(wanted[record.Key], current) {
			letters = append(letters, l)
		}
	}
	return letters, nil
}

// load reads a dead letter anew, with its body.
func (r *Redriver) load(ctx context.Context, l *letter) (held store.Record, body []byte, err error) {
	records, err := r.store.Get(ctx, l.key)
	if err != nil {
		return held, nil, err
	}
	rec, ok := deadletter.Read(records[0])
	if !ok {
		return held, nil, fault.New(fault.Permanent, CodeBody, nil)
	}
	if body, err = r.body(ctx, rec); err != nil {
		return held, nil, err
	}
	l.rec, l.rec.Body = rec, nil
	l.readBody(body)
	return records[0], body, nil
}

// body puts a dead letter's body together.
func (r *Redriver) body(ctx context.Context, rec deadletter.Record) ([]byte, error) {
	body := rec.Body
	for n := range rec.Parts {
		held, err := r.store.Get(ctx, deadletter.PartKey(rec, n))
		if err != nil {
			return nil, err
		}
		if held[0].Version == 0 {
			return nil, fault.New(fault.Permanent, CodeBody, nil)
		}
		body = append(body, held[0].Data...)
	}
	return body, nil
}

// withGeneration writes the generation into the body of a delivery, or of a status for a CRM, whatever else that holds: it may be
// sealed, or of a newer version than this build knows. Any other body stays as it is.
func withGeneration(body []byte, stage string, generation int) []byte {
	var members map[string]json.RawMessage
	_, _, ours := deadletter.CutStage(stage)
	if !ours || json.Unmarshal(body, &members) != nil || members == nil {
		return body
	}
	number, err := json.Marshal(generation)
	if err != nil {
		return body
	}
	members["generation"] = number
	out, err := jsontext.Marshal(members)
	if err != nil {
		return body
	}
	return out
}
