package demo

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
)

const root = "../../../.."

func client(t *testing.T) *samples.Client {
	t.Helper()
	client, err := samples.NewClient(root, plugins.Channels(), samples.Target{PublicBaseURL: "https://hooks.example"})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// TestEverySceneCanBePlayed: its samples are there, its lines have a channel that sends such ones, and something is expected.
func TestEverySceneCanBePlayed(t *testing.T) {
	scenes, err := readScenes()
	if err != nil || len(scenes) == 0 {
		t.Fatal(len(scenes), err)
	}
	all, err := samples.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{client: client(t), all: all}
	for _, c := range scenes {
		if missing := s.missing(c); missing != "" {
			t.Errorf("%s: there is no %s", c.Title, missing)
		}
		if len(c.Activities) == 0 || len(c.Samples)+len(c.Send) == 0 {
			t.Errorf("%s shows nothing", c.Title)
		}
	}
}

// TestASceneThatIsNotSoIsReported: what is written is never more than what was found.
func TestASceneThatIsNotSoIsReported(t *testing.T) {
	about := samples.Simulator{
		Messages: "messages", People: []string{"people"}, Text: "text", HTML: true, Status: "status", Tasks: "tasks", Subject: "subject",
		Owner: "owner", OptedOut: "out", Works: []samples.Place{{Object: "cases", Text: "subject"}},
	}
	record := func(object, id string, properties map[string]string) samples.Record {
		return samples.Record{Object: object, ID: id, Properties: properties}
	}
	held := func(change func(v *view)) []view {
		v := view{
			crm: "hubspot", about: about, shown: samples.Place{Object: "messages", Text: "text"}, standing: []string{"waiting_for_us"},
			people:     []samples.Record{record("people", "1", map[string]string{"owner": "4711", "out": "true"})},
			activities: []samples.Record{record("messages", "2", map[string]string{"text": "<p>one &amp; <b>two</b></p><p>three</p>", "status": "delivered"})},
			tasks:      []samples.Record{record("tasks", "3", map[string]string{"subject": "New lead", "owner": "4711"})},
			records:    []samples.Record{record("cases", "4", map[string]string{"subject": "A case"})}, asked: []string{"A case"},
		}
		change(&v)
		return []view{v}
	}
	c := scene{
		Title: "a scene", People: 1, OptedOut: true, Owner: "ana", Tasks: []string{"New lead"}, Standing: "waiting_for_us", Works: "a-rule",
		Activities: []activity{{Says: []string{"one & two", "three"}, Status: "delivered"}},
	}
	s := &stage{client: client(t)}
	for name, test := range map[string]struct {
		change func(v *view)
		want   string
	}{
		"all is so":                    {func(*view) {}, ""},
		"two persons":                  {func(v *view) { v.people = append(v.people, v.people[0]) }, "2 people, want 1"},
		"no activity":                  {func(v *view) { v.activities = nil }, "0 activities, want 1"},
		"the words are mixed up":       {func(v *view) { v.activities[0].Properties["text"] = "three one & two" }, "in this order"},
		"another status":               {func(v *view) { v.activities[0].Properties["status"] = "sent" }, `is "sent", want "delivered"`},
		"somebody else's":              {func(v *view) { v.people[0].Properties["owner"] = "4712" }, `is "4712"'s, want "4711"`},
		"nobody is told":               {func(v *view) { v.tasks = nil }, `"New lead" is told nobody`},
		"somebody else is told":        {func(v *view) { v.tasks[0].Properties["owner"] = "4712" }, `"New lead" is told nobody`},
		"another turn":                 {func(v *view) { v.standing = []string{"closed"} }, `["closed"], want "waiting_for_us"`},
		"two conversations":            {func(v *view) { v.standing = append(v.standing, "closed") }, `want "waiting_for_us"`},
		"a rule that asks for nothing": {func(v *view) { v.asked = nil }, `no rule "a-rule" that asks for work`},
		"work that is not done":        {func(v *view) { v.records = nil }, `the work "A case" is there 0 times`},
		"work that is done twice":      {func(v *view) { v.records = slices.Repeat(v.records, 2) }, `the work "A case" is there 2 times`},
		"not opted out":                {func(v *view) { v.people[0].Properties["out"] = "false" }, "wants messages: true, want false"},
	} {
		t.Run(name, func(t *testing.T) {
			views := held(test.change)
			if got := errors.Join(s.check(c, views)...); test.want == "" && got != nil || test.want != "" && (got == nil || !strings.Contains(got.Error(), test.want)) {
				t.Errorf("%v, want %q", got, test.want)
			}
			var out bytes.Buffer
			write(&out, c, views)
			if strings.Contains(out.String(), "New lead") != (len(views[0].tasks) > 0) {
				t.Errorf("it says %s", out.String())
			}
		})
	}
}

func TestConsentThatIsNotSoIsReported(t *testing.T) {
	held := consent.Result{
		Holds: []consent.Holds{
			{Channel: canonical.SMS, Purpose: consent.Messaging, Verdict: consent.Denied}, {Channel: canonical.SMS, Purpose: "marketing", Verdict: consent.Unknown},
		},
		Evidence: []consent.Entry{{Mark: consent.Mark{State: consent.OptedOut, Channel: canonical.RCS, Source: consent.SourcePhrase}}},
	}
	for name, test := range map[string]struct {
		c    consented
		want int
	}{
		"it is so":                            {consented{Verdicts: map[string]string{"sms": "denied"}, Evidence: []string{"opted_out rcs phrase"}}, 0},
		"another verdict":                     {consented{Verdicts: map[string]string{"sms": "granted"}, Evidence: []string{"opted_out rcs phrase"}}, 1},
		"a channel of ours that is not there": {consented{Verdicts: map[string]string{"sms": "denied", "mms": "denied"}, Evidence: []string{"opted_out rcs phrase"}}, 1},
		"another evidence":                    {consented{Verdicts: map[string]string{"sms": "denied"}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.c.check(held); len(got) != test.want {
				t.Errorf("%v, want %d", got, test.want)
			}
		})
	}
}
