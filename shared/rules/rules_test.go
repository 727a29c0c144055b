package rules_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/rules"

	"github.com/google/go-cmp/cmp"
)

// TestDefaultDecisions holds what the default rules decide in testdata, one file a case. Run with -update to write them anew.
func TestDefaultDecisions(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 18, 14, 23, 12, 0, time.UTC)
	inbound := func(change func(*rules.Facts)) rules.Facts {
		f := rules.Facts{
			Type: canonical.TypeMessage, Direction: canonical.Inbound, Channel: canonical.RCS, At: at,
			Summary: "Interested in pricing for product X", Known: map[string]bool{},
		}
		change(&f)
		return f
	}
	known := map[string]bool{"hubspot": true, "salesforce": true}
	tests := map[string]rules.Facts{
		"unknown sender becomes a person with an activity": inbound(func(*rules.Facts) {}),
		"known contact gets an activity":                   inbound(func(f *rules.Facts) { f.Known = known }),
		"known to one CRM only becomes a person in the other": inbound(func(f *rules.Facts) {
			f.Known = map[string]bool{"hubspot": true}
		}),
		"stop changes consent":                             inbound(func(f *rules.Facts) { f.Keyword, f.Consent, f.Known = "stop", "opted_out", known }),
		"stop of an unknown sender makes the person first": inbound(func(f *rules.Facts) { f.Keyword, f.Consent = "stop", "opted_out" }),
		"stop that a newer start superseded is an activity": inbound(func(f *rules.Facts) {
			f.Keyword, f.Known = "stop", known
		}),
		"help is an activity and changes no consent": inbound(func(f *rules.Facts) { f.Keyword, f.Known = "help", known }),
		"receipt shows how far a message got": inbound(func(f *rules.Facts) {
			f.Type, f.Direction, f.Summary = canonical.TypeReceipt, canonical.Status, ""
		}),
		"reply to an outreach": inbound(func(f *rules.Facts) { f.Known, f.Replied = known, f.At }),
		"stop as a reply": inbound(func(f *rules.Facts) {
			f.Keyword, f.Consent, f.Known, f.Replied = "stop", "opted_out", known, f.At
		}),
		"outreach told of after its answer": inbound(func(f *rules.Facts) {
			f.Direction, f.Known, f.Replied = canonical.Outbound, known, f.At.Add(time.Hour)
		}),
		"what a program sent is an activity": inbound(func(f *rules.Facts) { f.Direction, f.Known = canonical.Outbound, known }),
		"what somebody of ours wrote is an activity and ends sequences": inbound(func(f *rules.Facts) {
			f.Direction, f.Known, f.ByHand = canonical.Outbound, known, true
		}),
		"what somebody of ours wrote and is told of after its answer": inbound(func(f *rules.Facts) {
			f.Direction, f.Known, f.ByHand, f.Replied = canonical.Outbound, known, true, f.At.Add(time.Hour)
		}),
		"a reaction is an activity": inbound(func(f *rules.Facts) { f.Type, f.Known = canonical.TypeReaction, known }),
	}
	for name, facts := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, rules.Ordered{}.Decide(rules.Default(), 7, []string{"hubspot", "salesforce"}, facts))
		})
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, got any) {
	t.Helper()
	encoded, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	_, name, _ := strings.Cut(t.Name(), "/")
	path := filepath.Join("testdata", name+".golden.json")
	if *update {
		if err := os.WriteFile(path, append(encoded, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(encoded)+"\n"); diff != "" {
		t.Error(diff)
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	log := rules.Action{CRM: rules.AnyCRM, Kind: delivery.LogActivity}
	ensure := rules.Action{CRM: "a", Kind: delivery.EnsurePerson, Value: map[string]string{"source": "fair", "description": "x"}}
	type want struct {
		a, b    string // the kinds of action for each CRM, and why
		matched string
	}
	tests := map[string]struct {
		set  []rules.Rule
		want want
	}{
		"no rule decides nothing": {nil, want{"", "", ""}},
		"all that match count, in order": {
			[]rules.Rule{{ID: "one", Then: []rules.Action{ensure}}, {ID: "two", Then: []rules.Action{log}}},
			want{"ensure_person log_activity: one two", "log_activity: two", "one two"},
		},
		"a rule that stops is the last": {
			[]rules.Rule{{ID: "one", Then: []rules.Action{log}, Stop: true}, {ID: "two", Then: []rules.Action{ensure}}},
			want{"log_activity: one", "log_activity: one", "one"},
		},
		"a rule that stops without an action keeps an event back": {
			[]rules.Rule{{ID: "quiet", Stop: true}, {ID: "two", Then: []rules.Action{log}}},
			want{"", "", "quiet"},
		},
		"a kind of action is taken from the first rule only": {
			[]rules.Rule{{ID: "one", Then: []rules.Action{log}}, {ID: "two", Then: []rules.Action{log}}},
			want{"log_activity: one", "log_activity: one", "one two"},
		},
		"another channel does not match": {
			[]rules.Rule{{ID: "one", When: rules.When{Channels: []canonical.Channel{canonical.Web}}, Then: []rules.Action{log}}},
			want{"", "", ""},
		},
		"one of several channels matches": {
			[]rules.Rule{{ID: "one", When: rules.When{Channels: []canonical.Channel{canonical.Web, canonical.SMS}}, Then: []rules.Action{log}}},
			want{"log_activity: one", "log_activity: one", "one"},
		},
		"what is no reply does not match a rule for replies": {
			[]rules.Rule{{ID: "one", When: rules.When{Reply: new(true)}, Then: []rules.Action{log}}, {ID: "two", When: rules.When{Reply: new(false)}, Then: []rules.Action{log}}},
			want{"log_activity: two", "log_activity: two", "two"},
		},
		"who is known differs by CRM": {
			[]rules.Rule{{ID: "one", When: rules.When{Known: new(true)}, Then: []rules.Action{log}}},
			want{"", "log_activity: one", "one"},
		},
	}
	facts := rules.Facts{Type: canonical.TypeMessage, Direction: canonical.Inbound, Channel: canonical.SMS, Known: map[string]bool{"b": true}}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := rules.Ordered{}.Decide(rules.Set{Rules: tt.set}, 3, []string{"a", "b"}, facts)
			got := want{matched: references(d.Matched)}
			for _, c := range d.CRMs {
				var kinds []string
				for _, a := range c.Actions {
					kinds = append(kinds, string(a.Kind))
				}
				told := strings.Join(kinds, " ") + ": " + references(c.Why)
				if c.CRM == "a" {
					got.a = told
				} else {
					got.b = told
				}
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func references(all []delivery.RuleReference) string {
	var ids []string
	for _, r := range all {
		if r.Version == 3 {
			ids = append(ids, r.Rule)
		}
	}
	return strings.Join(ids, " ")
}

func TestAValueOfTheRuleGoesBeforeTheEvents(t *testing.T) {
	t.Parallel()
	set := rules.Set{Rules: []rules.Rule{{ID: "one", Then: []rules.Action{
		{CRM: "a", Kind: delivery.EnsurePerson, Value: map[string]string{"source": "fair"}},
	}}}}
	d := rules.Ordered{}.Decide(set, 1, []string{"a"}, rules.Facts{Channel: canonical.SMS, Summary: "hello"})
	want := map[string]string{"source": "fair", "channel": "sms", "description": "hello"}
	if diff := cmp.Diff(want, d.CRMs[0].Actions[0].Value); diff != "" {
		t.Error(diff)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	log := []rules.Action{{CRM: rules.AnyCRM, Kind: delivery.LogActivity}}
	raise, receipts, known := []rules.Action{{CRM: rules.AnyCRM, Kind: delivery.RaiseStatus}}, []canonical.Type{canonical.TypeReceipt}, true
	tests := map[string]struct {
		rules []rules.Rule
		want  []string // paths
	}{
		"the default rules are fine":            {rules.Default().Rules, nil},
		"an id of capital letters":              {[]rules.Rule{{ID: "One", Then: log}}, []string{"rules[0].id"}},
		"an id twice":                           {[]rules.Rule{{ID: "one", Then: log}, {ID: "one", Then: log}}, []string{"rules[1].id"}},
		"a rule that does nothing":              {[]rules.Rule{{ID: "one"}}, []string{"rules[0].then"}},
		"a CRM the tenant does not have":        {[]rules.Rule{{ID: "one", Then: []rules.Action{{CRM: "x", Kind: delivery.LogActivity}}}}, []string{"rules[0].then[0].crm"}},
		"an action that nobody knows":           {[]rules.Rule{{ID: "one", Then: []rules.Action{{CRM: "*", Kind: "dance"}}}}, []string{"rules[0].then[0].kind"}},
		"consent set without asking for a word": {[]rules.Rule{{ID: "one", Then: []rules.Action{{CRM: "*", Kind: delivery.SetConsent}}}}, []string{"rules[0].then[0].kind"}},
		"consent set by help": {[]rules.Rule{{
			ID: "one", When: rules.When{Keywords: []string{"help"}}, Then: []rules.Action{{CRM: "*", Kind: delivery.SetConsent}},
		}}, []string{"rules[0].then[0].kind"}},
		"a status raised by what is no receipt": {[]rules.Rule{{ID: "one", Then: raise}}, []string{"rules[0].then[0].kind"}},
		"a status raised by any of two types": {[]rules.Rule{{
			ID: "one", When: rules.When{Types: []canonical.Type{canonical.TypeReceipt, canonical.TypeMessage}}, Then: raise,
		}}, []string{"rules[0].then[0].kind"}},
		"a status raised for those who are known": {[]rules.Rule{{
			ID: "one", When: rules.When{Types: receipts, Known: &known}, Then: raise,
		}}, []string{"rules[0].then[0].kind"}},
		"a status raised for replies": {[]rules.Rule{{
			ID: "one", When: rules.When{Types: receipts, Reply: &known}, Then: raise,
		}}, []string{"rules[0].then[0].kind"}},
		"a reply marked without asking for one": {[]rules.Rule{{
			ID: "one", Then: []rules.Action{{CRM: "*", Kind: delivery.MarkReplied}},
		}}, []string{"rules[0].then[0].kind"}},
		"sequences cancelled for what is no reply": {[]rules.Rule{{
			ID: "one", When: rules.When{Reply: new(false)}, Then: []rules.Action{{CRM: "*", Kind: delivery.CancelSequences}, {CRM: "*", Kind: delivery.MarkReplied}},
		}}, []string{"rules[0].then[0].kind", "rules[0].then[1].kind"}},
		"sequences cancelled without a mark": {[]rules.Rule{{
			ID: "one", When: rules.When{Reply: &known}, Then: []rules.Action{{CRM: "*", Kind: delivery.CancelSequences}},
		}}, []string{"rules[0].then[0].kind"}},
		"a mark for another CRM": {[]rules.Rule{{
			ID: "one", When: rules.When{Reply: &known}, Then: []rules.Action{{CRM: "*", Kind: delivery.CancelSequences}, {CRM: "hubspot", Kind: delivery.MarkReplied}},
		}}, []string{"rules[0].then[0].kind", "rules[0].then[1].kind"}},
		"sequences cancelled by what is written by hand": {[]rules.Rule{{
			ID: "one", When: rules.When{ByHand: &known}, Then: []rules.Action{{CRM: "*", Kind: delivery.CancelSequences}},
		}}, nil},
		"a mark of what is written by hand": {[]rules.Rule{{
			ID: "one", When: rules.When{ByHand: &known}, Then: []rules.Action{{CRM: "*", Kind: delivery.CancelSequences}, {CRM: "*", Kind: delivery.MarkReplied}},
		}}, []string{"rules[0].then[1].kind"}},
		"sequences cancelled by what programs send": {[]rules.Rule{{
			ID: "one", When: rules.When{ByHand: new(false)}, Then: []rules.Action{{CRM: "*", Kind: delivery.CancelSequences}},
		}}, []string{"rules[0].then[0].kind"}},
		"sequences cancelled by what is written by hand and no reply": {[]rules.Rule{{
			ID: "one", When: rules.When{Reply: new(false), ByHand: &known}, Then: []rules.Action{{CRM: "*", Kind: delivery.CancelSequences}},
		}}, nil},
		"a status raised for what is written by hand": {[]rules.Rule{{
			ID: "one", When: rules.When{Types: receipts, ByHand: &known}, Then: raise,
		}}, []string{"rules[0].then[0].kind"}},
		"a reply that somebody wrote marks": {[]rules.Rule{{
			ID: "one", When: rules.When{Reply: &known, ByHand: &known}, Then: []rules.Action{{CRM: "*", Kind: delivery.CancelSequences}},
		}}, []string{"rules[0].then[0].kind"}},
		"marks alone": {[]rules.Rule{{
			ID: "one", When: rules.When{Reply: &known}, Then: []rules.Action{{CRM: "*", Kind: delivery.MarkReplied}},
		}}, nil},
		"a mark alone beside a rule that cancels": {[]rules.Rule{
			{ID: "one", When: rules.When{Reply: &known}, Then: []rules.Action{{CRM: "*", Kind: delivery.MarkReplied}}},
			{ID: "two", When: rules.When{Reply: &known}, Then: []rules.Action{{CRM: "*", Kind: delivery.MarkReplied}, {CRM: "*", Kind: delivery.CancelSequences}}},
		}, []string{"rules[0].then[0].kind"}},
		"a reply with a time of its own": {[]rules.Rule{{
			ID: "one", When: rules.When{Reply: &known}, Then: []rules.Action{{CRM: "*", Kind: delivery.MarkReplied, Value: map[string]string{"at": "x"}}},
		}}, []string{"rules[0].then[0].value"}},
		"a receipt as an activity": {[]rules.Rule{{ID: "one", When: rules.When{Types: receipts}, Then: log}}, []string{"rules[0].then[0].kind"}},
		"a value that the action does not take": {[]rules.Rule{{
			ID: "one", Then: []rules.Action{{CRM: "*", Kind: delivery.LogActivity, Value: map[string]string{"x": "y"}}},
		}}, []string{"rules[0].then[0].value"}},
		"every unknown word is listed": {[]rules.Rule{{ID: "one", Then: log, When: rules.When{
			Types: []canonical.Type{"message", "x"}, Directions: []canonical.Direction{"x"}, Channels: []canonical.Channel{"x"}, Keywords: []string{"x"},
		}}}, []string{
			"rules[0].when.types[1]", "rules[0].when.directions[0]", "rules[0].when.channels[0]", "rules[0].when.keywords[0]",
		}},
		"the channel of no line": {[]rules.Rule{{ID: "one", Then: log, When: rules.When{Channels: []canonical.Channel{canonical.SMS, canonical.RCS}}}}, []string{"rules[0].when.channels[1]"}},
		"a list that is empty":   {[]rules.Rule{{ID: "one", Then: log, When: rules.When{Channels: []canonical.Channel{}}}}, []string{"rules[0].when.channels"}},
		"too many rules":         {make([]rules.Rule, 101), []string{"rules"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range (rules.Set{Rules: tt.rules}).Validate([]string{"hubspot"}, []canonical.Channel{canonical.SMS}) {
				got = append(got, p.Path)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
