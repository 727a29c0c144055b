package demo

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"signalbox/shared/consent"
	"signalbox/shared/dev/samples"
)

// scene is something to see: what is sent, and what every CRM is to show once nothing is under way any more.
type scene struct {
	Title   string
	Samples []string // what is shown is what came of these, which were sent before; otherwise it is what comes of Send
	Send    [][]step // each round when nothing of the one before is under way any more
	Enter   []consent.Row

	Sessions   bool       // whether activities are of more than one message
	Standing   string     // whose turn it is then, "" if that is not shown
	People     int        // how many persons it is about
	Activities []activity // of them
	OptedOut   bool       // whether they are shown as wanting no messages
	Owner      string     // whose they are: one of the tenant's people
	Tasks      []string   // what the owner is told
	Works      string     // the rule whose work is to be done
	Consent    *consented

	then func(ctx context.Context) error // what is done after Send
}

// step is something to send to a line, by its id.
type step struct {
	samples.Load

	At string // of yesterday, UTC: when it happened
}

// activity is one record on a timeline.
type activity struct {
	Says   []string // in this order
	Status string   // how far it got
}

// consented is what holds of an address.
type consented struct {
	Address  string
	Verdicts map[string]string // by channel, of what is no marketing
	Evidence []string          // state, channel and source of every entry, in their order
}

//go:embed scenes.json
var scenesFile []byte

func readScenes() (scenes []scene, err error) {
	d := json.NewDecoder(bytes.NewReader(scenesFile))
	d.DisallowUnknownFields()
	if err := d.Decode(&scenes); err != nil {
		return nil, fmt.Errorf("demo: scenes.json: %w", err)
	}
	return scenes, nil
}

// stage is where scenes are played.
type stage struct {
	client *samples.Client
	target samples.Target
	all    []samples.Sample // those that were sent before
	ask    func(ctx context.Context, action string, r consent.Request) (consent.Result, error)
	sent   int
	now    time.Time
}

// lookEvery is how often the simulators are looked at.
const lookEvery = 20 * time.Millisecond

// play sends what a scene sends, waits until every CRM shows what it is to show, and writes it to w. The error says what is not so.
func (s *stage) play(ctx context.Context, w io.Writer, c scene) error {
	if missing := s.missing(c); missing != "" {
		_, err := fmt.Fprintf(w, "\n%s: not played, for there is no %s\n", c.Title, missing)
		return err
	}
	before, err := s.look(ctx)
	if err != nil {
		return err
	}
	for _, round := range c.Send {
		for _, one := range round {
			if err := s.send(ctx, one); err != nil {
				return err
			}
		}
		s.rest(ctx)
	}
	if c.then != nil {
		if err := c.then(ctx); err != nil {
			return fmt.Errorf("%s: %w", c.Title, err)
		}
	}
	if len(c.Enter) > 0 {
		if _, err := s.ask(ctx, consent.Enter, consent.Request{By: "demo", Reason: c.Title, Rows: c.Enter}); err != nil {
			return fmt.Errorf("demo: %s: %w", c.Title, err)
		}
	}
	for {
		now, err := s.look(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		views := s.choose(c, before, now)
		problems := s.check(c, views)
		if len(problems) == 0 || ctx.Err() != nil {
			write(w, c, views)
			return s.end(context.WithoutCancel(ctx), w, c, problems)
		}
		wait(ctx)
	}
}

// missing returns what a scene is made of that is not there, "" for nothing: any channel may be taken out of the repository.
func (s *stage) missing(c scene) string {
	for _, name := range c.Samples {
		if !slices.ContainsFunc(s.all, func(one samples.Sample) bool { return one.Name == name }) {
			return "sample " + name
		}
	}
	for _, round := range c.Send {
		for _, one := range round {
			if s.client.NewTo(one.Line, one.Load).Path == "" {
				return "line " + one.Line + " to which such messages are sent"
			}
		}
	}
	return ""
}

// end looks at the consent that a scene is about, and returns what is not as it is to be.
func (s *stage) end(ctx context.Context, w io.Writer, c scene, problems []error) error {
	if c.Consent != nil {
		held, err := s.ask(ctx, consent.Show, consent.Request{Address: c.Consent.Address})
		if err != nil {
			return fmt.Errorf("demo: %s: %w", c.Title, err)
		}
		c.Consent.write(w, held)
		problems = append(problems, c.Consent.check(held)...)
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("%s: it is not so: %w", c.Title, err)
	}
	return nil
}

// send sends a step and wants it accepted.
func (s *stage) send(ctx context.Context, one step) error {
	s.sent++
	if one.Number == "" {
		one.Number = fmt.Sprintf("5ce0%028x", s.sent)
	}
	if one.At != "" {
		at, err := time.Parse("15:04", one.At)
		if err != nil {
			return fmt.Errorf("demo: scenes.json: %w", err)
		}
		one.Sent = s.now.UTC().Truncate(24 * time.Hour).Add(-24 * time.Hour).Add(at.Sub(at.Truncate(24 * time.Hour)))
	}
	sample := s.client.NewTo(one.Line, one.Load)
	status, err := s.client.Send(ctx, sample)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("demo: %q to %s was answered %d", one.Text, one.Line, status)
	}
	return err
}

// rest waits until nothing is under way, or ctx is done.
func (s *stage) rest(ctx context.Context) {
	for !s.target.Rests() && ctx.Err() == nil {
		wait(ctx)
	}
}

func wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(lookEvery):
	}
}

// look returns every record of every CRM.
func (s *stage) look(ctx context.Context) (map[string][]samples.Record, error) {
	all := map[string][]samples.Record{}
	for crm, about := range s.target.CRMs {
		for _, object := range about.Objects {
			records, err := s.client.Records(ctx, crm, object)
			if err != nil {
				return nil, err
			}
			all[crm] = append(all[crm], records...)
		}
	}
	return all, nil
}

// view is what one CRM shows of a scene.
type view struct {
	crm                       string
	about                     samples.Simulator
	shown                     samples.Place // where activities are
	people, activities, tasks []samples.Record
	standing                  []string // of conversations
	records                   []samples.Record
	asked                     []string // what work is to show
	subjects                  []string // of tasks that are no activities
}

// choose returns what each CRM shows of a scene: what came of its samples, or else what came to be since before.
func (s *stage) choose(c scene, before, now map[string][]samples.Record) []view {
	var views []view
	for crm, about := range s.target.CRMs {
		asked := s.client.Asked(crm, c.Works)
		v := view{crm: crm, about: about, subjects: slices.Concat(c.Tasks, asked), asked: asked, shown: samples.Place{Object: about.Messages, Text: about.Text}}
		if c.Sessions {
			v.shown = about.Sessions
		}
		for _, r := range now[crm] {
			if s.isOf(c, crm, r, before[crm]) {
				v.add(r)
			}
		}
		if len(c.Samples) > 0 {
			for _, r := range now[crm] {
				if slices.ContainsFunc(v.activities, func(a samples.Record) bool { return slices.Contains(a.Associations[r.Object], r.ID) }) {
					v.add(r)
				}
			}
		}
		views = append(views, v)
	}
	slices.SortFunc(views, func(a, b view) int { return bytes.Compare([]byte(a.crm), []byte(b.crm)) })
	return views
}

// isOf reports whether a record shows a scene by itself.
func (s *stage) isOf(c scene, crm string, r samples.Record, before []samples.Record) bool {
	if len(c.Samples) == 0 {
		return !slices.ContainsFunc(before, func(b samples.Record) bool { return b.Object == r.Object && b.ID == r.ID })
	}
	return slices.ContainsFunc(s.all, func(one samples.Sample) bool {
		return slices.Contains(c.Samples, one.Name) && s.client.Shows(crm, one)(r)
	})
}

func (v *view) add(r samples.Record) {
	if stands := r.Properties[v.about.Standing.Text]; r.Object == v.about.Standing.Object && stands != "" {
		v.standing = append(v.standing, stands)
	}
	v.records = append(v.records, r)
	switch {
	case r.Object == v.shown.Object && !slices.Contains(v.subjects, r.Properties[v.about.Subject]):
		v.activities = append(v.activities, r)
	case r.Object == v.about.Tasks:
		v.tasks = append(v.tasks, r)
	case slices.Contains(v.about.People, r.Object):
		v.people = append(v.people, r)
	}
}
