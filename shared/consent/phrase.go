package consent

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxPhrase bounds, in bytes, what is searched for an opt-out in plain words.
const maxPhrase = 1600

// Phrase reports whether a message asks in plain words to be left alone, as a reasonable person would understand it (47 CFR
// 64.1200(a)(10), since 2025-04-11). It is narrow, for nobody tells us that they were wrongly taken for opted out: a whole clause has
// to be a phrase of the list, with nothing but courtesies before and behind it. What is quoted, joked or tied to a condition is talk.
func Phrase(text string) bool {
	if len(text) > maxPhrase || !utf8.ValidString(text) || strings.ContainsAny(text, "\"“”„«»") {
		return false
	}
	folded := fold(text)
	clauses := strings.Split(folded, "\n")
	asked, whole, other := false, false, false
	for _, clause := range clauses {
		words := strings.Fields(clause)
		switch {
		case len(words) == 0, listed("beside", strings.Join(words, " ")):
		case within("phrase", words):
			asked = true
		case within("whole", words):
			whole = true
		default:
			other = other || !courtesy(words)
		}
	}
	return (asked || whole && !other && !strings.ContainsAny(text, "?？؟")) && !isTalk(clauses)
}

// fold returns the words of a text, small and without accents, a clause a line.
func fold(text string) string {
	var out strings.Builder
	for _, r := range norm.NFKD.String(text) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), spells(r):
			out.WriteRune(unicode.ToLower(r))
		case r == '\'' || r == '’' || r == '‘' || r == '`' || unicode.In(r, unicode.M, unicode.Cf):
		case strings.ContainsRune(".,;:!?()\n\r…¡¿。！？，、；：", r):
			out.WriteByte('\n')
		default:
			out.WriteByte(' ')
		}
	}
	return norm.NFC.String(out.String())
}

// within reports whether words are an entry of a section, with or without courtesies before and behind it, and before a phrase what makes
// a request of it: "stop" alone is none behind "I want to".
func within(name string, words []string) bool {
	entries := section(name)
	for {
		for end := len(words); end > 0; end-- {
			if strings.Contains(entries, "\n"+strings.Join(words[:end], " ")+"\n") {
				return true
			}
			if !listed("closer", words[end-1]) {
				break
			}
		}
		if len(words) < 2 || !listed("polite", words[0]) && (name != "phrase" || !listed("opener", words[0])) {
			return false
		}
		words = words[1:]
	}
}

func courtesy(words []string) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !listed("polite", word) && !listed("closer", word) })
}

// isTalk reports whether anything in a message takes back what a clause of it says.
func isTalk(clauses []string) bool {
	all := " " + strings.Join(strings.Fields(strings.Join(clauses, " ")), " ") + " "
	for entry := range strings.Lines(section("talk")) {
		if entry = strings.TrimSpace(entry); entry != "" && strings.Contains(all, " "+entry+" ") {
			return true
		}
	}
	return false
}
