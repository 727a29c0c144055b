package router

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWording is how much of a text, in bytes, is what a phone puts before the words that it quotes, or all of it where it
// quotes none. Emoji made of several are long.
const maxWording = 96

// isReaction reports whether a text is one by which a phone tells a reaction, where the channel has none: `Liked “Shall we talk?”`
// and `Removed a heart from an image` of Apple's, `👍 to “Shall we talk?”` of Google's, in the languages in which others have seen
// them. It is the whole text: whoever adds a word has answered. So has, in doubt, whoever quotes two things.
func isReaction(text string) bool {
	text = strings.TrimFunc(text, invisible)
	at := strings.IndexAny(text[:min(len(text), maxWording)], `“"«„`)
	if at < 0 {
		return len(text) <= maxWording && toMedia(tidy(strings.TrimSuffix(text, ".")))
	}
	wording := tidy(text[:at])
	opening, size := utf8.DecodeRuneInString(text[at:])
	switch wording {
	case "a attribué la mention", "a retiré la mention": // a quote of its own, which names the reaction
		return true
	}
	return isWording(wording) && quotes(text[at+size:], opening)
}

// tidy returns a wording in lower case, with single plain spaces and apostrophes and without invisible characters.
func tidy(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == '’':
			return '\''
		case r != '\u200d' && unicode.Is(unicode.Cf, r): // what joins emoji stays
			return -1
		}
		return unicode.ToLower(r)
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

func invisible(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

// quotes reports whether rest, which follows an opening quotation mark, is a single quotation: it ends with its closing mark, or
// was cut before. A mark that both opens and closes opens where a word begins.
func quotes(rest string, opening rune) bool {
	closing := map[rune]rune{'“': '”', '"': '"', '«': '»', '„': '“'}[opening]
	before := true // a word may begin here
	for depth, i := 1, 0; i < len(rest); {
		r, size := utf8.DecodeRuneInString(rest[i:])
		i += size
		next, _ := utf8.DecodeRuneInString(rest[i:])
		switch {
		case r == opening && (opening != closing || before && i < len(rest) && !unicode.IsSpace(next)):
			depth++
		case r == closing:
			if depth--; depth == 0 {
				return i == len(rest)
			}
			before = false
		default:
			before = unicode.IsSpace(r) || unicode.Is(unicode.Ps, r)
		}
	}
	return true
}

// isWording reports whether a wording is what a phone puts before the words that were reacted to.
func isWording(s string) bool {
	switch s {
	case "liked", "loved", "disliked", "laughed at", "emphasized", "emphasised", "questioned",
		"removed a like from", "removed a heart from", "removed a dislike from", "removed a laugh from", "removed an exclamation from",
		"removed a question mark from", "reacted with a sticker to",
		"le gustó", "le encantó", "no le gustó", "le dio risa", "exclamó por", "dudó sobre",
		"a aimé", "a adoré", "n'a pas aimé", "a ri de", "a souligné", "понравилось":
		return true
	}
	for _, around := range [...][2]string{
		{"", " to"},
		{"reacted ", " to"},
		{"reacted with ", " to"},
		{"removed ", " from"},
		{"reaccionó con ", " a"},
		{"a réagi ", " à"},
		{"a réagi avec ", " à"},
		{"a retiré la réaction ", " à"},
	} {
		rest, before := strings.CutPrefix(s, around[0])
		emoji, behind := strings.CutSuffix(rest, around[1])
		if before && behind && isEmoji(emoji) {
			return true
		}
	}
	return false
}

// toMedia reports whether a text tells a reaction to what has no words to quote.
func toMedia(s string) bool {
	for _, media := range [...]string{
		" an image", " a photo", " a movie", " a video", " an audio message", " an attachment", " a sticker", " una imagen", " una foto",
	} {
		if wording, ok := strings.CutSuffix(s, media); ok {
			return isWording(wording)
		}
	}
	return false
}

// isEmoji reports whether s is one emoji, or the like: no words and nothing that a keyboard of letters has, but for what is on a key.
func isEmoji(s string) bool {
	if key, ok := strings.CutSuffix(s, "\u20e3"); ok {
		key = strings.TrimSuffix(key, "\ufe0f")
		return len(key) == 1 && strings.Contains("0123456789#*", key)
	}
	for _, r := range s {
		if r < utf8.RuneSelf || unicode.IsLetter(r) || unicode.IsSpace(r) {
			return false
		}
	}
	return s != ""
}
