package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"signalbox/shared/connect"
	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/cloud"
)

// connectCRMs connects the demo tenant's CRMs, as make connect does, and prints how many things there are of which state. The error says what
// is missing.
func connectCRMs(ctx context.Context, w io.Writer, c *local.Cloud) error {
	file, err := c.Tenant()
	if err != nil {
		return err
	}
	about, _ := file["tenant"].(map[string]any)
	id, _ := about["id"].(string)
	for _, kind := range slices.Sorted(maps.Keys(c.CRMs)) {
		var result connect.Result
		err := invoke(ctx, c, kind+"Drain", connect.Request{Action: connect.Connect, Tenant: id}, &result)
		if errors.Is(err, cloud.ErrNoFunction) { // a simulator of a CRM that the template does not have
			continue
		}
		if err != nil || len(result.Problems) > 0 {
			return errors.Join(err, errors.New(strings.Join(result.Problems, "; ")))
		}
		for _, report := range result.Reports {
			var told bytes.Buffer
			if err := report.Write(&told); err != nil {
				return err
			}
			if report.Lacks() || report.After != "" {
				return fmt.Errorf("demo: a CRM is not connected:\n%s", told.Bytes())
			}
			if _, err := fmt.Fprintf(w, "connected: %s, %s\n", report.CRM, report.Count()); err != nil {
				return err
			}
		}
	}
	return nil
}
