package demo

import (
	"cmp"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"signalbox/shared/consent"
	"signalbox/shared/dev/samples"
)

// check returns what is not as a scene has it.
func (s *stage) check(c scene, views []view) (problems []error) {
	for _, v := range views {
		owner := s.client.User(v.crm, c.Owner)
		found := slices.Concat(v.checkPeople(c, owner), v.checkActivities(c), v.checkTasks(c, owner), v.checkWorks(c))
		for _, problem := range found {
			problems = append(problems, errors.New(v.crm+": "+problem))
		}
	}
	return problems
}

func (v view) checkPeople(c scene, owner string) (problems []string) {
	count := map[string]int{}
	for _, p := range v.people {
		count[p.Object]++
		if out := p.Properties[v.about.OptedOut] == "true"; p.Object == v.about.People[0] && out != c.OptedOut {
			problems = append(problems, fmt.Sprintf("%s/%s wants messages: %t, want %t", p.Object, p.ID, !out, !c.OptedOut))
		}
		if got := p.Properties[v.about.Owner]; c.Owner != "" && got != owner {
			problems = append(problems, fmt.Sprintf("%s/%s is %q's, want %q", p.Object, p.ID, got, owner))
		}
	}
	for _, object := range v.about.People {
		if related := len(c.Samples) > 0 && object != v.about.People[0]; !related && count[object] != c.People { // a message is associated with the first alone
			problems = append(problems, fmt.Sprintf("%d %s, want %d", count[object], object, c.People))
		}
	}
	return problems
}

func (v view) checkActivities(c scene) (problems []string) {
	if len(v.activities) != len(c.Activities) {
		return []string{fmt.Sprintf("%d activities, want %d", len(v.activities), len(c.Activities))}
	}
	if c.Standing != "" && !slices.Equal(v.standing, []string{c.Standing}) {
		problems = append(problems, fmt.Sprintf("the conversation is %q, want %q", v.standing, c.Standing))
	}
	for i, want := range c.Activities {
		if text := v.text(v.activities[i]); !inOrder(text, want.Says) {
			problems = append(problems, fmt.Sprintf("activity %d does not say %q in this order: %q", i+1, want.Says, text))
		}
		if status := v.activities[i].Properties[v.about.Status]; want.Status != "" && status != want.Status {
			problems = append(problems, fmt.Sprintf("activity %d is %q, want %q", i+1, status, want.Status))
		}
	}
	return problems
}

func (v view) checkTasks(c scene, owner string) (problems []string) {
	for _, want := range c.Tasks {
		if !slices.ContainsFunc(v.tasks, func(t samples.Record) bool {
			return t.Properties[v.about.Subject] == want && t.Properties[v.about.Owner] == owner
		}) {
			problems = append(problems, fmt.Sprintf("%q is told nobody", want))
		}
	}
	return problems
}

// checkWorks returns what of the work that a rule asks for is not there once.
func (v view) checkWorks(c scene) (problems []string) {
	if c.Works != "" && len(v.asked) == 0 {
		return []string{fmt.Sprintf("the tenant has no rule %q that asks for work", c.Works)}
	}
	for _, want := range v.asked {
		n := 0
		v.eachWork(func(_ samples.Record, _ samples.Place, says string) {
			if says == want {
				n++
			}
		})
		if n != 1 {
			problems = append(problems, fmt.Sprintf("the work %q is there %d times, want once", want, n))
		}
	}
	return problems
}

// eachWork calls visit for each record at each place where work is shown, with what it says there.
func (v view) eachWork(visit func(r samples.Record, place samples.Place, says string)) {
	for _, place := range v.about.Works {
		for _, r := range v.records {
			if says := r.Properties[place.Text]; r.Object == place.Object && says != "" {
				visit(r, place, says)
			}
		}
	}
}

// inOrder reports whether text holds parts in their order.
func inOrder(text string, parts []string) bool {
	for _, part := range parts {
		_, after, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = after
	}
	return true
}

var (
	ends = regexp.MustCompile(`<br\s*/?>|</(p|li|div|h[1-6]|tr)>`)
	tags = regexp.MustCompile(`<[^>]*>`)
)

// text returns what an activity says as a person reads it.
func (v view) text(r samples.Record) string {
	text := r.Properties[v.shown.Text]
	if v.about.HTML {
		text = html.UnescapeString(tags.ReplaceAllString(ends.ReplaceAllString(text, "\n"), ""))
	}
	return strings.TrimSpace(text)
}

// write writes what the CRMs show of a scene.
func write(w io.Writer, c scene, views []view) {
	_, _ = fmt.Fprintf(w, "\n%s\n", c.Title)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range views {
		v.write(table, c)
	}
	for _, v := range views {
		v.eachWork(func(r samples.Record, place samples.Place, says string) {
			if slices.Contains(v.asked, says) {
				v.row(table, r, "", place.Text+": "+says)
			}
		})
	}
	_ = table.Flush()
}

// write writes what a CRM shows of a scene, but for work.
func (v view) write(table io.Writer, c scene) {
	for _, p := range v.people {
		if c.Owner != "" {
			v.row(table, p, "", "belongs to "+c.Owner+": "+p.Properties[v.about.Owner])
		}
		if c.OptedOut && p.Object == v.about.People[0] {
			v.row(table, p, "", "wants no messages: "+p.Properties[v.about.OptedOut])
		}
	}
	for _, a := range v.activities {
		v.row(table, a, a.Properties[v.about.Status], v.text(a))
	}
	for _, standing := range v.standing {
		_, _ = fmt.Fprintf(table, "  %s:%s\t\t\tconversation: %s\n", v.crm, v.about.Standing.Object, standing)
	}
	for _, t := range v.tasks {
		if subject := t.Properties[v.about.Subject]; slices.Contains(c.Tasks, subject) {
			v.row(table, t, "", "task of "+t.Properties[v.about.Owner]+": "+subject)
		}
	}
}

// row writes a record: whom it is about, how far it got, and what it says, which may be several lines.
func (v view) row(w io.Writer, r samples.Record, status, says string) {
	first, rest, _ := strings.Cut(says, "\n")
	_, _ = fmt.Fprintf(w, "  %s:%s/%s\t%s\t%s\t%s\n", v.crm, r.Object, r.ID, strings.Join(people(v, r), " "), status, first)
	for line := range strings.Lines(rest) {
		_, _ = fmt.Fprintf(w, "  \t\t\t%s\n", strings.TrimSuffix(line, "\n"))
	}
}

// people returns whom a record is about.
func people(v view, r samples.Record) (of []string) {
	for _, object := range slices.Sorted(maps.Keys(r.Associations)) {
		for _, id := range r.Associations[object] {
			if slices.Contains(v.about.People, object) {
				of = append(of, object+"/"+id)
			}
		}
	}
	return of
}

// check returns what is not as it is to be.
func (c consented) check(held consent.Result) (problems []error) {
	verdicts := map[string]string{}
	for _, h := range held.Holds {
		if _, asked := c.Verdicts[string(h.Channel)]; asked && h.Purpose == consent.Messaging {
			verdicts[string(h.Channel)] = string(h.Verdict)
		}
	}
	if !maps.Equal(verdicts, c.Verdicts) {
		problems = append(problems, fmt.Errorf("consent is %v, want %v", verdicts, c.Verdicts))
	}
	var entries []string
	for _, e := range held.Evidence {
		entries = append(entries, strings.Join([]string{e.Mark.State, string(e.Mark.Channel), e.Mark.Source}, " "))
	}
	if !slices.Equal(entries, c.Evidence) {
		problems = append(problems, fmt.Errorf("the evidence is %q, want %q", entries, c.Evidence))
	}
	return problems
}

// write writes what may be sent to an address, and the evidence.
func (c consented) write(w io.Writer, held consent.Result) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "  may be sent by\tpurpose\t\tsince\twhy")
	for _, h := range held.Holds {
		if _, asked := c.Verdicts[string(h.Channel)]; asked {
			_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n", h.Channel, h.Purpose, h.Verdict, shownTime(h.Since), h.Why)
		}
	}
	_ = table.Flush()
	_, _ = fmt.Fprintln(table, "  evidence\tchannel\tpurpose\tat\tsource\tby\twords, list")
	for _, e := range held.Evidence {
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Mark.State, e.Mark.Channel, e.Mark.Purpose, shownTime(e.Mark.At), e.Mark.Source,
			e.Actor, strings.TrimSpace(e.Words[:min(12, len(e.Words))]+" "+cmp.Or(e.List, e.Proof)))
	}
	_ = table.Flush()
}

func shownTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.DateTime)
}
