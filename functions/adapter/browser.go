package adapter

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

// CrossOrigin is a Channel whose requests may come from pages in browsers. The pages are of other origins than the deployment's, so that
// browsers ask first, and show a page only the answers that say they may. See https://fetch.spec.whatwg.org/#http-cors-protocol.
type CrossOrigin interface {
	// Allow returns the headers that let the page that sent r read what it is answered, nil where no page sent it. Of an OPTIONS request they
	// are the whole answer.
	Allow(r webhook.Request) map[string]string
}

// Poller is a Content that tells nothing and asks for what is kept for one person on one line. Verify authenticates it like any other.
type Poller interface {
	// Poll returns whose, by the Addresses, the Person and the channel of a Parsed, and the number after which something is news.
	Poll() (whose Parsed, after int64)
	// Found returns what is answered: 200.
	Found(news []Kept) webhook.Response
}

// polled reports whether a kind of request asks and tells nothing.
func (a *Adapter) polled(kind string) bool { return kind != "" && kind == a.description.Polled }

// takes reports whether a kind of request may come by a method.
func (a *Adapter) takes(method, kind string) bool {
	if a.polled(kind) {
		return method == http.MethodGet
	}
	return method == http.MethodPost || method == http.MethodGet && a.description.Gets
}

// isPreflight reports whether a browser asks what a page may send.
func (a *Adapter) isPreflight(r webhook.Request) bool {
	channel, ok := a.Channel.(CrossOrigin)
	return ok && r.Method == http.MethodOptions && channel.Allow(r) != nil
}

// allow lets the page that sent a request read the answer. What a page is refused, it is told: that a session is over is no defect.
func (a *Adapter) allow(r webhook.Request, o *outcome) {
	channel, ok := a.Channel.(CrossOrigin)
	if !ok {
		return
	}
	if headers := channel.Allow(r); headers != nil {
		o.answer.Header = headers
		o.refused = o.refused || o.answer.Status == http.StatusForbidden
	}
}

// keep notes the headers that the channel reads, for a dead letter.
func (w *Webhook) keep(d Description) {
	if d.KeepsBut != "" && w.Header.Get(d.KeepsBut) != "" {
		return
	}
	for _, name := range d.Keeps {
		if value := w.Header.Get(name); value != "" {
			if w.kept == nil {
				w.kept = make(http.Header, len(d.Keeps))
			}
			w.kept.Set(name, value)
		}
	}
}

// poll finds what is kept for whoever asks.
func (a *Adapter) poll(ctx context.Context, w Webhook, content Content, all budget) outcome {
	o := outcome{account: w.AccountID, kind: w.Kind}
	err := a.catchPanic(ctx, func() error {
		p, ok := content.(Poller)
		if !ok {
			return fault.New(fault.Permanent, "no_poller", nil)
		}
		looking, cancel := all.share(ctx, parseShare)
		defer cancel()
		whose, after := p.Poll()
		line, err := a.line(looking, w.AccountID, &whose)
		if err != nil {
			return err
		}
		pepper, err := a.Peppers.Pepper(looking, line.TenantID)
		if err != nil {
			return lookupFault(err, "pepper_unreadable")
		}
		news, err := a.Outbox.after(looking, line.TenantID, boxKey(line, canonical.NewThreadID(pepper, whose.Person)), after)
		if err == nil {
			o.answer, o.asked = p.Found(news), true
		}
		return err
	})
	switch {
	case err == nil:
	case errors.Is(err, tenant.ErrUnknown), errors.Is(err, tenant.ErrUnserved):
		o.answer.Status, o.reason = http.StatusForbidden, CodeUnowned
	default:
		cause := fault.Of(err)
		o.answer.Status, o.reason, o.panicked = http.StatusServiceUnavailable, cause.Code, cause.Code == CodePanic
		a.Logger.ErrorContext(ctx, "a poll cannot be answered", slog.String("code", cause.Code), slog.Any("error", err))
	}
	return o
}
