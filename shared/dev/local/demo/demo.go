// Package demo sends the sample webhooks to a local Signalbox, some of them again, and checks that every message is in every
// CRM exactly once.
package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
)

// patience is how long everything may take once it runs.
const patience = 45 * time.Second

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
	if _, err := Send(ctx, w, o.Root, c.Target()); err != nil {
		return fmt.Errorf("%w\nwhat the functions said is in %s", err, c.LogPath)
	}
	return nil
}

// Send sends the samples to where Signalbox runs, some of them again, and prints a table to w. The error says what is not in every CRM
// exactly once.
func Send(ctx context.Context, w io.Writer, root string, target samples.Target) (*samples.Client, error) {
	client, err := samples.NewClient(root, plugins.Channels(), target)
	if err != nil {
		return nil, err
	}
	reports, sent, err := client.SendAll(ctx, root, false)
	if err != nil {
		return nil, err
	}
	if err := client.Write(w, reports, sent); err != nil {
		return nil, err
	}
	return client, client.Check(reports)
}
