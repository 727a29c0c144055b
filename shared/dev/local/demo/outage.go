package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"slices"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/redrive"
)

// outage is what was said to an account while the gateway was cut off but for the first of it, and the provider's API, which has all.
type outage struct {
	provider, account string
	began             time.Time
	came              step
	said              []samples.Said
	api               *httptest.Server
}

// afterCuts plays, for every channel whose provider can be asked, that most of what people wrote did not come: a backfill fetches it, and nothing
// of it twice.
func (s *stage) afterCuts(ctx context.Context, w io.Writer, c *local.Cloud) error {
	file, err := c.Tenant()
	if err != nil {
		return err
	}
	var cuts []*outage
	for i, provider := range slices.Sorted(maps.Keys(plugins.Channels())) {
		lister, ok := plugins.Channels()[provider].(samples.Lister)
		if !ok {
			continue
		}
		one, err := s.cutOff(file, provider, lister, i)
		if err != nil {
			return err
		}
		defer one.api.Close()
		cuts = append(cuts, one)
	}
	var applied struct {
		Problems []struct{ Path, Reason string }
	}
	if err := invoke(ctx, c, "ApplyTenant", map[string]any{"action": "apply", "file": file}, &applied); err != nil || len(applied.Problems) > 0 {
		return errors.Join(err, fmt.Errorf("demo: the providers' APIs cannot be named: %v", applied.Problems))
	}
	var wrong []error
	for _, one := range cuts {
		limited, cancel := context.WithTimeout(ctx, scenePatience)
		wrong = append(wrong, s.afterCut(limited, w, c, one))
		cancel()
	}
	return errors.Join(wrong...)
}

// cutOff makes what was said to the first line with SMS of a provider's account, and names its API in the tenant's file.
func (s *stage) cutOff(file map[string]any, provider string, lister samples.Lister, n int) (*outage, error) {
	c := &outage{provider: provider, began: s.now.UTC().Add(-20 * time.Minute).Truncate(time.Second)}
	line, to := "", ""
	account := find(file["accounts"], func(one map[string]any) bool { return one["provider"] == provider })
	c.account, _ = account["id"].(string)
	ours := find(file["lines"], func(one map[string]any) bool {
		channels, _ := one["channels"].([]any)
		return one["account"] == account["id"] && slices.Contains(channels, any("sms"))
	})
	line, _ = ours["id"].(string)
	to, _ = ours["address"].(string)
	for i, text := range []string{"I wrote before the cut", "I wrote while it lasted", "And so did I, for the first time"} {
		load := samples.Load{
			Kind: samples.Message, Number: fmt.Sprintf("c0%02d%028x", n, i), Person: fmt.Sprintf("+15552018%02d%d", n, i/2),
			Text: text, Sent: c.began.Add(time.Duration(i) * time.Minute),
		}
		sample := s.client.NewTo(line, load)
		if sample.Path == "" {
			return nil, fmt.Errorf("demo: %s has no line for SMS", provider)
		}
		if i == 0 {
			c.came = step{Load: load}
			c.came.Line = line
		}
		c.said = append(c.said, samples.Said{ID: s.client.ID(sample), From: load.Person, To: to, Text: text, At: load.Sent})
	}
	called, _ := account["providerAccount"].(string)
	api, token := lister.Lists(called, c.said)
	c.api = httptest.NewServer(api)
	account["apiUrl"], account["apiToken"] = c.api.URL, token
	return c, nil
}

// find returns the first of the objects in a list that is wanted, nil if none is.
func find(list any, wanted func(map[string]any) bool) map[string]any {
	all, _ := list.([]any)
	for _, one := range all {
		if object, _ := one.(map[string]any); object != nil && wanted(object) {
			return object
		}
	}
	return nil
}

// afterCut plays one: the first message comes by itself, the others by asking the provider.
func (s *stage) afterCut(ctx context.Context, w io.Writer, c *local.Cloud, one *outage) error {
	scene := scene{
		Title: "A backfill after a cut: of three messages by " + one.provider + " one came by itself",
		Send:  [][]step{{one.came}}, People: 2,
		then: func(ctx context.Context) error { return one.backfill(ctx, c, 2) },
	}
	for _, m := range one.said {
		scene.Activities = append(scene.Activities, activity{Says: []string{m.Text}})
	}
	if err := s.play(ctx, w, scene); err != nil {
		return err
	}
	return one.backfill(ctx, c, 0)
}

// backfill asks the provider for all that was said, as make backfill does, and checks how much of it had not come.
func (one *outage) backfill(ctx context.Context, c *local.Cloud, missing int) error {
	var result redrive.Result
	err := invoke(ctx, c, one.provider+"Reparse", redrive.FetchRequest{
		Common:  redrive.Common{Action: redrive.Backfill, By: "demo", Reason: "a cut"},
		Account: one.account, From: one.began.Add(-time.Minute), To: time.Now().UTC().Truncate(time.Second),
	}, &result)
	switch {
	case err != nil:
		return err
	case result.Fetched == nil || result.More || result.Fetched.Found != len(one.said) || result.Fetched.Missing != missing:
		return fmt.Errorf("demo: %s was asked for %d messages, %d of which had not come: %+v, %v", one.provider, len(one.said), missing, result.Fetched, result.Problems)
	default:
		return nil
	}
}

// invoke runs a function and reads what it returns.
func invoke(ctx context.Context, c *local.Cloud, function string, request, into any) error {
	event, err := json.Marshal(request)
	if err != nil {
		return err
	}
	answer, failed, err := c.Invoke(ctx, function, event)
	if err == nil && (failed != "" || json.Unmarshal(answer, into) != nil) {
		err = fmt.Errorf("demo: %s said %s", function, answer)
	}
	return err
}
