package samples

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// lookEvery is how often the simulators are looked at.
const lookEvery = 5 * time.Millisecond

// Report is what became of one sample.
type Report struct {
	Sample Sample
	Sent   time.Time
	Ack    time.Duration
	EndTo  time.Duration       // until it was in every CRM, 0 if it is not
	Held   map[string][]Record // by CRM
	Days   bool                // CRMs may show it together with what else was said on its day
	Silent bool                // nothing is to come of it: an outreach to somebody of whom no message was sent
}

// SendAll sends every sample in order, each when the one before was answered; a third of them again, twice at once. A message that a
// status callback is about is registered first, unless the samples were sent before: nothing is to come of them then. It returns when
// every message is in every CRM and the queues are empty, or ctx is done, with how many webhooks it sent.
func (c *Client) SendAll(ctx context.Context, root string, before bool) ([]Report, int, error) {
	all, err := Read(root)
	if err != nil {
		return nil, 0, err
	}
	reports := make([]Report, 0, len(all))
	sent := 0
	for i, s := range all {
		if s.Shows != "" && !before {
			if err := c.Register(ctx, s); err != nil {
				return nil, 0, err
			}
		}
		report := Report{Sample: s, Sent: time.Now()}
		if err := c.accepted(ctx, s); err != nil {
			return nil, 0, err
		}
		report.Ack = time.Since(report.Sent)
		reports = append(reports, report)
		sent++
		if i%3 == 0 {
			if err := c.again(ctx, s); err != nil {
				return nil, 0, err
			}
			sent += 2
		}
		if err := c.look(ctx, reports); err != nil {
			return nil, 0, err
		}
	}
	for i := range reports {
		asks := c.identify(reports[i].Sample).Asks
		reports[i].Silent = asks != "" && !slices.ContainsFunc(all, func(s Sample) bool {
			return c.identify(s).Kind == Message && s.mentions(asks)
		})
	}
	return reports, sent, c.await(ctx, reports)
}

// accepted sends a sample and wants it accepted.
func (c *Client) accepted(ctx context.Context, s Sample) error {
	status, err := c.Send(ctx, s)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("samples: %s was answered %d", s.Name, status)
	}
	return err
}

// again sends a sample twice at once.
func (c *Client) again(ctx context.Context, s Sample) error {
	var both sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		both.Go(func() { errs[i] = c.accepted(ctx, s) })
	}
	both.Wait()
	return errors.Join(errs...)
}

// await looks until everything has arrived and come to rest. That ctx is done is no error: the reports say what is missing.
func (c *Client) await(ctx context.Context, reports []Report) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	missing := func(r Report) bool { return r.EndTo == 0 && !r.Silent }
	for slices.ContainsFunc(reports, missing) || !c.rests() {
		select {
		case <-ctx.Done():
			return c.look(context.WithoutCancel(ctx), reports)
		case <-tick.C:
		}
		if err := c.look(ctx, reports); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return c.look(ctx, reports)
}

// rests reports whether nothing is under way as far as anybody can tell.
func (c *Client) rests() bool { return c.target.Rests == nil || c.target.Rests() }

// Await looks until every CRM shows a sample that was sent at a time, by itself or with others, and returns what they hold of it by then or
// when ctx is done.
func (c *Client) Await(ctx context.Context, s Sample, sent time.Time) (Report, error) {
	reports := []Report{{Sample: s, Sent: sent, Days: true}}
	err := c.await(ctx, reports)
	return reports[0], err
}

// look notes what the CRMs hold now.
func (c *Client) look(ctx context.Context, reports []Report) error {
	for i := range reports {
		reports[i].Held = map[string][]Record{}
	}
	for crm, about := range c.target.CRMs {
		for _, object := range about.Objects {
			records, err := c.Records(ctx, crm, object)
			if err != nil {
				return err
			}
			for i := range reports {
				c.note(&reports[i], crm, records)
			}
		}
	}
	for i := range reports {
		if reports[i].EndTo == 0 && len(reports[i].Held) == len(c.target.CRMs) {
			reports[i].EndTo = time.Since(reports[i].Sent)
		}
	}
	return nil
}

// note keeps the records of a CRM that a sample led to.
func (c *Client) note(report *Report, crm string, records []Record) {
	shows, says := c.Shows(crm, report.Sample), c.says(crm, report)
	for _, r := range records {
		if shows(r) || report.Days && says(r) {
			report.Held[crm] = append(report.Held[crm], r)
		}
	}
}

// Write writes a table of what became of the samples.
func (c *Client) Write(w io.Writer, reports []Report, sent int) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "sample\tprovider id\teventId\tack ms\tend to end ms\tCRM records")
	for _, r := range reports {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%.1f\t%.1f\t%s\n", r.Sample.Name, c.ID(r.Sample), c.EventID(r.Sample),
			milliseconds(r.Ack), milliseconds(r.EndTo), c.records(r))
	}
	_, _ = fmt.Fprintf(table, "%d samples, %d requests sent\n", len(reports), sent)
	return table.Flush()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// records names what the CRMs hold of a message.
func (c *Client) records(r Report) string {
	var out []string
	for crm, held := range r.Held {
		for _, record := range held {
			name := crm + ":" + record.Object + "/" + record.ID
			if c.identify(r.Sample).Asks != "" {
				out = append(out, name+" (answered)")
				continue
			}
			out = append(out, name)
			for to, ids := range record.Associations {
				for _, id := range ids {
					out = append(out, crm+":"+to+"/"+id)
				}
			}
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}

// Check returns an error that names the messages that are not in every CRM exactly once.
func (c *Client) Check(reports []Report) error {
	var wrong []error
	for _, r := range reports {
		for crm := range c.target.CRMs {
			if r.Silent && len(r.Held[crm]) == 0 {
				continue
			}
			if n := len(r.Held[crm]); n != 1 {
				wrong = append(wrong, fmt.Errorf("%s (%s) is in %s %d times, not once", r.Sample.Name, c.ID(r.Sample), crm, n))
			}
		}
	}
	if len(c.target.CRMs) == 0 {
		wrong = append(wrong, errors.New("there is no CRM simulator"))
	}
	return errors.Join(wrong...)
}
