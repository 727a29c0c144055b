package demo

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
)

// TestWhatAChannelReadsIsSentInTheDemo: what a channel's parser makes of the webhooks in its testdata is what the channel has, and of each there is a
// sample.
func TestWhatAChannelReadsIsSentInTheDemo(t *testing.T) {
	all, err := samples.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	c, sent := client(t), map[string][]string{} // by channel
	for _, s := range all {
		parsed, err := read(t.Context(), c, s)
		if err != nil || len(parsed) == 0 {
			t.Error(s.Name, len(parsed), err)
			continue
		}
		for _, p := range parsed {
			sent[s.Provider()] = append(sent[s.Provider()], featuresOf(p.Event)...)
		}
		if !slices.ContainsFunc(parsed, func(p adapter.Parsed) bool {
			return canonical.NewEventID(c.TenantID(), s.Provider(), s.Account(), p.Kind, p.Key) == c.EventID(s)
		}) {
			t.Errorf("%s: its samples.Channel tells of the event %s, which it is not: %s %s", s.Name, c.EventID(s), parsed[0].Kind, parsed[0].Key)
		}
	}
	for channel := range plugins.Channels() {
		folder := filepath.Join(root, "functions/adapter", channel)
		has := cases(t, folder)
		if !slices.Contains(sent[channel], words) {
			t.Errorf("%s: no sample is a message: add one to %s/samples", channel, folder)
		}
		for _, feature := range features() {
			if name := has[feature]; name != "" && !slices.Contains(sent[channel], feature) {
				t.Errorf("%s: testdata/%s has %s, and no sample shows one: add one to %s/samples, so that make demo sends it", channel, name, feature, folder)
			}
		}
	}
}

// cases returns what the webhooks in a channel's testdata become, with the folder of one that does.
func cases(t *testing.T, folder string) map[string]string {
	t.Helper()
	golden, err := filepath.Glob(filepath.Join(folder, "testdata/*/events.golden.json"))
	if err != nil || len(golden) == 0 {
		t.Errorf("%s/testdata has no webhook and what it becomes: %v", folder, err)
	}
	has := map[string]string{}
	for _, file := range golden {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var told struct{ Events []canonical.Event }
		if err := json.Unmarshal(data, &told); err != nil {
			t.Fatal(file, err)
		}
		for _, feature := range show(told.Events) {
			has[feature] = filepath.Base(filepath.Dir(file))
		}
	}
	return has
}
