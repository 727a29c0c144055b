package consent_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
)

// readWords returns the entries of each section of the list.
func readWords(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile("words.txt")
	if err != nil {
		t.Fatal(err)
	}
	sections, name := map[string][]string{}, ""
	for line := range strings.Lines(string(data)) {
		switch line = strings.TrimSuffix(line, "\n"); {
		case strings.HasPrefix(line, "["):
			name = strings.Trim(line, "[]")
		case line != "" && name != "":
			sections[name] = append(sections[name], line)
		}
	}
	return sections
}

// TestAListHasAVersionOfItsOwn: evidence names a version, which says nothing if two lists have the same.
func TestAListHasAVersionOfItsOwn(t *testing.T) {
	t.Parallel()
	const version, digest = "2026-11-27", "a1745fe7b04aa3320df5eb7eac8736ab09c12e901e20f20e3f826d0e7985376f"
	data, err := os.ReadFile("words.txt")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != digest || consent.ListVersion() != version {
		t.Errorf("version %s has the digest %s: a changed list has a new version, and both are written here", consent.ListVersion(), got)
	}
}

// TestEveryWordOfTheListIsOneHoweverItIsWritten holds each entry against the folding: one that is not folded could never be met.
func TestEveryWordOfTheListIsOneHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	ways := map[string]func(string) string{
		"as it is":               func(s string) string { return s },
		"in capitals":            strings.ToUpper,
		"with a full stop":       func(s string) string { return s + "." },
		"with blanks around":     func(s string) string { return " \t" + s + "\n" },
		"with a mark and a sign": func(s string) string { return s + "! 🛑" },
		"with a zero-width":      func(s string) string { return "\u200b" + s + "\ufeff" },
		"in quotes":              func(s string) string { return "«" + s + "»" },
	}
	sections := readWords(t)
	for section, want := range map[string]string{"stop": consent.Stop, "start": consent.Start, "help": consent.Help} {
		if len(sections[section]) < 2 {
			t.Errorf("there is no section %s", section)
		}
		for _, word := range sections[section] {
			for way, write := range ways {
				if exact := section != "stop" && way != "as it is" && way != "in capitals" && way != "with blanks around"; exact {
					continue
				}
				if got := consent.Keyword(write(word)); got != want {
					t.Errorf("%s, %s, is %q, want %q", word, way, got, want)
				}
			}
		}
	}
	for _, section := range []string{"phrase", "whole"} {
		for _, words := range sections[section] {
			for way, text := range map[string]string{
				"as it is": words, "in capitals": strings.ToUpper(words), "with courtesies": "Please " + words + ", thanks!", "behind a greeting": "Hi. " + words,
			} {
				if !consent.Phrase(text) {
					t.Errorf("%q, %s, is talk", words, way)
				}
			}
		}
	}
}

func TestAnEntryStandsOnceAndInOneSection(t *testing.T) {
	t.Parallel()
	sections := readWords(t)
	for _, group := range [][]string{{"stop", "start", "yes", "help"}, {"phrase", "whole", "beside"}, {"polite", "opener"}, {"closer"}, {"talk"}} {
		seen := map[string]string{}
		for _, section := range group {
			for _, entry := range sections[section] {
				if other, twice := seen[entry]; twice {
					t.Errorf("%q is in %s and in %s", entry, other, section)
				}
				seen[entry] = section
			}
		}
	}
}

// TestOptOutsInPlainWords is an evaluation: none that is talk may be taken for an opt-out, for nobody would notice.
func TestOptOutsInPlainWords(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/phrases.tsv")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for line := range strings.Lines(string(data)) {
		label, text, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		counts[label]++
		got := consent.Phrase(text) || consent.Keyword(text) == consent.Stop
		if want := label == "stop"; got != want {
			t.Errorf("%s: %q is an opt-out: %t", label, text, got)
		}
	}
	t.Logf("%d opt-outs are recognised, %d are missed, of %d messages of talk none is one", counts["stop"], counts["missed"], counts["talk"])
	if counts["stop"] < 100 || counts["talk"] < 100 {
		t.Error("the table is too small")
	}
}

func TestAYesIsOneToTheLetter(t *testing.T) {
	t.Parallel()
	event := func(text string) *canonical.Event {
		return &canonical.Event{Type: canonical.TypeMessage, Direction: canonical.Inbound, Message: &canonical.Message{Text: text}}
	}
	for _, text := range []string{"yes", "YES", " Yes ", "y", "sí", "Oui", "JA"} {
		if !consent.IsYes(event(text)) {
			t.Errorf("%q is none", text)
		}
	}
	picture := event("yes")
	picture.Message.Attachments = []canonical.Attachment{{URL: "https://x"}}
	outbound := event("yes")
	outbound.Direction = canonical.Outbound
	for name, e := range map[string]*canonical.Event{
		"a mark behind": event("yes!"), "a sentence": event("yes please"), "full width": event("ＹＥＳ"), "an old letter": event("yeſ"),
		"below a picture": picture, "our own": outbound, "nothing": event(""), "no message": {Type: canonical.TypeReaction, Direction: canonical.Inbound},
	} {
		if consent.IsYes(e) {
			t.Errorf("%s is one", name)
		}
	}
}

func FuzzPhrase(f *testing.F) {
	for _, seed := range []string{"Please stop texting me", "no more texts", "\xff", "Stop?", "arre\u0302tez de m’écrire", "если\n\nstop"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if consent.Phrase(text) && len(text) > 1600 {
			t.Errorf("%d bytes are looked at", len(text))
		}
	})
}
