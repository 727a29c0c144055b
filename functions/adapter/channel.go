// Package adapter turns a provider's webhooks into canonical events on the events queue. What every provider shares is the
// concrete Adapter: it checks, verifies, parses, finds line and tenant, makes ids, and finds something durable before it
// answers. What is a provider's own is a Channel, one folder each. An adapter never calls a CRM, a provider or the router.
package adapter

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/store"
	"signalbox/shared/webhook"
)

// Channel is one provider's messaging surface. It does no I/O, keeps no state and is safe for concurrent use. A new ability
// is a new optional interface of the channel or of its content, never a method more.
type Channel interface {
	// Describe returns what is true of every webhook of the provider: the same at every call.
	Describe() Description
	// Decode returns the content of a webhook, decoded as far as Verify needs it and no further: w may be a stranger's. It never
	// panics, costs no more than reading the body does, and does not fail: what cannot be decoded is refused by Verify and by Parse.
	Decode(w Webhook) Content
}

// Content is what one webhook holds: what Verify authenticates is what Parse reads. One goroutine uses it.
type Content interface {
	// Verify returns nil if the webhook was signed with one of tokens and a fault.Rejected otherwise. It sees unauthenticated
	// input: it never panics on it and compares in constant time.
	Verify(tokens secret.Versions) error
	// Parse reads what an authentic webhook says, in the order it says it. A dead letter was verified when it came, and is parsed
	// again without: of its headers Content-Type and Description.Keeps are kept. An error is a fault.Permanent whose text holds
	// nothing of the content, and it makes the whole webhook a dead letter: what cannot be read in part is not used in part.
	Parse() ([]Parsed, error)
}

// Handshaker is a Content whose provider asks whether a URL is ours before it sends webhooks there.
type Handshaker interface {
	// Handshake returns what the provider is answered if the webhook is such a question, and false for every other, which Verify is for. Tokens
	// are the account's HandshakeTokens, compared in constant time. A question that does not name one of them is answered 403 and nothing
	// else, and of a stranger's text nothing is answered.
	Handshake(tokens secret.Versions) (answer webhook.Response, asks bool)
}

// Refuser is a Channel whose senders read answers: programs of an integrator's, who is told what to correct. What they send and
// cannot be used is then no dead letter, which would be one more place to find it out. A provider reads nothing but the status.
type Refuser interface {
	// Refuse returns what the sender of an authentic webhook is told about a permanent fault: one that Content.Parse returned, or one with
	// CodeUnowned or CodeChannel. The answer is a 4xx after which the sender does not send the same again, and holds nothing of the webhook's
	// content. It returns false for a fault that is not the sender's: the webhook becomes a dead letter.
	Refuse(cause *fault.Error) (answer webhook.Response, ok bool)
}

// Answerer is a Content whose sender gives each webhook an id and reads what became of its events: again a program of an integrator's. An event
// that cannot be used is told and is no dead letter. The channel is a Refuser, too, for what cannot be read at all, and for CodeReused.
type Answerer interface {
	// RequestID returns what the sender calls an authentic webhook: the same on every repeat.
	RequestID() string
	// Answer returns what the sender is told when everything that can be used is durable: 2xx if that is anything, and else a 4xx. There is
	// a verdict for each event that Parse returned, in its order. A repeat gets the answer of the first.
	Answer(verdicts []Verdict) webhook.Response
}

// Verdict is what became of one event.
type Verdict struct {
	Event canonical.EventID // its id; "" if it cannot be used
	Err   error             // why: Parsed.Err, or a fault with CodeUnowned, CodeChannel or CodeLarge
}

// Description is what the adapter has to know of a provider.
type Description struct {
	Provider   string                      // the third part of the path, and Event.Provider
	Responses  map[string]webhook.Response // what each kind of webhook (the last part of the path) is answered once it is safe
	Redelivery RedeliveryPolicy
	// MediaHosts are where files of the provider's are read with the account's credentials, each a host or, with a dot before it, a domain:
	// from anywhere else without.
	MediaHosts []string
	Gets       bool     // the provider asks with GET, which a Handshaker is for; with another method nothing is there
	Polled     string   // the kind whose contents are Pollers: it is asked for by GET alone; "" if none is
	Keeps      []string // headers that Parse reads beside Content-Type: they are kept with a dead letter
	KeepsBut   string   // a header with which none of Keeps is read, nor kept; "" for none
}

// RedeliveryPolicy is what the provider does about a webhook that was not answered 2xx. It decides what to answer when
// nothing durable could be had, and whether a webhook may be left to the provider at all.
type RedeliveryPolicy struct {
	On []int // the statuses after which the same webhook comes again; empty: it never does
}

// RepeatedByPrograms returns the policy of senders that follow a page of ours: they repeat a request after these statuses and no other.
func RepeatedByPrograms() RedeliveryPolicy {
	return RedeliveryPolicy{On: []int{
		http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}}
}

// Never reports whether what is not accepted now is lost.
func (p RedeliveryPolicy) Never() bool { return len(p.On) == 0 }

// FailureStatus returns the status for a webhook that nothing durable took: 503 where the provider redelivers on it or never
// redelivers at all (it is the truth, and what a provider's console shows), otherwise the first status it redelivers on.
func (p RedeliveryPolicy) FailureStatus() int {
	if p.Never() || slices.Contains(p.On, http.StatusServiceUnavailable) {
		return http.StatusServiceUnavailable
	}
	return p.On[0]
}

// Webhook is a request with what its path named.
type Webhook struct {
	webhook.Request        // Received is never zero
	Provider        string // Description.Provider
	Kind            string // one of Description.Responses
	AccountID       string
	ProviderAccount string // what the provider calls the account; a channel compares it with the content
	// Fetched is when the provider was asked for it, zero of what came by itself. Received is then when it would have come.
	Fetched    time.Time
	Historical bool // it was asked for as history: see canonical.Flags

	kept http.Header // of Description.Keeps
}

// The codes of CheckTime.
const (
	CodeTimeMalformed = "timestamp_malformed"
	CodeTimeStale     = "timestamp_stale"
)

// CheckTime returns nil if a webhook was signed about when it came: at this time, in seconds of Unix time as it is written, no longer ago and no
// further ahead. Its error is a fault.Rejected.
func (w Webhook) CheckTime(written string, ago, ahead time.Duration) error {
	seconds, err := strconv.ParseInt(written, 10, 64)
	if err != nil {
		return fault.New(fault.Rejected, CodeTimeMalformed, nil)
	}
	if age := w.Received.Sub(time.Unix(seconds, 0)); age > ago || age < -ahead {
		return fault.New(fault.Rejected, CodeTimeStale, nil)
	}
	return nil
}

// Time returns the time that a provider writes: RFC 3339, also with blanks or with an offset without its colon, as some do. It returns the zero
// time, for which that of the receipt stands in, for what is none.
func Time(written string) time.Time {
	written = strings.Replace(strings.Replace(written, " ", "T", 1), " ", "", 1)
	if n := len(written) - len("hhmm"); n > 0 && (written[n-1] == '+' || written[n-1] == '-') {
		written = written[:n+2] + ":" + written[n+2:]
	}
	t, _ := canonical.ParseTime(written)
	return t
}

// PastTime returns what Time does, and the zero time for one that is ahead of a clock.
func PastTime(written string, clock time.Time) time.Time {
	if t := Time(written); !t.After(clock) {
		return t
	}
	return time.Time{}
}

// Number returns the E.164 form of a number that a provider writes with or without its plus, "" for what is none.
func Number(written string) string {
	if !strings.HasPrefix(written, "+") {
		written = "+" + written
	}
	if !canonical.IsE164(written) {
		return ""
	}
	return written
}

// Parsed is one event as the provider tells it. Tenant, line, ids, thread and conversation are the adapter's to add, for
// they depend on whose address it came to.
type Parsed struct {
	// Event holds everything else. Timestamp may be zero: the provider gave no time, and the time of receipt stands in. Provider and AccountID
	// are there if another account sent the message that it tells of: with its ProviderMessageID they name that.
	Event canonical.Event
	// Kind and Key are what the event id is made of: a word ("message", "receipt") and what stays the same on every
	// redelivery of this event within the account.
	Kind, Key string
	// Addresses are our side as the provider writes it and as it may be configured, most specific first. The first that
	// is a line decides line and tenant.
	Addresses []string
	// Person is the strongest identifier of the other side, the bare E.164 wherever there is one: the thread is made of it.
	Person string
	// Side is our side of the provider's conversation: a sender pool where it has one, else the address.
	Side string
	// Vendor is what was received, for metadata.rawVendor.
	Vendor []VendorField
	// Unasked says that the provider tells of all that the account has: what is of no line of ours is left out, and no dead letter.
	Unasked bool
	// Second says that the provider tells the same event by another webhook, too, which holds more and is the one that counts. This one is
	// sent when that has had its time, and is a copy unless that never came.
	Second bool
	// Within is how much later than Timestamp the event may have been: a minute where the provider tells the minute.
	Within time.Duration
	// Outbox is what the person, on the line, is shown of the event when a Poller of theirs asks; nil for nothing. Only an Answerer has it.
	Outbox json.RawMessage
	// Err is why the event cannot be used, a fault.Permanent, where others of the webhook can. Of an Answerer its sender is told, and of others
	// the webhook is a dead letter beside.
	Err error

	box store.Key // where Outbox is kept
}
