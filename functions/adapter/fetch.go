package adapter

import (
	"context"
	"errors"
	"time"

	"signalbox/shared/tenant"
)

// Fetcher asks a provider for what it has of an account, where that can be asked: what never reached us is among it. The channel of such a
// provider has one beside it, which its Reparser uses. It is safe for concurrent use, and its errors are sorted by package fault.
type Fetcher interface {
	// Fetch returns what was said in a span of time, both ways, oldest first, as the webhooks that the provider would have sent. Of more than
	// most it returns none and ErrMuch; 0 sets no limit.
	Fetch(ctx context.Context, a tenant.Account, s Span, most int) ([]Fetched, error)
	// Fill completes one that Fetch returned in part. It is asked for none that is known already.
	Fill(ctx context.Context, a tenant.Account, f Fetched) (Fetched, error)
}

// ErrMuch is that a span holds more than was asked for.
var ErrMuch = errors.New("adapter: more was said in this time than was asked for")

// Span is a stretch of time in whole seconds. To is not of it.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Fetched is a webhook that a provider would have sent.
type Fetched struct {
	Kind string // one of Description.Responses
	Body []byte
	At   time.Time // when it was said
	Part bool      // the rest takes another request: Fetcher.Fill
}

// Accounts finds the accounts of a provider that this deployment has.
type Accounts interface {
	Accounts(ctx context.Context, provider string) ([]tenant.Account, error)
}
