package demo

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// What a channel can bring.
const (
	words      = "messages"
	rich       = "rich replies" // what was tapped, chosen, filled in or ordered, and places and contacts
	edit       = "edits"
	retraction = "retractions"
	reaction   = "reactions"
	receipt    = "receipts"
	files      = "files"
)

// features returns all of them in the order of the summary.
func features() []string {
	return []string{words, rich, edit, retraction, reaction, receipt, files}
}

// featuresOf returns what an event shows of its channel.
func featuresOf(e canonical.Event) (shown []string) {
	m := e.Message
	switch {
	case e.Receipt != nil:
		shown = append(shown, receipt)
	case e.Type == canonical.TypeReaction || e.RelatesTo != nil && e.RelatesTo.Kind == "reaction":
		shown = append(shown, reaction)
	case e.Type == canonical.TypeEdit:
		shown = append(shown, edit)
	case e.Type == canonical.TypeRetract:
		shown = append(shown, retraction)
	case m == nil:
	case m.Postback != nil || m.Location != nil || m.Order != nil || len(m.Contacts) > 0:
		shown = append(shown, rich)
	case m.Text != "" || len(m.Attachments) == 0:
		shown = append(shown, words)
	}
	if m != nil && len(m.Attachments) > 0 {
		shown = append(shown, files)
	}
	return shown
}

// read returns what a channel reads in a sample, before it is known whose it is.
func read(ctx context.Context, client *samples.Client, s samples.Sample) ([]adapter.Parsed, error) {
	made, ok := plugins.Channels()[s.Provider()].(interface {
		Receiver(publicBaseURL string) (adapter.Channel, error)
	})
	if !ok {
		return nil, fmt.Errorf("demo: the samples of %s tell of no Receiver", s.Provider())
	}
	channel, err := made.Receiver(client.Target().PublicBaseURL)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	account, err := client.Account(s)
	if err != nil {
		return nil, err
	}
	r, err := client.Request(ctx, s)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("demo: %s: %w", s.Name, err)
	}
	content := channel.Decode(adapter.Webhook{
		Request:  webhook.Request{Method: r.Method, Path: r.URL.Path, RawQuery: r.URL.RawQuery, Header: r.Header, Body: body, Received: time.Now()},
		Provider: s.Provider(), Kind: path.Base(r.URL.Path), AccountID: s.Account(), ProviderAccount: account.ProviderAccount,
	})
	if err := content.Verify(secret.Versions{account.AuthToken}); err != nil {
		return nil, fmt.Errorf("demo: %s: %w", s.Name, err)
	}
	parsed, err := content.Parse()
	if err != nil {
		return nil, fmt.Errorf("demo: %s: %w", s.Name, err)
	}
	return parsed, nil
}

// show returns what the events of a sample show of its channel, in the order of the summary.
func show(events []canonical.Event) (shown []string) {
	has := map[string]bool{}
	for _, e := range events {
		for _, feature := range featuresOf(e) {
			has[feature] = true
		}
	}
	return slices.DeleteFunc(features(), func(feature string) bool { return !has[feature] })
}
