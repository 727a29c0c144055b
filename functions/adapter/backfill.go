package adapter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"

	"signalbox/shared/audit"
	"signalbox/shared/fault"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// The times of the schedule. It looks at all that was said a short while ago, whether anything is known to have been lost: nothing tells of
// what the gateway refused, or of what the provider gave up.
const (
	settled   = 3 * time.Minute  // how long ago what is looked at was said: by then it has come by itself, or will not
	lookBack  = 10 * time.Minute // how far a look reaches over what the one before saw: what was said there may have got further since
	firstLook = time.Hour        // how far the first look at an account reaches
	tolerated = time.Hour        // how long a provider may fail to answer, or an account wait for its turn, before that is a failure of ours
	lookShare = 8 * time.Second  // how long an account is looked at at least, if it takes so long, while others wait
)

// CodeNotAsked is that there are more accounts than there was time to ask for, run after run.
const CodeNotAsked = "accounts_not_asked"

const (
	fetchStep       = time.Hour        // what is fetched at once, at most
	fetchMost       = 2_000            // how many at once, but of a second
	fetchMargin     = 12 * time.Second // what has to be left of an invocation for what is fetched at once
	shareMargin     = 2 * time.Second  // what has to be left of an account's share of it
	fetchedFor      = 90 * 24 * time.Hour
	progressOfLooks = "looks"
)

// Asks makes r ask the provider, too: on its schedule for what was said lately, and when it is told to. It returns r.
func (r *Reparser) Asks(f Fetcher, accounts Accounts) *Reparser {
	r.fetcher, r.accounts = f, accounts
	return r
}

// Handle executes a request as Reparse does, or one that asks the provider. What that did not finish before its time is over is asked for again
// by the same request: it goes on where it was.
func (r *Reparser) Handle(ctx context.Context, q redrive.FetchRequest) (redrive.Result, error) {
	if q.Action != redrive.Backfill && q.Action != redrive.Import {
		return r.Reparse(ctx, q.Common)
	}
	problems := audit.Check(q.By, q.Reason)
	if !q.From.Before(q.To) || q.To.After(time.Now()) {
		problems = append(problems, "from is before to, and to is not in the future")
	}
	account, err := r.adapter.Directory.Account(ctx, q.Account)
	switch {
	case errors.Is(err, tenant.ErrUnknown), err == nil && account.Provider != r.adapter.description.Provider, r.fetcher == nil:
		problems = []string{redrive.NoAccount}
	case err != nil:
		return r.reporter.Report(ctx, q.Common, redrive.Result{}, err)
	case account.APIURL == "":
		problems = append(problems, "the account's file names no apiUrl: it may not be asked")
	}
	if len(problems) > 0 {
		return redrive.Result{Problems: problems}, nil
	}
	q.Tenant = account.TenantID
	result, err := r.fetchAsked(ctx, account, q)
	return r.reporter.Report(ctx, q.Common, result, err)
}

// fetchAsked does what is left of what an operator asks for.
func (r *Reparser) fetchAsked(ctx context.Context, a tenant.Account, q redrive.FetchRequest) (redrive.Result, error) {
	span := Span{q.From.UTC().Truncate(time.Second), q.To.UTC().Truncate(time.Second)}
	name := q.Action + "/" + span.From.Format(time.RFC3339) + "/" + span.To.Format(time.RFC3339)
	p, err := r.readProgress(ctx, a.ID, name)
	if err != nil {
		return redrive.Result{}, err
	}
	if p.held.Version == 0 || p.Done {
		if err := q.Audit(ctx, r.records, []string{a.ID + " " + name}); err != nil {
			return redrive.Result{}, err
		}
		p = &progress{Span: span, held: p.held}
		p.At = span.From
	}
	p.History = q.Action == redrive.Import
	p.Done, err = r.fetch(ctx, a, p, fetchMargin)
	if err == nil && p.Done {
		err = r.keep(ctx, p)
	}
	return redrive.Result{Fetched: &p.Fetched, More: !p.Done}, err
}

// progress is how far an account was asked for a span of time. It is kept after each stretch, so that after a kill it goes on there.
type progress struct {
	redrive.Fetched
	Span    Span      `json:"span"`
	History bool      `json:"history,omitempty"`
	Failing time.Time `json:"failing,omitzero"` // since when the provider does not answer
	Looked  time.Time `json:"looked,omitzero"`  // when the account last had its turn, or began to wait for its first

	held store.Record
}

// readProgress returns what is kept under a name. Names of accounts have no slash.
func (r *Reparser) readProgress(ctx context.Context, account, name string) (*progress, error) {
	held, err := r.records.Get(ctx, store.Key{Partition: account + "/backfill", Sort: name})
	if err != nil {
		return nil, err
	}
	p := &progress{held: held[0]}
	if held[0].Version > 0 && json.Unmarshal(held[0].Data, p) != nil {
		return nil, fault.New(fault.Permanent, "progress_malformed", nil)
	}
	return p, nil
}

// keep writes a progress. The error is a *store.ConflictError where somebody else went on meanwhile.
func (r *Reparser) keep(ctx context.Context, p *progress) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	p.held.Data, p.held.Expires = data, time.Now().Add(fetchedFor)
	written, err := r.records.Write(ctx, store.Change{Kind: store.Put, Record: p.held})
	if err == nil {
		p.held = written[0]
	}
	return err
}

// fetch asks for what is left of a progress, a stretch at a time, and reports whether all of it is done. Where a stretch holds too much it is
// divided. None is begun with less than margin left of ctx.
func (r *Reparser) fetch(ctx context.Context, a tenant.Account, p *progress, margin time.Duration) (done bool, err error) {
	for step := fetchStep; p.At.Before(p.Span.To); {
		if redrive.OutOfTime(ctx, margin) {
			return false, nil
		}
		part, most := Span{p.At, slices.MinFunc([]time.Time{p.At.Add(step), p.Span.To}, time.Time.Compare)}, fetchMost
		if part.To.Sub(part.From) <= time.Second {
			most = 0
		}
		found, err := r.fetcher.Fetch(ctx, a, part, most)
		if errors.Is(err, ErrMuch) {
			step = max(part.To.Sub(part.From)/2, time.Second).Truncate(time.Second)
			continue
		}
		if err == nil {
			err = r.sendMissing(ctx, a, p, found)
		}
		if err != nil {
			return false, err
		}
		p.At = part.To
		if err := r.keep(ctx, p); err != nil {
			return false, err
		}
	}
	return true, nil
}

// turn is an account that is to be looked at, and how far that is.
type turn struct {
	account tenant.Account
	before  *progress
}

// since returns when it last had its turn, or began to wait for its first; zero if it is new.
func (t turn) since() time.Time { return cmp.Or(t.before.Looked, t.before.At) }

// lookAtAll asks for what was said lately of each account that may be asked. One account's trouble is not another's: whoever has waited longest
// is the first, and none has more than its share of the time while others wait.
func (r *Reparser) lookAtAll(ctx context.Context) error {
	accounts, err := r.accounts.Accounts(ctx, r.adapter.description.Provider)
	if err != nil {
		return err
	}
	var turns []turn
	var failed error
	for _, a := range accounts {
		if a.APIURL == "" {
			continue
		}
		before, err := r.readProgress(ctx, a.ID, progressOfLooks)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		turns = append(turns, turn{a, before})
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return a.since().Compare(b.since()) })
	for i, t := range turns {
		if redrive.OutOfTime(ctx, fetchMargin) {
			return errors.Join(failed, r.putOff(ctx, turns[i:]))
		}
		failed = errors.Join(failed, r.look(ctx, t, shareOf(ctx, len(turns)-i)))
	}
	return failed
}

// shareOf returns how long the first of so many accounts may be looked at.
func shareOf(ctx context.Context, waiting int) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return lookShare
	}
	return max(lookShare, (time.Until(deadline)-fetchMargin)/time.Duration(waiting))
}

// putOff tells of accounts that no time is left for, longest waiting first. They are the first of the next run; if that is not enough, an error
// tells. Of one that is new it is kept since when it waits, and from when it is to be looked at.
func (r *Reparser) putOff(ctx context.Context, turns []turn) (err error) {
	now := time.Now().UTC()
	r.adapter.Logger.WarnContext(ctx, "no time was left to ask for accounts", slog.String("account", turns[0].account.ID), slog.Int("accounts", len(turns)))
	for _, t := range turns {
		switch since := t.since(); {
		case since.IsZero():
			t.before.At, t.before.Looked = now.Add(lookBack-firstLook), now
			err = errors.Join(err, r.keep(ctx, t.before))
		case now.Sub(since) > tolerated:
			return errors.Join(err, fault.New(fault.Retryable, CodeNotAsked, nil))
		}
	}
	return err
}

// look asks for what was said lately of an account, for no longer than its share. What its provider does not answer the next run asks for; if
// that goes on, an error tells.
func (r *Reparser) look(ctx context.Context, t turn, share time.Duration) error {
	a, before, now := t.account, t.before, time.Now().UTC()
	from := now.Add(-firstLook)
	if before.held.Version > 0 {
		from = before.At.Add(-lookBack)
	}
	p := &progress{Span: Span{from.Truncate(time.Second), now.Add(-settled).Truncate(time.Second)}, Looked: now, held: before.held}
	p.At = p.Span.From
	shared, cancel := context.WithTimeout(ctx, share)
	_, err := r.fetch(shared, a, p, shareMargin)
	cancel()
	if p.Missing > 0 {
		r.adapter.Logger.WarnContext(ctx, "what never came was fetched", slog.String("account", a.ID), slog.Int("found", p.Found), slog.Int("missing", p.Missing))
		r.adapter.Meter.Count("Backfilled", p.Missing, telemetry.Label{Name: "provider", Value: r.adapter.description.Provider})
	}
	if _, lost := errors.AsType[*store.ConflictError](err); lost || err == nil { // another run looks
		return nil
	}
	r.adapter.Logger.WarnContext(ctx, "provider cannot be asked", slog.String("account", a.ID), slog.String("code", fault.Of(err).Code), slog.Any("error", err))
	if before.Failing.IsZero() {
		before.Failing = now
	}
	var kept error
	if p.At.Equal(p.Span.From) { // nothing was kept: only that it fails, and had its turn
		before.At, before.Looked = from.Add(lookBack), now
		kept = r.keep(ctx, before)
	}
	if now.Sub(before.Failing) > tolerated {
		return errors.Join(err, kept)
	}
	return kept
}
