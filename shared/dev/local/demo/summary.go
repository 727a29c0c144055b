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
	Client   *samples.Client
	reports  []samples.Report
	shown    map[string]map[string]int         // by channel: how many samples show a feature, and of files how many there are
	attached map[string][]canonical.Attachment // by sample: the files that it names
	opened   map[string]int                    // by channel: how many files opened in every CRM; nil if nobody tried
}

// sort notes which features each sample shows, and the files that it names.
func (s *Sent) sort(ctx context.Context) error {
	s.shown, s.attached = map[string]map[string]int{}, map[string][]canonical.Attachment{}
	for _, r := range s.reports {
		channel, name := r.Sample.Provider(), r.Sample.Name
		parsed, err := read(ctx, s.Client, r.Sample)
		if err != nil {
			return err
		}
		if s.shown[channel] == nil {
			s.shown[channel] = map[string]int{}
		}
		for _, p := range parsed {
			s.attached[name] = append(s.attached[name], media.Files(p.Event.Message)...)
		}
		for _, feature := range show(parsed) {
			if feature == files {
				s.shown[channel][files] += len(s.attached[name])
				continue
			}
			s.shown[channel][feature]++
		}
	}
	return nil
}

// Summarize writes what each channel sent, every line of which is in every CRM once Check found it there.
func (s *Sent) Summarize(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "\nchannel\t%s", strings.Join(features(), "\t"))
	if s.opened != nil {
		_, _ = fmt.Fprint(table, "\tfiles opened")
	}
	_, _ = fmt.Fprintln(table)
	for _, channel := range slices.Sorted(maps.Keys(s.shown)) {
		row := []string{channel}
		for _, feature := range features() {
			row = append(row, count(s.shown[channel][feature]))
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
