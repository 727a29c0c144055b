package connector_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"signalbox/functions/connector"

	"github.com/rivo/uniseg"
)

// runes is how long a CRM that counts characters takes a line to be, with ten around each.
func runes(l connector.Line) int {
	n := 10 + utf8.RuneCountInString(l.Text) + len(l.Failed)
	for _, d := range l.Details {
		n += 5 + len(d.Text)
	}
	for _, s := range l.Reactions {
		n += len(s)
	}
	return n
}

func TestExternalIDsOfPartsAreFrozen(t *testing.T) {
	t.Parallel()
	const key = "7385398567e5440948530739dbf7953d76d21720d2a9097d2edb98d4295a6c4b"
	for n, want := range map[int]string{0: key, 1: key, 2: "7d6b259ebdfbdaa972d6889089291285ddd27ef4f2b18345180ecf65b089b337"} {
		if got := connector.PartKey(key, n); got != want {
			t.Errorf("part %d: %s, want %s", n, got, want)
		}
	}
}

func TestAnActivityGoesOnInAnotherPart(t *testing.T) {
	t.Parallel()
	text := func(texts ...string) (lines []connector.Line) {
		for _, words := range texts {
			lines = append(lines, connector.Line{Text: words, Author: "Ann"})
		}
		return lines
	}
	const family = "👨‍👩‍👧‍👦" // seven code points, one character
	for name, c := range map[string]struct {
		lines []connector.Line
		held  int
		want  string // parts by |, lines by /, one that goes on begins with …
	}{
		"what fits is one part":                   {text("aaaa", "bbbb"), 0, "aaaa/bbbb"},
		"nothing is one part":                     {nil, 0, ""},
		"it is cut between lines":                 {text("aaaaaaaa", "bbbbbbbb", "cc"), 0, "aaaaaaaa|bbbbbbbb/cc"},
		"a line that is too long is cut":          {text("aaaaaaaaaaaaaaaaaaaaBBBBBBBBBBBBBBBBBBBBcc"), 0, "aaaaaaaaaaaaaaaaaaaa|…BBBBBBBBBBBBBBBBBBBB|…cc"},
		"not inside what is one character":        {text("aaaaaaaaaaaaaaa" + family), 0, "aaaaaaaaaaaaaaa|…" + family},
		"which is cut only if it is a forgery":    {text("e" + strings.Repeat("\u0301", 200)), 0, forged()},
		"what is left over is written, too":       {text("a"), 3, "a||"},
		"and what is more than there was":         {text("aaaaaaaaaaaaaaaaaaaa", "b"), 1, "aaaaaaaaaaaaaaaaaaaa|b"},
		"details go on in the next":               {[]connector.Line{{Text: "aaaaaaaaaa", Details: []connector.Detail{{Text: "123"}, {Text: "456789"}}}}, 0, "aaaaaaaaaa 123|… 456789"},
		"what cannot be cut is left whole":        {[]connector.Line{{Failed: strings.Repeat("x", 40)}}, 0, strings.Repeat("x", 40)},
		"what follows the words comes after them": {[]connector.Line{{Text: "aaaaaaaaaaaaaaa", Failed: "no", Reactions: []string{"+ Ann"}}}, 0, "aaaaaaaaaaaaaaa|…no+ Ann"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := connector.Activity{Key: "k", Lines: c.lines, Parts: c.held}
			var got []string
			for i, part := range a.Split(30, runes) {
				if part.Key != connector.PartKey("k", i+1) || part.Number != i+1 || part.New != (i >= c.held) {
					t.Errorf("part %d is %+v", i+1, part)
				}
				var lines []string
				for _, l := range part.Lines {
					words := l.Text
					if l.Continued {
						words = "…" + words
					}
					for _, d := range l.Details {
						words += " " + d.Text
					}
					lines = append(lines, words+l.Failed+strings.Join(l.Reactions, ","))
				}
				got = append(got, strings.Join(lines, "/"))
			}
			if strings.Join(got, "|") != c.want {
				t.Errorf("got  %q\nwant %q", strings.Join(got, "|"), c.want)
			}
		})
	}
}

// forged returns 201 code points of one character in parts of twenty, and once it is short enough for one in another.
func forged() string {
	all := []rune("e" + strings.Repeat("\u0301", 200))
	parts := []string{string(all[:20]), string(all[20:40]), string(all[40:60]), string(all[60:80]), string(all[80:])}
	return strings.Join(parts, "|…")
}

func FuzzNothingIsLostAndNothingIsSplit(f *testing.F) {
	f.Add("Hello", "👨‍👩‍👧‍👦 and 🇩🇪🇫🇷", 20, 3)
	f.Add("e\u0301e\u0301e\u0301", "\r\n\r\n नमस्ते", 12, 0)
	f.Add("", "각각각", 11, 1)
	f.Fuzz(func(t *testing.T, one, two string, limit, files int) {
		if limit < 0 || limit > 1000 || files < 0 || files > 20 {
			t.Skip()
		}
		lines := []connector.Line{{Text: connector.Clean(one)}, {Text: connector.Clean(two), Failed: "yes", Reactions: []string{"+"}}, {Text: "end"}}
		for range files {
			lines[1].Details = append(lines[1].Details, connector.Detail{Text: "n"})
		}
		a := connector.Activity{Key: "k", Lines: lines}
		parts := a.Split(limit, runes)
		var whole, want strings.Builder
		var tail connector.Line
		at := 0
		cuts := map[int]bool{}
		for _, p := range parts {
			length := 0
			for _, l := range p.Lines {
				whole.WriteString(l.Text)
				cuts[whole.Len()] = true
				length += runes(l)
				tail.Details = append(tail.Details, l.Details...)
				tail.Failed += l.Failed
				tail.Reactions = append(tail.Reactions, l.Reactions...)
			}
			if length > limit && len(p.Lines) > 1 {
				t.Errorf("a part of %d lines has length %d", len(p.Lines), length)
			}
			if len(p.Lines) == 1 && length > limit {
				l := p.Lines[0]
				if uniseg.GraphemeClusterCount(l.Text) > 1 && len(l.Text) <= 256 || l.Text != "" && len(l.Details) > 0 || len(l.Details) > 1 {
					t.Errorf("%+v was not cut", l)
				}
			}
		}
		for _, l := range lines {
			want.WriteString(l.Text)
			state := -1
			for rest := l.Text; rest != ""; {
				var cluster string
				cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
				for i := 1; i < len(cluster) && len(cluster) <= 256; i++ {
					if cuts[at+i] {
						t.Errorf("%q is cut at %d", cluster, i)
					}
				}
				at += len(cluster)
			}
		}
		if whole.String() != want.String() || len(tail.Details) != files || tail.Failed != "yes" || len(tail.Reactions) != 1 {
			t.Errorf("%q became %q; %+v", want.String(), whole.String(), tail)
		}
		if len(parts) != len((&connector.Activity{Key: "k", Lines: lines}).Split(limit, runes)) {
			t.Error("it is no function")
		}
	})
}
