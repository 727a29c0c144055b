package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/tenant"
)

// Fetcher asks a provider for what it has of an account, where that can be asked: what never reached us is among it. The channel of such a
// provider has one beside it, which its Reparser uses. It is safe for concurrent use, and its errors are sorted by package fault.
type Fetcher interface {
	// Fetch returns what was said in a span of time, both ways, oldest first, as the webhooks that the provider would have sent. Of more than
	// most it returns none and ErrMuch; 0 sets no limit.
	Fetch(ctx context.Context, a tenant.Account, s Span, most int) ([]Fetched, error)
}

// Filler completes what a Fetcher returns in part. A Fetcher that sets Fetched.Part is one.
type Filler interface {
	// Fill returns all of f. It is asked for none that is known already.
	Fill(ctx context.Context, a tenant.Account, f Fetched) (Fetched, error)
}

// ErrMuch is that a span holds more than was asked for.
var ErrMuch = errors.New("adapter: more was said in this time than was asked for")

// Span is a stretch of time in whole seconds. To is not of it.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// holds reports whether a time is of the span.
func (s Span) holds(at time.Time) bool { return !at.Before(s.From) && at.Before(s.To) }

// Fetched is a webhook that a provider would have sent.
type Fetched struct {
	Kind string // one of Description.Responses
	Body []byte
	At   time.Time // when it was said
	Part bool      // the rest takes another request: Filler
}

// Accounts finds the accounts of a provider that this deployment has.
type Accounts interface {
	Accounts(ctx context.Context, provider string) ([]tenant.Account, error)
}

// The codes of faults of a Fetcher: what a provider returned cannot be used.
const (
	CodeUnanswered = "provider_unanswered" // retryable: no answer, or a 5xx
	CodeThrottled  = "provider_throttled"  // throttled: 429
	CodeRefused    = "provider_refused"    // blocked: the credentials, or what they may do
	CodeMissing    = "provider_missing"    // blocked: 404
	CodeUnread     = "provider_answer_bad" // retryable: it is not what is described
	CodeEndless    = "provider_endless"    // retryable: a list has more pages, or more on them, than there can be
)

const (
	maxAnswer = 32 << 20 // of bytes: a page of a thousand messages of 1,600 characters is a tenth
	maxPages  = 200      // of one list
	maxFound  = 50_000   // of one span, which is a second where it holds many
)

// Ask sends a request to a provider, by a client that follows no redirect, for credentials go where the account's file says, and decodes the
// JSON that comes back. Its errors hold nothing of either.
func Ask(client *http.Client, r *http.Request, into any) error {
	answer, err := client.Do(r) //nolint:gosec // the account names the host, and the client which it reaches
	if err != nil {
		return fault.New(fault.Retryable, CodeUnanswered, nil) // its words have the address
	}
	defer func() { _ = answer.Body.Close() }()
	switch status := answer.StatusCode; {
	case status == http.StatusTooManyRequests:
		return fault.New(fault.Throttled, CodeThrottled, nil)
	case status >= http.StatusInternalServerError:
		return fault.New(fault.Retryable, CodeUnanswered, nil)
	case status == http.StatusNotFound:
		return fault.New(fault.Blocked, CodeMissing, nil)
	case status/100 != 2:
		return fault.New(fault.Blocked, CodeRefused, nil)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(into); err != nil {
		return fault.New(fault.Retryable, CodeUnread, nil)
	}
	return nil
}

// List gathers what a provider's lists hold of a span of time.
type List[T any] struct {
	Span   Span
	Most   int               // see Fetcher.Fetch
	At     func(T) time.Time // when it was said; nil where nothing has a time, and the list is taken whole
	Newest bool              // the lists begin with the newest

	found []T
}

// Read reads a list page by page: from an empty place on, the next of which page returns with what is on it, "" after the last.
func (l *List[T]) Read(page func(place string) (all []T, next string, err error)) error {
	place := ""
	for pages := 0; pages < maxPages && len(l.found) <= maxFound; pages++ {
		all, next, err := page(place)
		if err != nil {
			return err
		}
		for _, one := range all {
			if l.At == nil || l.Span.holds(l.At(one)) {
				l.found = append(l.found, one)
			}
		}
		if l.Most > 0 && len(l.found) > l.Most {
			return ErrMuch
		}
		if place = next; place == "" {
			return nil
		}
	}
	return fault.New(fault.Retryable, CodeEndless, nil)
}

// Sorted returns what was gathered, oldest first, after the last Read.
func (l *List[T]) Sorted() []T {
	if l.Newest { // of one second the first that came stays the first
		slices.Reverse(l.found)
	}
	if l.At != nil {
		slices.SortStableFunc(l.found, func(x, y T) int { return l.At(x).Compare(l.At(y)) })
	}
	return l.found
}
