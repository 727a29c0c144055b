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
	CodeLarge   = "event_too_large"
)

// Directory finds what is configured; *tenant.Directory is one, and caches. What is not configured is tenant.ErrUnknown, and a
// line of other channels than the one asked for tenant.ErrUnserved.
type Directory interface {
	Account(ctx context.Context, id string) (tenant.Account, error)
	Line(ctx context.Context, accountID, address string, channel canonical.Channel) (tenant.Line, error)
	Tenant(ctx context.Context, id string) (tenant.Tenant, error)
}

// Peppers returns a tenant's pepper; *tenant.Peppers is one.
type Peppers interface {
	Pepper(ctx context.Context, tenant string) (canonical.Pepper, error)
}

// Sealer seals and opens under tenants' keys; *keyring.Ring is one.
type Sealer interface {
	SealTenant(ctx context.Context, at keyring.Place, plain []byte) ([]byte, error)
	Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error)
}

// Parts is what an Adapter is made of. All but Lanes are needed.
type Parts struct {
	Channel   Channel
	Directory Directory
	Peppers   Peppers
	Sinks     []Sink // where an event may become durable, in this order
	// Lanes are the places of event types whose order is no matter, so that a flood of them delays no conversation. A type
	// without a lane goes with the other events.
	Lanes       map[canonical.Type][]Sink
	DeadLetters DeadLetterWriter
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
	status              int
	account, kind       string // only what is configured: anything else is a stranger's text
	reason              string
	event               string // the id of the first event, for the log
	events, dead, spool int
	panicked            bool
	refusal             webhook.Response // what a Refuser answers in place of a dead letter
}

// Receive handles one webhook. It returns a status of 2xx only when every event of it is durable: on the queue, in the spool, or as a
// dead letter. What cannot be authenticated leaves nothing behind but a count.
func (a *Adapter) Receive(ctx context.Context, r webhook.Request) webhook.Response {
	started := time.Now()
	if r.Received.IsZero() {
		r.Received = started
	}
	o := a.receive(ctx, r, budgetOf(ctx))
	a.report(telemetry.WithEvent(ctx, o.event), o, time.Since(started))
	switch {
	case o.refusal.Status != 0:
		return o.refusal
	case o.status/100 == 2:
		return a.description.Responses[o.kind]
	case o.status == http.StatusNotFound:
		return notFound()
	default:
		return webhook.Response{Status: o.status}
	}
}

// notFound is what API Gateway itself answers where it has no route, to the byte: nobody learns which paths, providers and
// accounts lie behind one.
func notFound() webhook.Response {
	return webhook.Response{Status: http.StatusNotFound, ContentType: "application/json", Body: []byte(`{"message":"Not Found"}`)}
}

// receive lets in what is authentic.
func (a *Adapter) receive(ctx context.Context, r webhook.Request, all budget) outcome {
	id, kind, ok := a.route(r.Path)
	switch {
	case r.Method != http.MethodPost:
		return outcome{status: http.StatusMethodNotAllowed, reason: "method"}
	case len(r.Body) > MaxRequest:
		return outcome{status: http.StatusRequestEntityTooLarge, reason: "too_large"}
	case !ok:
		return outcome{status: http.StatusNotFound, reason: "unknown"}
	}
	account, err := a.account(ctx, id, all)
	switch {
	case errors.Is(err, tenant.ErrUnknown), err == nil && account.Provider != a.description.Provider:
		return outcome{status: http.StatusNotFound, reason: "unknown"}
	case err != nil:
		a.Logger.ErrorContext(ctx, "account cannot be read", slog.String("code", fault.Of(err).Code), slog.Any("error", err))
		return outcome{status: a.description.Redelivery.FailureStatus(), reason: "account_unreadable"}
	}
	w := Webhook{Request: r, Provider: a.description.Provider, Kind: kind, AccountID: account.ID, ProviderAccount: account.ProviderAccount}
	o := outcome{account: account.ID, kind: kind}
	panicked, err := a.catchPanic(ctx, func() error { return a.Channel.Verify(r, account.AuthTokens) })
	switch {
	case panicked:
		o.status, o.reason, o.panicked = a.description.Redelivery.FailureStatus(), CodePanic, true
	case err != nil:
		o.status, o.reason = http.StatusForbidden, fault.Of(err).Code
	default:
		a.accept(ctx, w, account.TenantID, all, &o)
	}
	return o
}

func (a *Adapter) account(ctx context.Context, id string, all budget) (tenant.Account, error) {
	ctx, cancel := all.share(ctx, accountShare)
	defer cancel()
	return a.Directory.Account(ctx, id)
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
func (a *Adapter) accept(ctx context.Context, w Webhook, owner string, all budget, o *outcome) {
	o.status = a.description.Responses[w.Kind].Status
	var work Batch
	panicked, err := a.catchPanic(ctx, func() error {
		reading, cancel := all.share(ctx, parseShare)
		defer cancel()
		var err error
		work, err = a.Parse(reading, w)
		if err != nil {
			return err
		}
		o.event = work.first()
		if o.spool, err = a.publishAll(telemetry.WithEvent(ctx, o.event), work, all); err != nil {
			return errNotDurable
		}
		return nil
	})
	switch {
	case errors.Is(err, errNotDurable):
		o.status, o.reason = a.description.Redelivery.FailureStatus(), "nothing_durable"
		return
	case panicked:
		o.panicked = true
		err = fault.New(fault.Permanent, CodePanic, err)
	case err == nil:
		o.events = work.count()
		err = work.Unowned
	}
	if err == nil {
		return
	}
	sorted := fault.Of(err)
	o.reason = sorted.Code
	if sorted.Kind != fault.Permanent && !a.description.Redelivery.Never() {
		o.status = a.description.Redelivery.FailureStatus() // it comes again when what failed may work
		return
	}
	if !panicked && a.refuse(ctx, sorted, o) {
		return
	}
	keeping, cancel := all.share(ctx, deadLetterShare)
	defer cancel()
	if err := a.DeadLetters.Write(keeping, w, owner, sorted); err != nil {
		a.Logger.ErrorContext(ctx, "dead letter cannot be written", slog.String("code", sorted.Code), slog.Any("error", err))
		o.status = a.description.Redelivery.FailureStatus()
		return
	}
	o.dead = 1
}

// refuse lets the sender have back what cannot be used, if the channel is a Refuser. What is durable in part is no longer the
// sender's to correct.
func (a *Adapter) refuse(ctx context.Context, cause *fault.Error, o *outcome) bool {
	refuser, ok := a.Channel.(Refuser)
	if !ok || o.events > 0 || cause.Kind != fault.Permanent {
		return false
	}
	panicked, _ := a.catchPanic(ctx, func() error {
		o.refusal, ok = refuser.Refuse(cause)
		return nil
	})
	if panicked || !ok {
		o.panicked, o.refusal = panicked, webhook.Response{}
		return false
	}
	o.status = o.refusal.Status
	return true
}

// errNotDurable is that no place took the events.
var errNotDurable = errors.New("adapter: nothing durable took the events")

// panicError is a panic that was recovered. Its text is the type of what was thrown: the value may hold anything.
type panicError struct{ kind string }

func (e panicError) Error() string { return "panic with a " + e.kind }

// catchPanic runs f and turns a panic into an error. The stack holds addresses of functions and no values.
func (a *Adapter) catchPanic(ctx context.Context, f func() error) (panicked bool, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			panicked, err = true, panicError{fmt.Sprintf("%T", thrown)}
			a.Logger.ErrorContext(ctx, "panic recovered", slog.String("type", fmt.Sprintf("%T", thrown)), slog.String("stack", string(debug.Stack())))
		}
	}()
	return false, f()
}

// report writes the one log line of a webhook and counts it.
func (a *Adapter) report(ctx context.Context, o outcome, took time.Duration) {
	a.Logger.InfoContext(ctx, "webhook",
		slog.String("provider", a.description.Provider), slog.String("account", o.account), slog.String("kind", o.kind),
		slog.Int("status", o.status), slog.String("reason", o.reason),
		slog.Int("events", o.events), slog.Float64("ms", float64(took.Microseconds())/1000))
	reason := telemetry.Label{Name: "reason", Value: o.reason}
	provider := telemetry.Label{Name: "provider", Value: a.description.Provider}
	switch {
	case o.status/100 == 2:
		a.Meter.Count("WebhookAccepted", 1, provider)
	case o.refusal.Status != 0: // the sender was told what to correct
		a.Meter.Count("WebhookRefused", 1, provider, reason)
	default:
		a.Meter.Count("WebhookRejected", 1, provider, reason)
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
	if o.panicked || o.status >= http.StatusInternalServerError || o.dead > 0 && !misconfigured {
		a.Meter.Count(telemetry.Failures, 1, provider, reason)
	}
}
