package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"signalbox/shared/redrive"

	"gopkg.in/yaml.v3"
)

// BackfillUsage says what can be asked for.
const BackfillUsage = `make backfill STACK=<stack> | ENDPOINT=http://127.0.0.1:4566   (a deployed stack, or a running make run)
    ACCOUNT=<id>           the account whose provider is asked for what never came; its file names an apiUrl
    FROM= TO=              instants like 2026-01-31T10:00:00Z, or days like 2026-01-31, which begin at 0:00 UTC; TO is now if it is left out
    REASON=<text>          why; it is kept, with BY (your login name): a ticket, never a customer's name or number
    HISTORY=1              what was said before Signalbox was there: no leads, no notices; stops count at their time, starts never.
                           make health shows how much of it is still to be written into the CRMs
    PROVIDER=<channel>     whose account it is, to ask no other
What has come already is left as it is. A command that was ended goes on where it was when it is given again.`

// Backfill asks the provider of an account for a span of time until all of it is done, and prints how far it is. Channels are whose functions may
// have the account.
func Backfill(ctx context.Context, out io.Writer, lookup func(string) string, channels []string, invoke Invoke) error {
	asked, err := backfillOf(lookup, time.Now())
	if err != nil {
		return &UsageError{err.Error(), BackfillUsage}
	}
	if provider := lookup("PROVIDER"); provider != "" {
		channels = []string{provider}
	}
	var unsaid []error // by functions that may have it
	for _, channel := range channels {
		known, err := backfillFrom(ctx, out, channel, asked, invoke)
		if known || err != nil && len(channels) == 1 {
			return err
		}
		if !errors.Is(err, errElsewhere) && !errors.Is(err, ErrNoFunction) {
			unsaid = append(unsaid, err)
		}
	}
	if len(unsaid) > 0 {
		return fmt.Errorf("not fetched for the account %s: %w", asked.Account, errors.Join(unsaid...))
	}
	return fmt.Errorf("there is no account %s, or its provider cannot be asked; one that was applied just now is known after half a minute", asked.Account)
}

// errElsewhere is the answer of a function whose provider does not have the account, or cannot be asked.
var errElsewhere = errors.New(redrive.NoAccount)

// backfillOf reads what is asked for.
func backfillOf(lookup func(string) string, now time.Time) (q redrive.FetchRequest, err error) {
	q.Action, q.Account = redrive.Backfill, lookup("ACCOUNT")
	if lookup("HISTORY") != "" {
		q.Action = redrive.Import
	}
	q.By, q.Reason = strings.TrimSpace(cmp.Or(lookup("BY"), lookup("USER"))), strings.TrimSpace(lookup("REASON"))
	var errFrom, errTo error
	q.From, errFrom = instantOf(lookup("FROM"))
	if q.To = now.UTC().Truncate(time.Second); lookup("TO") != "" {
		q.To, errTo = instantOf(lookup("TO"))
	}
	switch {
	case q.Account == "":
		return q, errors.New("ACCOUNT is not set: say whose, by the account's id in its file")
	case errFrom != nil || errTo != nil:
		return q, errors.New("FROM and TO are instants like 2026-01-31T10:00:00Z, or days like 2026-01-31")
	case !q.From.Before(q.To):
		return q, errors.New("FROM is not before TO")
	case q.By == "":
		return q, errors.New("BY is not set: say who asks, for example BY=ada")
	case q.Reason == "":
		return q, errors.New("REASON is not set: say why, for example REASON=INC-7")
	}
	return q, nil
}

// listOf returns what a template's parameter lists unless it is told otherwise.
func listOf(text []byte, parameter string) ([]string, error) {
	var t struct {
		Parameters map[string]struct {
			Default string `yaml:"Default"`
		} `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("template.yaml: %w", err)
	}
	return strings.Split(t.Parameters[parameter].Default, ","), nil
}

func instantOf(s string) (time.Time, error) {
	if at, err := time.Parse(time.DateOnly, s); err == nil {
		return at, nil
	}
	return time.Parse(time.RFC3339, s)
}

// backfillFrom asks one channel's function, and reports whether the account is one of its provider's.
func backfillFrom(ctx context.Context, out io.Writer, channel string, asked redrive.FetchRequest, invoke Invoke) (known bool, err error) {
	event, err := json.Marshal(asked)
	if err != nil {
		return false, err
	}
	for before := (redrive.Fetched{}); ; {
		body, err := invoke(ctx, channel+"-reparse", event)
		if err != nil {
			return known, fmt.Errorf("%s-reparse: %w", channel, err)
		}
		var answer redrive.Result
		if err := json.Unmarshal(body, &answer); err != nil {
			return known, fmt.Errorf("%s-reparse does not answer as it should: %w", channel, err)
		}
		if slices.Contains(answer.Problems, redrive.NoAccount) || slices.Contains(answer.Problems, redrive.NoAction) {
			return known, fmt.Errorf("%s-reparse: %w", channel, errElsewhere)
		}
		if len(answer.Problems) > 0 {
			return true, fmt.Errorf("%s-reparse: %s", channel, strings.Join(answer.Problems, "; "))
		}
		at := answer.Fetched
		if at == nil {
			return known, fmt.Errorf("%s-reparse does not answer as it should", channel)
		}
		known = true
		if _, err := fmt.Fprintf(out, "%s  %d found, %d had not come, %d are of no line or cannot be used\n", at.At.Format(time.RFC3339), at.Found, at.Missing, at.Unused); err != nil {
			return known, err
		}
		switch {
		case at.Done:
			return known, nil
		case !at.At.After(before.At):
			return known, errors.New("it does not get on: give the command again later")
		}
		before = *at
	}
}
