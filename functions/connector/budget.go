package connector

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// Priority is what a tenant's CRM is called for. What matters less stops earlier while a day's requests run out.
type Priority int

// The priorities, the least first.
const (
	ForReceipts Priority = iota // how far sent messages got, and how conversations stand
	ForFiles
	ForMessages // either way, and whatever else is told of people
	ForOptOuts
)

// kept returns the part of a limit that is kept for what matters more.
func (p Priority) kept(limit int64) int64 { return limit * [...]int64{20, 10, 5, 0}[p] / 100 }

// Usage is what a CRM tells with a reply of a tenant's requests: of all clients, not of us alone. What it does not tell is zero.
type Usage struct {
	Daily, Used  int64         // the limit of a day, or of the last 24 hours, and what is used of it
	Window, Left int64         // the limit of a short time, and what is left of it
	Span         time.Duration // that time
}

// longestSpan is the longest that a short time is, as in a tenant's file: of what claims to be longer nothing is kept.
const longestSpan = time.Hour

// BudgetStore is what a Budget needs of a store.
type BudgetStore interface {
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// BudgetOptions are what a Budget works with. All are required but Tenants and Concurrency.
type BudgetOptions struct {
	Kind        string // of the CRM
	Store       BudgetStore
	Tenants     Tenants // whose files may have limits of their own; nil: none have
	Concurrency int     // how many functions of this one's kind run at once at most; 0: it is not known, and nothing is spent without asking
	Waits       bool    // whoever calls waits for the end of a short time rather than being refused, as a drain does
	Logger      *slog.Logger
	Meter       *telemetry.Meter
}

// Budget keeps the requests to tenants' CRMs within what the CRMs allow in a day and in a short time, and within what a tenant's file allows us. The
// processes of all functions share a record, of which each leases blocks, so that nothing is written for most messages. A process that ends
// loses its block. What a CRM tells of its own count, which is that of all clients, corrects the record in both directions.
//
// Work that has begun is never stopped: what it spends beyond the block is part of the next one. Without a reply from the store everything goes
// on. A CRM that tells nothing, of a tenant whose file says nothing, costs nothing. Nil is a Budget without limits. It is safe for concurrent use.
type Budget struct {
	options BudgetOptions

	mu       sync.Mutex
	accounts map[BindingKey]*account
}

// NewBudget returns a Budget.
func NewBudget(o BudgetOptions) *Budget {
	return &Budget{options: o, accounts: map[BindingKey]*account{}}
}

// account is what this process knows of the requests of one tenant's CRM.
type account struct {
	turn   chan struct{} // had by one that leases
	day    ledger        // as it was last seen
	record store.Record  // of it
	seen   time.Time
	block  int64 // what is leased next
	window window

	mu   sync.Mutex
	zone *time.Location // where the tenant's days begin
	left int64          // of what is leased; below zero of what was spent beyond it
	made int64          // requests in the window
	told Usage          // the latest of each
	at   time.Time
	atIn time.Time // of the window
}

func (b *Budget) account(of BindingKey) *account {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[of]
	if a == nil {
		a = &account{turn: make(chan struct{}, 1), block: firstBlock}
		b.accounts[of] = a
	}
	return a
}

// Admit returns nil if work may begin that makes about so many calls, else the fault that it waits with: throttled until the end of a short time,
// blocked if the day's requests are spent, as far as work of this priority may spend them.
func (b *Budget) Admit(ctx context.Context, of BindingKey, p Priority, calls int) error {
	if b == nil {
		return nil
	}
	t := tenantOf(ctx, b.options.Tenants, of)
	crm, _ := t.CRM(of.CRM)
	q := asked{p, int64(calls), crm.Limits, t.Zone}
	for {
		refused := b.admit(ctx, of, q)
		if refused == nil {
			return nil
		}
		if short := refused.Kind == fault.Throttled && refused.Wait <= parkAfter; !b.options.Waits || !short || Wait(ctx, refused.Wait) != nil {
			return refused
		}
	}
}

// admit does what Admit does, but for the wait. One at a time does for a tenant's CRM.
func (b *Budget) admit(ctx context.Context, of BindingKey, q asked) *fault.Error {
	a := b.account(of)
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return &fault.Error{Kind: fault.Retryable, Code: CodeOutOfTime, Err: ctx.Err()}
	}
	refused, err := b.admitDay(ctx, a, of, q)
	if err == nil && refused == nil {
		refused, err = b.admitWindow(ctx, a, of, q)
	}
	if err != nil {
		b.options.Logger.WarnContext(ctx, "the budget was not read", slog.String("tenant", of.Tenant), slog.String("crm", of.CRM), slog.String("code", fault.Of(err).Code))
		return nil
	}
	return refused
}

// spending is what the requests of a context are counted for.
type spending struct {
	budget *Budget
	of     BindingKey
}

type spendingKey struct{}

// Spending returns ctx, in which the requests of an API are counted for a tenant's CRM.
func (b *Budget) Spending(ctx context.Context, of BindingKey) context.Context {
	if b == nil {
		return ctx
	}
	return context.WithValue(ctx, spendingKey{}, &spending{b, of})
}

// unspent returns ctx, in which no requests are counted: what a CRM gives tokens for is not of its limits.
func unspent(ctx context.Context) context.Context {
	return context.WithValue(ctx, spendingKey{}, (*spending)(nil))
}

// spend counts a request that is about to be made.
func spend(ctx context.Context) {
	s, _ := ctx.Value(spendingKey{}).(*spending)
	if s == nil {
		return
	}
	a := s.budget.account(s.of)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left--
	a.made++
}

// tell keeps what a CRM told with a reply.
func tell(ctx context.Context, u Usage) {
	s, _ := ctx.Value(spendingKey{}).(*spending)
	if s == nil {
		return
	}
	a, now := s.budget.account(s.of), time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if u.Daily > 0 {
		a.told.Daily, a.told.Used, a.at = u.Daily, u.Used, now
	}
	if u.Window > 0 && 0 < u.Span && u.Span <= longestSpan {
		a.told.Window, a.told.Left, a.told.Span, a.atIn = u.Window, u.Left, u.Span, now
	}
}
