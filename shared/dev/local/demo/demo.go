// Package demo sends the sample webhooks to a local Signalbox, some of them again, and checks that every message is in every
// CRM exactly once and says there what was said. Then it plays scenes, in which a CRM is to show what a person there would look for, opens the
// files that people sent, and counts what each channel showed.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"signalbox/shared/consent"
	"signalbox/shared/dev/local"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
)

// patience is how long everything may take once it runs.
const patience = 4 * time.Minute

// scenePatience is how long a scene may take.
const scenePatience = 30 * time.Second

// Run starts everything, sends the samples, prints a table to w, and stops everything. The error says what is missing.
func Run(ctx context.Context, w io.Writer, o local.Options) error {
	o.Times = map[string]string{"ReceiptsWindowSeconds": "0.2"} // nobody wants to watch receipts being gathered
	c, err := local.Start(ctx, o)
	if err != nil {
		return err
	}
	defer c.Stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	served, err := samples.ReadFiles(o.Root)
	if err != nil {
		return err
	}
	err = connectCRMs(ctx, w, c)
	var sent *Sent
	if err == nil {
		sent, err = Send(ctx, w, o.Root, c.Target())
	}
	if err == nil {
		err = errors.Join(play(ctx, w, o.Root, c, sent.Client), sent.openFiles(ctx, w, served, c.Target()),
			sent.findFiles(ctx, w, served, c.Target()), sent.Summarize(w))
	}
	if err != nil {
		return fmt.Errorf("%w\nwhat the functions said is in %s", err, c.LogPath)
	}
	return nil
}

// play plays all scenes, and returns everything that is not as it is to be.
func play(ctx context.Context, w io.Writer, root string, c *local.Cloud, client *samples.Client) error {
	scenes, err := readScenes()
	if err != nil {
		return err
	}
	all, err := samples.Read(root)
	if err != nil {
		return err
	}
	s := &stage{client: client, target: c.Target(), all: all, now: time.Now(), ask: func(ctx context.Context, action string, r consent.Request) (consent.Result, error) {
		r.Tenant = client.TenantID()
		return askConsent(ctx, c, action, r)
	}}
	var wrong []error
	for _, one := range scenes {
		limited, cancel := context.WithTimeout(ctx, scenePatience)
		wrong = append(wrong, s.play(limited, w, one))
		cancel()
	}
	wrong = append(wrong, s.afterCuts(ctx, w, c))
	if refused := c.Refused(); len(refused) > 0 {
		wrong = append(wrong, fmt.Errorf("roles of template.yaml do not allow what their functions do: %s", strings.Join(refused, ", ")))
	}
	return errors.Join(wrong...)
}

// askConsent asks as make consent does.
func askConsent(ctx context.Context, c *local.Cloud, action string, r consent.Request) (consent.Result, error) {
	var result struct{ Consent consent.Result }
	err := invoke(ctx, c, "ApplyTenant", map[string]any{"action": action, "consent": r}, &result)
	return result.Consent, err
}

// Send sends the samples to where Signalbox runs, some of them again, and prints a table to w. The error says what is not in every CRM
// exactly once, or does not say there what it is to say.
func Send(ctx context.Context, w io.Writer, root string, target samples.Target) (*Sent, error) {
	client, err := samples.NewClient(root, plugins.Channels(), target)
	if err != nil {
		return nil, err
	}
	reports, requests, err := client.SendAll(ctx, root, false)
	if err != nil {
		return nil, err
	}
	if err := client.Write(w, reports, requests); err != nil {
		return nil, err
	}
	if err := client.Check(reports); err != nil {
		return nil, err
	}
	sent := &Sent{Client: client, reports: reports}
	if err := sent.read(ctx); err != nil {
		return nil, err
	}
	return sent, sent.readings(w)
}
