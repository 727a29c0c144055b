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
	client, err := samples.NewClient(o.Root, plugins.Channels(), c.Target())
	if err != nil {
		return err
	}
	reports, sent, err := client.SendAll(ctx, o.Root, false)
	if err != nil {
		return err
	}
	if err := client.Write(w, reports, sent); err != nil {
		return err
	}
	if err := client.Check(reports); err != nil {
		return fmt.Errorf("%w\nwhat the functions said is in %s", err, c.LogPath)
	}
	return nil
}
