package deadletter

import (
	"bytes"
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
	"signalbox/shared/redrive"
	"signalbox/shared/store"
)

// Bounds of one request.
const (
	pointersRead = 2000 // of a filter without a thread
	threadMost   = 2000 // dead letters of a thread
	getMost      = 20   // records read at once: each may be 350 KB
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

// strangers returns what a request that chose nothing names and nobody knows, of a tenant with CRMs of some kinds.
func strangers(q redrive.Request, kinds map[string]string) []string {
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

func wants(f redrive.Filter, p deadletter.Pointer) bool {
	return (f.Stage == "" || f.Stage == p.Stage) && (f.Kind == "" || f.Kind == p.Kind) &&
		(f.Code == "" || f.Code == p.Code) && (f.Thread == "" || f.Thread == p.Group)
}

func takes(f redrive.Filter, rec deadletter.Record) bool {
	return (f.FunctionVersion == "" || f.FunctionVersion == rec.FunctionVersion) && (f.Settled || rec.State == deadletter.Open)
}

// letter is a dead letter that was chosen. It is without its body: there may be thousands of a thread.
type letter struct {
	key   store.Key
	rec   deadletter.Record
	crm   string // of a delivery
	order string // its event's arrival
}

// glimpse is what is looked for in a body.
type glimpse struct {
	CRM        string   `json:"crm"`
	ReceivedAt string   `json:"receivedAt"`
	Event      *glimpse `json:"event"`
}

// read makes a letter of a record; ok is false when it holds none.
func read(held store.Record) (l letter, ok bool) {
	l.key = held.Key
	if l.rec, ok = deadletter.Read(held); !ok {
		return l, false
	}
	arrived := l.see(l.rec.Body)
	if arrived.IsZero() {
		arrived = l.rec.First
	}
	l.order = arrived.UTC().Format("2006-01-02T15:04:05.000000000Z") + "/" + l.rec.ID
	l.rec.Body = nil
	return l, true
}

// see reads what it can of a body, and answers when its event arrived.
func (l *letter) see(body []byte) time.Time {
	var g glimpse
	_ = json.Unmarshal(body, &g) // what cannot be read is not known
	l.crm = g.CRM
	if g.Event != nil {
		g.ReceivedAt = g.Event.ReceivedAt
	}
	arrived, err := time.Parse(time.RFC3339Nano, g.ReceivedAt)
	if err != nil {
		return time.Time{}
	}
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

// choice is what a request chose, oldest first.
type choice struct {
	letters []letter
	missing []string
	more    bool
	next    string
}

func (r *Redriver) choose(ctx context.Context, q redrive.Request) (choice, error) {
	limit := cmp.Or(q.Limit, redrive.MaxItems)
	var c choice
	var err error
	switch {
	case q.Filter == nil:
		c, err = r.named(ctx, q)
	case q.Filter.Thread != "":
		c, err = r.thread(ctx, q, limit)
	default:
		c, err = r.filtered(ctx, q, limit, pointersRead, q.After)
	}
	slices.SortFunc(c.letters, func(a, b letter) int { return strings.Compare(a.order, b.order) })
	return c, err
}

// named reads all dead letters of the events, and webhooks, of these ids, also those that were settled: whoever names one means it.
func (r *Redriver) named(ctx context.Context, q redrive.Request) (c choice, err error) {
	ids := slices.Clone(q.IDs)
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		page, _, err := r.store.List(ctx, store.Range{Partition: q.Tenant + "/event/" + id, Prefix: "dead/"})
		if err != nil {
			return c, err
		}
		found := false
		for _, held := range page {
			if strings.Count(held.Sort, "/") > 1 {
				continue // a part of a body
			}
			if l, ok := read(held); ok {
				c.letters, found = append(c.letters, l), true
			}
		}
		if !found {
			c.missing = append(c.missing, id)
		}
	}
	return c, nil
}

// thread reads all dead letters of a thread before it chooses the oldest: a later one never goes before an earlier one, however
// many requests it takes.
func (r *Redriver) thread(ctx context.Context, q redrive.Request, limit int) (choice, error) {
	all, err := r.filtered(ctx, q, threadMost, 1<<30, "")
	if err != nil {
		return choice{}, err
	}
	if all.more {
		return choice{}, fault.New(fault.Permanent, "thread_too_long", nil)
	}
	slices.SortFunc(all.letters, func(a, b letter) int { return strings.Compare(a.order, b.order) })
	after, _ := slices.BinarySearchFunc(all.letters, q.After, func(l letter, after string) int {
		if l.order > after {
			return 1
		}
		return -1
	})
	c := choice{letters: all.letters[after:]}
	if len(c.letters) > limit {
		c.letters, c.more = c.letters[:limit], true
		c.next = c.letters[limit-1].order
	}
	return c, nil
}

// filtered goes through the days from after on until it has limit dead letters or has seen most pointers.
func (r *Redriver) filtered(ctx context.Context, q redrive.Request, limit, most int, after string) (choice, error) {
	day, last, err := days(*q.Filter, time.Now())
	if err != nil {
		return choice{}, err
	}
	s := search{tenant: q.Tenant, filter: *q.Filter, limit: limit, most: most}
	if at, rest, found := strings.Cut(after, " "); found {
		if resumed, err := time.Parse(time.DateOnly, at); err == nil && !resumed.Before(day) {
			day, s.after = resumed, rest
		}
	}
	for ; !day.After(last); day, s.after = day.AddDate(0, 0, 1), "" {
		left, full, err := r.day(ctx, &s, day)
		if err != nil {
			return choice{}, err
		}
		if full {
			return choice{letters: s.letters, more: left || day.Before(last), next: day.Format(time.DateOnly) + " " + s.after}, nil
		}
	}
	return choice{letters: s.letters}, nil
}

// search is how far a search got.
type search struct {
	tenant      string
	filter      redrive.Filter
	limit, most int
	after       string // in the day
	seen        int
	letters     []letter
}

// day searches one day. It is full when nothing more is to be read; left says that something of the day is.
func (r *Redriver) day(ctx context.Context, s *search, day time.Time) (left, full bool, err error) {
	for more := true; more; {
		var page []store.Record
		page, more, err = r.store.List(ctx, store.Range{Partition: deadletter.Day(s.tenant, day), After: s.after, Limit: 10 * getMost})
		if err != nil {
			return false, false, err
		}
		for len(page) > 0 {
			n := min(len(page), getMost, s.limit-len(s.letters))
			letters, err := r.read(ctx, s.filter, page[:n])
			if err != nil {
				return false, false, err
			}
			s.letters, s.seen, s.after, page = append(s.letters, letters...), s.seen+n, page[n-1].Sort, page[n:]
			if len(s.letters) >= s.limit || s.seen >= s.most || r.late(ctx) {
				return len(page) > 0 || more, true, nil
			}
		}
	}
	return false, false, nil
}

// late says that what was found is to be dealt with now.
func (r *Redriver) late(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < 2*r.margin
}

// read returns the dead letters that pointers lead to and the filter takes.
func (r *Redriver) read(ctx context.Context, f redrive.Filter, pointers []store.Record) ([]letter, error) {
	wanted := map[store.Key][]store.Record{} // a dead letter that took the place of another has the pointers of both
	var keys []store.Key
	for _, pointer := range pointers {
		var p deadletter.Pointer
		if json.Unmarshal(pointer.Data, &p) != nil || !wants(f, p) {
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
		l, ok := read(record)
		current := func(pointer store.Record) bool { return deadletter.IsCurrent(pointer, l.rec) }
		if ok && takes(f, l.rec) && slices.ContainsFunc(wanted[record.Key], current) {
			letters = append(letters, l)
		}
	}
	return letters, nil
}

// whole reads a dead letter anew, with its body.
func (r *Redriver) whole(ctx context.Context, l *letter) (held store.Record, body []byte, err error) {
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
	l.see(body)
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

// regenerated writes the generation into the body of a delivery, or of a status for a CRM, whatever else that holds: it may be
// sealed, or of a newer version than this build knows. Any other body stays as it is.
func regenerated(body []byte, stage string, generation int) []byte {
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
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(members) != nil {
		return body
	}
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'})
}
