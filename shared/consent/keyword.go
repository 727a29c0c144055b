// Package consent is whether a person may be messaged on a channel: the keywords that change it, and the record that holds
// it. The record's number is the time of the event that set it, so that an older event, however late it comes, never changes
// what a newer one said. Whoever sends reads the record; copies elsewhere are only hints.
package consent

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"signalbox/shared/canonical"
)

// The states.
const (
	OptedOut = "opted_out"
	OptedIn  = "opted_in"
)

// The keywords, as canonical.Consent names them.
const (
	Stop  = "stop"
	Start = "start"
	Help  = "help"
)

// The sources of a change.
const (
	SourceProvider = "provider" // the provider said so
	SourceKeyword  = "keyword"  // the whole message was a keyword
)

// Limits of what is looked at.
const (
	maxKeyword = 11  // letters of UNSUBSCRIBE
	maxText    = 128 // bytes: a letter of full width takes three, and there may be invisible characters between
)

// Keyword returns what the whole of a message asks for: Stop, Start, Help, or "" for any other text. A keyword within a sentence
// is none, and so is a question. Stop is recognised however it is written: the words that the law names (47 CFR 64.1200(a)(10)),
// that carriers and messaging providers block on by default, and the French ones, without regard to case, accents, width, spaces,
// punctuation, emoji, circles, numbers in them and what is invisible. Start and Help are what providers take for them, to the letter:
// whoever is wrongly taken for opted in gets messages that nobody asked for.
func Keyword(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxText || !utf8.ValidString(text) {
		return ""
	}
	stops := []string{"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "ARRET", "ARRETE"}
	if slices.Contains(stops, letters(text)) || slices.Contains(stops, letters(strings.Map(unblackened, text))) { // such a letter may be a sign behind the word
		return Stop
	}
	switch strings.Map(capital, text) {
	case "START", "YES", "UNSTOP":
		return Start
	case "HELP", "INFO":
		return Help
	default:
		return ""
	}
}

// capital is unicode.ToUpper for ASCII alone: there are other letters that it makes an S or a K of.
func capital(r rune) rune {
	if 'a' <= r && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}

// letters returns the letters of a text in capitals and compatibility form, without accents and what stands around and between
// them. It returns "" for a text that has anything else in it, that asks a question, or that is longer than any keyword.
func letters(text string) string {
	word := make([]byte, 0, maxKeyword)
	text = norm.NFKD.String(strings.Map(unencircled, text))
	for i, r := range text {
		switch {
		case 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z':
			if len(word) == maxKeyword {
				return ""
			}
			word = append(word, byte(r&^0x20)) //nolint:gosec // it is ASCII
		case r == '?' || r == '\u061f':
			return ""
		case unicode.IsSpace(r), unicode.IsPunct(r), unicode.IsSymbol(r),
			unicode.In(r, unicode.M, unicode.Cf, unicode.Cc, unicode.Other_Default_Ignorable_Code_Point):
		case '0' <= r && r <= '9' && strings.HasPrefix(strings.TrimPrefix(text[i+1:], "\ufe0f"), "\u20e3"): // on a key
		default:
			return ""
		}
	}
	return string(word)
}

// unencircled drops numbers in circles, brackets and the like, which are a decoration. Small ones and fractions, which come before
// all of those, are numbers that somebody means.
func unencircled(r rune) rune {
	if r >= '\u2460' && unicode.Is(unicode.No, r) {
		return -1
	}
	return r
}

// unblackened returns the letter that is drawn white in a black circle or square, which has no compatibility form.
func unblackened(r rune) rune {
	switch {
	case '\U0001f150' <= r && r <= '\U0001f169':
		return r - '\U0001f150' + 'A'
	case '\U0001f170' <= r && r <= '\U0001f189':
		return r - '\U0001f170' + 'A'
	default:
		return r
	}
}

// FromEvent returns what a person asked for with an event, nil for nothing. The provider's word goes first: it may know
// words of its own. Otherwise the whole text of an inbound message counts: Stop in any message, also below a picture or as a reaction,
// Start and Help only in one of words alone. A consent that is an event of itself holds, whatever it came by: with a receipt, a
// provider tells what it was asked for earlier.
func FromEvent(e *canonical.Event) *canonical.Consent {
	if e.Type == canonical.TypeConsent || e.Direction == canonical.Inbound && e.Consent != nil {
		return e.Consent
	}
	if e.Direction != canonical.Inbound || e.Type != canonical.TypeMessage || e.Message == nil {
		return nil
	}
	keyword := Keyword(e.Message.Text)
	if button := e.Message.Postback; button != nil && e.Message.Text == "" && Keyword(button.Text) == Stop {
		keyword = Stop // what stands on a button that was tapped is what the person said
	}
	reaction := e.RelatesTo != nil && e.RelatesTo.Kind == "reaction"
	if keyword != Stop && (len(e.Message.Attachments) > 0 || reaction) {
		return nil
	}
	return Of(keyword, SourceKeyword)
}

// Of returns the consent that a keyword amounts to, nil for what is none.
func Of(keyword, source string) *canonical.Consent {
	c := &canonical.Consent{Keyword: keyword, Source: source}
	switch keyword {
	case Stop:
		c.State = OptedOut
	case Start:
		c.State = OptedIn
	case Help:
	default:
		return nil
	}
	return c
}
