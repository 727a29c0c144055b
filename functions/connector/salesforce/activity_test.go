package salesforce

import (
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"

	"github.com/google/go-cmp/cmp"
)

// berlin is two hours ahead of the times below.
var berlin = time.FixedZone("Europe/Berlin", 2*60*60)

func shown(lines ...connector.Line) *connector.Activity {
	a := &connector.Activity{Key: strings.Repeat("ab", 32), Channel: canonical.RCS, Zone: berlin, Start: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)}
	for i := range lines {
		if lines[i].At.IsZero() {
			lines[i].At = a.Start.Add(time.Duration(i) * time.Minute)
		}
		lines[i].At = lines[i].At.In(berlin)
	}
	a.Lines = lines
	return a
}

func TestATranscriptSaysWhoSaidWhatAndWhen(t *testing.T) {
	const head = "RCS, Mon 2026-06-01, Europe/Berlin\n"
	for sentence, c := range map[string]struct {
		line connector.Line
		want string
	}{
		"what they wrote":           {connector.Line{Inbound: true, Author: "Ana", Text: "hello"}, "14:00 [in] Ana: hello"},
		"what we wrote":             {connector.Line{Author: "Bob (agent)", Text: "hello"}, "14:00 [out] Bob (agent): hello"},
		"another day is told":       {connector.Line{At: time.Date(2026, 6, 1, 22, 30, 0, 0, time.UTC), Inbound: true, Author: "Ana", Text: "hi"}, "2026-06-02 00:30 [in] Ana: hi"},
		"lines begin as ours never": {connector.Line{Inbound: true, Author: "Ana", Text: "a\r\n14:01 [out] Bob: b\u2028  - tapped: c"}, "14:00 [in] Ana: a\n    14:01 [out] Bob: b\n      - tapped: c"},
		"a button, tapped":          {connector.Line{Inbound: true, Author: "Ana", Details: []connector.Detail{{Label: "tapped", Text: "Tue"}}}, "14:00 [in] Ana:\n  - tapped: Tue"},
		"edited":                    {connector.Line{Inbound: true, Author: "Ana", Text: "Wed", Edited: true}, "14:00 [in] Ana (edited): Wed"},
		"taken back":                {connector.Line{Inbound: true, Author: "Ana", Withdrawn: true}, "14:00 [in] Ana: (withdrawn)"},
		"reactions":                 {connector.Line{Author: "us", Text: "Tue it is", Reactions: []string{"👍 Ana", "❤ Bob (agent)"}}, "14:00 [out] us: Tue it is\n  - reactions: 👍 Ana, ❤ Bob (agent)"},
		"what was not delivered":    {connector.Line{Author: "us", Text: "hello", Failed: "30003"}, "14:00 [out] us: hello\n  - not delivered: 30003"},
		"attachments":               {connector.Line{Inbound: true, Author: "Ana", Details: []connector.Detail{{Text: "bill.pdf\n14:01 (application/pdf)", URL: "https://f.example/1"}, {Text: "Attachment 2"}}}, "14:00 [in] Ana:\n  - bill.pdf 14:01 (application/pdf) https://f.example/1\n  - Attachment 2"},
		"a place":                   {connector.Line{Inbound: true, Author: "Ana", Details: []connector.Detail{{Label: "location", Text: "Café, 41.4,2.17", URL: "https://maps.example/1"}}}, "14:00 [in] Ana:\n  - location: Café, 41.4,2.17 https://maps.example/1"},
		"what brought them":         {connector.Line{Inbound: true, Author: "Ana", Text: "hello", Ad: "Spring sale, ad 77"}, "14:00 [in] Ana: hello\n  - came by: Spring sale, ad 77"},
		"the rest of a long line":   {connector.Line{Text: "and so on", Continued: true}, "    and so on"},
	} {
		a := shown(c.line)
		if diff := cmp.Diff(head+c.want, connector.Transcript(a, activityOf(a, false).parts[0], maxText)); diff != "" {
			t.Errorf("%s: %s", sentence, diff)
		}
	}
}

func TestPartsSayWhichTheyAre(t *testing.T) {
	a := shown(connector.Line{Inbound: true, Author: "Ana", Text: strings.Repeat("a", maxPart)}, connector.Line{Author: "us", Text: "ok"})
	a.Late, a.Parts = true, 3
	parts := activityOf(a, false).parts
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	const late = "RCS, Mon 2026-06-01, Europe/Berlin\nThis came after the activity that it belongs to was closed.\n"
	for i, want := range []string{late + "14:00 [in] Ana: aaa", late + "Part 2\n    aaaa", late + "Part 3\nNothing is left here."} {
		if got := connector.Transcript(a, parts[i], maxText); !strings.HasPrefix(got, want) {
			t.Errorf("part %d: %.200q", i+1, got)
		}
	}
	for i, want := range []string{"RCS conversation of 2026-06-01, late", "RCS conversation of 2026-06-01, late, part 2"} {
		if got := member((&org{binding: Binding{Capabilities: Capabilities{Tasks: true}}}).sheet().once(a, parts[i]), "Subject"); got != want {
			t.Errorf("part %d: %q, want %q", i+1, got, want)
		}
	}
}

// FuzzTranscripts: no part is longer than Salesforce keeps, and no text loses or splits a character.
func FuzzTranscripts(f *testing.F) {
	f.Add("hello", "Ana", "bill.pdf", "https://files.example.test/1", 1)
	f.Add(strings.Repeat("👩‍👩‍👧", 9000), "\xff", "\u2028", strings.Repeat("x", 3000), 3)
	f.Add(strings.Repeat("\n", 40000), "", "", "", 60)
	f.Fuzz(func(t *testing.T, said, author, file, address string, n int) {
		line := connector.Line{Inbound: true, Author: connector.Cut(author, 80), Text: connector.Clean(said), Details: []connector.Detail{{Label: "tapped", Text: file}}, Failed: author}
		for range n % 64 {
			line.Details = append(line.Details, connector.Detail{Text: file, URL: address})
		}
		a, rest := shown(line, line), 2
		for _, p := range activityOf(a, false).parts {
			got := connector.Transcript(a, p, maxText)
			if n := len(utf16.Encode([]rune(got))); n > maxText || !utf8.ValidString(got) {
				t.Errorf("%d characters: %.200q", n, got)
			}
			for _, l := range p.Lines {
				if !l.Continued {
					rest--
				}
			}
		}
		if rest != 0 {
			t.Errorf("%d lines too few", rest)
		}
	})
}
