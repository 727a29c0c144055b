package demo

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
)

// readings writes how each sample that is more than words reads in a CRM, of which each has one record. The error says of which samples a CRM does
// not show what they say.
func (s *Sent) readings(w io.Writer) error {
	_, _ = fmt.Fprintf(w, "\nWhat is more than words, as the CRMs show it\n")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var wrong []error
	for _, r := range s.reports {
		told := s.told[r.Sample.Name]
		if s.Client.Asks(r.Sample) || len(told) == 0 {
			continue // it is shown by whom it was sent to
		}
		var says string
		for _, crm := range slices.Sorted(maps.Keys(r.Held)) {
			about := s.Client.Target().CRMs[crm]
			says = reading(about, r.Held[crm][0], told[0])
			for _, part := range parts(told[0]) {
				if !strings.Contains(says, part) {
					wrong = append(wrong, fmt.Errorf("demo: %s in %s says %q and not %q", r.Sample.Name, crm, says, part))
				}
			}
			if says == "" {
				wrong = append(wrong, fmt.Errorf("demo: %s in %s says nothing", r.Sample.Name, crm))
			}
		}
		if features := show(told); !slices.Equal(features, []string{words}) {
			_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\n", r.Sample.Name, strings.Join(features, ", "), cut(links.ReplaceAllString(says, "(link)")))
		}
	}
	return errors.Join(append(wrong, table.Flush())...)
}

// reading returns what a CRM's record of an event says in one line: of a status how far it got.
func reading(about samples.Simulator, r samples.Record, e canonical.Event) string {
	if e.Receipt != nil {
		return r.Properties[about.Status]
	}
	v := view{about: about, shown: samples.Place{Text: about.Text}}
	return strings.Join(strings.Fields(v.text(r)), " ")
}

// parts returns what a rep has to be able to read of an event.
func parts(e canonical.Event) (all []string) {
	if e.Reaction != nil {
		all = append(all, strings.TrimSpace(e.Reaction.Emoji))
	}
	m := e.Message
	if m == nil {
		return all
	}
	all = append(all, strings.Join(strings.Fields(m.Text), " "))
	if m.Postback != nil {
		all = append(all, m.Postback.Text)
	}
	if m.Location != nil {
		all = append(all, m.Location.Label)
	}
	if m.Order != nil && len(m.Order.Items) > 0 {
		all = append(all, cmp.Or(m.Order.Items[0].Name, m.Order.Items[0].ID))
	}
	for _, a := range m.Attachments {
		all = append(all, a.Name)
	}
	return all
}

// cut returns as much of a text as a row has room for.
func cut(text string) string {
	const most = 100
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
