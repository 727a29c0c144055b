package demo

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/media"
)

// Sent is what became of the samples.
type Sent struct {
	Client  *samples.Client
	reports []samples.Report
	told    map[string][]canonical.Event // by sample: what its channel reads in it
	opened  map[string]int               // by channel: how many files opened in every CRM; nil if nobody tried
}

// read notes what channels read in the samples.
func (s *Sent) read(ctx context.Context) error {
	s.told = map[string][]canonical.Event{}
	for _, r := range s.reports {
		parsed, err := read(ctx, s.Client, r.Sample)
		if err != nil {
			return err
		}
		for _, p := range parsed {
			s.told[r.Sample.Name] = append(s.told[r.Sample.Name], p.Event)
		}
	}
	return nil
}

// attached returns the files that a sample names.
func (s *Sent) attached(sample string) (all []canonical.Attachment) {
	for _, e := range s.told[sample] {
		all = append(all, media.Files(e.Message)...)
	}
	return all
}

// shown returns by channel how many samples show a feature, and of files how many there are.
func (s *Sent) shown() map[string]map[string]int {
	all := map[string]map[string]int{}
	for _, r := range s.reports {
		channel := r.Sample.Provider()
		if all[channel] == nil {
			all[channel] = map[string]int{}
		}
		for _, feature := range show(s.told[r.Sample.Name]) {
			if feature != files {
				all[channel][feature]++
			}
		}
		all[channel][files] += len(s.attached(r.Sample.Name))
	}
	return all
}

// Summarize writes what each channel sent, every line of which is in every CRM once Check found it there.
func (s *Sent) Summarize(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "\nchannel\t%s", strings.Join(features(), "\t"))
	if s.opened != nil {
		_, _ = fmt.Fprint(table, "\tfiles opened")
	}
	_, _ = fmt.Fprintln(table)
	shown := s.shown()
	for _, channel := range slices.Sorted(maps.Keys(shown)) {
		row := []string{channel}
		for _, feature := range features() {
			row = append(row, count(shown[channel][feature]))
		}
		if s.opened != nil {
			row = append(row, count(s.opened[channel]))
		}
		_, _ = fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

// count returns a number, or what stands for none: a channel without.
func count(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}
