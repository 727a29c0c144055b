package adapter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/identity"
	"signalbox/shared/keyring"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

// MaxRequest is the largest body in bytes that is read: what the gateway lets through once base64 is undone.
const MaxRequest = 4_500_000

// Codes of dead letters that the adapter itself writes. A channel adds its own for what it cannot read.
const (
	CodeUnowned = "unowned_address"    // authentic, but no line of the account has the address it came to
	CodeChannel = "channel_not_served" // authentic, but no line with the address it came to serves its channel
	CodePanic   = "panic"
	CodeLarge   = "event_too_large" // larger than its readers take, even without what the provider sent
	// CodeMany is that of a webhook of very many events: its bytes are kept, and it is parsed within minutes by the function that parses dead
	// letters again. It is one only as long as that fails.
	CodeMany = "many_events"
	// CodeInflated is a channel's, for a body that is larger than MaxRequest once it is not compressed any more. It makes no dead letter: it is
	// answered as what is too large as it came.
	CodeInflated = "inflated_too_large"
	CodeReused   = "request_id_reused" // of an Answerer alone: the id was that of a webhook with another body
)

// Directory finds what is configured; *tenant.Directory is one, and caches. What is not configured is tenant.ErrUnknown, and a
// line of other channels than the one asked for tenant.ErrUnserved.
type Directory interface {
	Account(ctx context.Context, id string) (tenant.Account, error)
	Line(ctx context.Context, accountID, address string, channel canonical.Channel) (tenant.Line, error)
}

// Peppers returns a tenant's pepper; *tenant.Peppers is one.
type Peppers interface {
	Pepper(ctx context.Context, tenant string) (canonical.Pepper, error)
}

// Sealer seals and opens under tenants' keys; *keyring.Ring is one. That of an Adapter keeps what is large apart, as *claimcheck.Sealer does.
type Sealer interface {
	SealTenant(ctx context.Context, at keyring.Place, plain []byte) ([]byte, error)
	Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error)
}

// Parts is what an Adapter is made of. All but Lanes, Later, Aliases, Requests and Outbox are needed.
type Parts struct {
	Channel   Channel
	Directory Directory
	Peppers   Peppers
	Sinks     []Sink // where an event may become durable, in this order
	// Lanes are the places of event types whose order is no matter, so that a flood of them delays no conversation. A type
	// without a lane goes with the other events.
	Lanes map[canonical.Type][]Sink
	Later []Sink // where events wait that are Parsed.Second; without one they wait for nothing
	// Aliases are where it is kept which thread an identifier leads to. An event of somebody without a phone number costs a read of them.
	// Where none is found the thread is the identifier's own, and the router knows better.
	Aliases     identity.Getter
	DeadLetters DeadLetterWriter
	Requests    *Requests // needed by a channel whose contents are Answerers
	Outbox      *Outbox   // needed by a channel that has a Polled kind
	Logger      *slog.Logger
	Meter       *telemetry.Meter
}

// Adapter receives the webhooks of one channel. It is safe for concurrent use.
type Adapter struct {
	Parts
	sealer      Sealer
	description Description
}

// New returns an Adapter that seals events with s. Without one it fails: nothing is sent in the clear.
func New(s Sealer, p Parts) *Adapter { return &Adapter{p, s, p.Channel.Describe()} }

// outcome is what became of one webhook. Its reason is a code: why it was not accepted, or why it is a dead letter.
type outcome struct {
	answer              webhook.Response
	account, kind       string // only what is configured: anything else is a stranger's text
	reason              string
	event               string // the id of the first event, for the log
	events, dead, spool int
	unasked             int // events of no line, which the provider tells anyway
	panicked            bool
	refused             bool // the answer is a Refuser's, in place of a dead letter, or a page's in a browser
	asked               bool // it told nothing and asked for something, which it got: it is no webhook
}

// Receive handles one webhook. It returns a status of 2xx only when every event of it is durable: on the queue, in the spool, or as a
// dead letter. What cannot be authenticated leaves nothing behind but a count.
func (a *Adapter) Receive(ctx context.Context, r webhook.Request) webhook.Response {
	started := time.Now()
	if r.Received.IsZero() {
		r.Received = started
	}
	o := a.receive(ctx, r, budgetOf(ctx))
	a.allow(r, &o)
	a.report(telemetry.WithEvent(ctx, o.event), o, time.Since(started))
	return o.answer
}

// notFound is what API Gateway itself answers where it has no route, to the byte: nobody learns which paths, providers and
// accounts lie behind one.
func notFound() webhook.Response {
	return webhook.Response{Status: http.StatusNotFound, ContentType: "application/json", Body: []byte(`{"message":"Not Found"}`)}
}

// refusal is the outcome of what is not let in.
func refusal(status int, reason string) outcome {
	return outcome{answer: webhook.Response{Status: status}, reason: reason}
}

// receive lets in what is authentic.
func (a *Adapter) receive(ctx context.Context, r webhook.Request, all budget) outcome {
	id, kind, ok := a.route(r.Path)
	switch {
	case !ok:
		return outcome{answer: notFound(), reason: "unknown"}
	case a.isPreflight(r):
		return outcome{answer: webhook.Response{Status: http.StatusNoContent}, asked: true}
	case !a.takes(r.Method, kind):
		return outcome{answer: notFound(), reason: "method"}
	case len(r.Body) > MaxRequest:
		return refusal(http.StatusRequestEntityTooLarge, "too_large")
	}
	looking, cancel := all.share(ctx, accountShare)
	account, err := a.Directory.Account(looking, id)
	cancel()
	switch {
	case errors.Is(err, tenant.ErrUnknown), err == nil && account.Provider != a.description.Provider:
		return outcome{answer: notFound(), reason: "unknown"}
	case err != nil:
		a.Logger.ErrorContext(ctx, "account cannot be read", slog.String("code", fault.Of(err).Code), slog.Any("error", err))
		return refusal(a.description.Redelivery.FailureStatus(), "account_unreadable")
	}
	w := Webhook{Request: r, Provider: a.description.Provider, Kind: kind, AccountID: account.ID, ProviderAccount: account.ProviderAccount}
	w.keep(a.description)
	return a.admit(ctx, w, account, all)
}

// admit lets an account's provider ask, and accepts what it signed.
func (a *Adapter) admit(ctx context.Context, w Webhook, account tenant.Account, all budget) outcome {
	o := outcome{account: account.ID, kind: w.Kind}
	var content Content
	var asks bool
	err := a.catchPanic(ctx, func() error {
		content = a.Channel.Decode(w)
		if h, ok := content.(Handshaker); ok {
			if o.answer, asks = h.Handshake(account.HandshakeTokens); asks {
				return nil
			}
		}
		if w.Method != http.MethodPost && !a.polled(w.Kind) {
			return fault.New(fault.Rejected, "method", nil)
		}
		return content.Verify(account.AuthTokens)
	})
	switch {
	case err == nil && asks:
		o.reason = "handshake"
		return o
	case err == nil && a.polled(w.Kind):
		return a.poll(ctx, w, content, all)
	case err == nil:
		return a.accept(ctx, w, content, account.TenantID, all)
	}
	switch o.reason = fault.Of(err).Code; {
	case o.reason == CodePanic:
		o.panicked, o.answer.Status = true, a.description.Redelivery.FailureStatus()
	case o.reason == CodeInflated:
		o.answer.Status = http.StatusRequestEntityTooLarge
	case w.Method != http.MethodPost && !a.polled(w.Kind):
		o.answer = notFound()
	default:
		o.answer.Status = http.StatusForbidden
	}
	return o
}

// route reads "/v1/accounts/{account}/{provider}/{kind}". It returns false for every other path, another provider and a kind the
// channel does not have: all of them look the same from outside.
func (a *Adapter) route(path string) (account, kind string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/v1/accounts/")
	if !ok {
		return "", "", false
	}
	account, rest, _ = strings.Cut(rest, "/")
	provider, kind, _ := strings.Cut(rest, "/")
	_, known := a.description.Responses[kind]
	return account, kind, known && provider == a.description.Provider && account != ""
}

// accept makes an authentic webhook durable.
func (a *Adapter) accept(ctx context.Context, w Webhook, content Content, owner string, all budget) outcome {
	o := outcome{answer: a.description.Responses[w.Kind], account: w.AccountID, kind: w.Kind}
	err := a.catchPanic(ctx, func() error {
		reading, cancel := all.share(ctx, parseShare)
		defer cancel()
		work, err := a.Parse(reading, w, content)
		if err != nil {
			return err
		}
		o.event, o.unasked = work.first(), work.unasked
		if answerer, ok := content.(Answerer); ok {
			return a.respond(telemetry.WithEvent(ctx, o.event), w, answerer, work, all, &o)
		}
		if work.count() > maxAtOnce {
			return fault.New(fault.Retryable, CodeMany, nil)
		}
		if o.spool, err = a.publishAll(telemetry.WithEvent(ctx, o.event), work, all); err != nil {
			return fault.New(fault.Retryable, codeNotDurable, nil)
		}
		o.events = work.count()
		return work.Unused
	})
	if err == nil {
		return o
	}
	cause := fault.Of(err)
	o.reason, o.panicked = cause.Code, cause.Code == CodePanic
	failed := webhook.Response{Status: a.description.Redelivery.FailureStatus()}
	if cause.Code == codeNotDurable || cause.Kind != fault.Permanent && cause.Code != CodeMany && !a.description.Redelivery.Never() {
		o.answer = failed // it comes again when what failed may work
		return o
	}
	if cause.Code == CodeInflated {
		o.answer = webhook.Response{Status: http.StatusRequestEntityTooLarge}
		return o
	}
	if a.refuse(ctx, cause, &o) {
		return o
	}
	keeping, cancel := all.share(ctx, deadLetterShare)
	defer cancel()
	if err := a.DeadLetters.Write(keeping, w, owner, cause); err != nil {
		a.Logger.ErrorContext(ctx, "dead letter cannot be written", slog.String("code", cause.Code), slog.Any("error", err))
		o.answer = failed
		return o
	}
	o.dead = 1
	return o
}

// refuse lets the sender have back what cannot be used, if the channel is a Refuser. What is durable in part is no longer the
// sender's to correct.
func (a *Adapter) refuse(ctx context.Context, cause *fault.Error, o *outcome) bool {
	refuser, ok := a.Channel.(Refuser)
	if !ok || o.panicked || o.events > 0 || cause.Kind != fault.Permanent {
		return false
	}
	o.panicked = a.catchPanic(ctx, func() error {
		if answer, ok := refuser.Refuse(cause); ok {
			o.answer, o.refused = answer, true
		}
		return nil
	}) != nil
	return o.refused
}

// maxAtOnce is how many events of a webhook are published before it is answered: those of one thread go one after the other. A provider that sends
// what has a thousand, which it never got an answer to in time, would send it for ever.
const maxAtOnce = 100

// codeNotDurable is that no place took the events.
const codeNotDurable = "nothing_durable"

// catchPanic runs f and turns a panic into a fault with CodePanic. Its text is the type of what was thrown, for the value may hold
// anything. The stack holds addresses of functions and no values.
func (a *Adapter) catchPanic(ctx context.Context, f func() error) (err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			kind := fmt.Sprintf("%T", thrown)
			err = fault.New(fault.Permanent, CodePanic, errors.New("panic with a "+kind))
			a.Logger.ErrorContext(ctx, "panic recovered", slog.String("type", kind), slog.String("stack", string(debug.Stack())))
		}
	}()
	return f()
}

// report writes the one log line of a webhook and counts it.
func (a *Adapter) report(ctx context.Context, o outcome, took time.Duration) {
	if o.asked {
		return
	}
	a.Logger.InfoContext(ctx, "webhook",
		slog.String("provider", a.description.Provider), slog.String("account", o.account), slog.String("kind", o.kind),
		slog.Int("status", o.answer.Status), slog.String("reason", o.reason),
		slog.Int("events", o.events), slog.Int("elsewhere", o.unasked), slog.Float64("ms", float64(took.Microseconds())/1000))
	reason := telemetry.Label{Name: "reason", Value: o.reason}
	provider := telemetry.Label{Name: "provider", Value: a.description.Provider}
	switch {
	case o.answer.Status/100 == 2:
		a.Meter.Count("WebhookAccepted", 1, provider)
	case o.refused: // the sender was told what to correct
		a.Meter.Count("WebhookRefused", 1, provider, reason)
	default:
		a.Meter.Count("WebhookRejected", 1, provider, reason)
	}
	if o.dead > 0 && o.reason == CodeMany {
		return // it waits, and nothing is wrong with it
	}
	if o.dead > 0 {
		a.Meter.Count("WebhookDeadLettered", o.dead, provider, reason)
	}
	if o.spool > 0 {
		a.Meter.Count("Spooled", o.spool, provider)
	}
	if o.panicked {
		a.Meter.Count("PanicRecovered", 1, provider)
	}
	misconfigured := o.reason == CodeUnowned || o.reason == CodeChannel // at the provider or in a tenant file: no version of this function is at fault
	if o.panicked || o.answer.Status >= http.StatusInternalServerError || o.dead > 0 && !misconfigured {
		a.Meter.Count(telemetry.Failures, 1, provider, reason)
	}
}
