// Package consent is whether something may be sent to an address: the words that change it, the marks that are kept of it, and how
// a tenant reads those. A mark is a fact of one address, channel, line, purpose and time. What holds follows from the marks and from
// nothing else, so that it is the same in whatever order they arrive. Copies elsewhere are only hints.
package consent

import (
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
	SourcePhrase   = "phrase"   // the message asked for it in plain words
	SourceReceipt  = "receipt"  // the provider said so of a message that it did not send
	SourceCRM      = "crm"      // the CRM said so
	SourceImport   = "import"   // an operator brought it from elsewhere
	SourceForm     = "form"     // the person filled in a form
	SourceAgent    = "agent"    // an agent or an operator was told so
)

// Limits of what is looked at.
const (
	maxKeyword = 24  // letters of the longest entry, with room
	maxText    = 128 // bytes: a letter of full width takes three, and there may be invisible characters between
)

// Keyword returns what the whole of a message asks for: Stop, Start, Help, or "" for any other text. A keyword within a sentence
// is none, and so is a question. Stop is recognised however it is written: the words of the list, without regard to case, accents,
// width, spaces, punctuation, emoji, circles, numbers in them and what is invisible. Start and Help are what providers take for them,
// to the letter: whoever is wrongly taken for opted in gets messages that nobody asked for. A yes is none, see IsYes.
func Keyword(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxText || !utf8.ValidString(text) {
		return ""
	}
	if listed("stop", letters(text)) || listed("stop", letters(strings.Map(unblackened, text))) { // such a letter may be a sign behind the word
		return Stop
	}
	switch word := strings.Map(small, text); {
	case listed("start", word):
		return Start
	case listed("help", strings.ToLower(word)):
		return Help
	default:
		return ""
	}
}

// small is unicode.ToLower for ASCII alone: there are other letters that it makes a k of.
func small(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r - 'A' + 'a'
	}
	return r
}

// letters returns the letters of a text, small and in compatibility form, without accents and what stands around and between
// them. It returns "" for a text that has anything else in it, that asks a question, or that is longer than any keyword.
func letters(text string) string {
	var word strings.Builder
	count := 0
	text = norm.NFKD.String(strings.Map(unencircled, text))
	for i, r := range text {
		switch {
		case unicode.IsLetter(r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r), spells(r):
			if count++; count > maxKeyword*3 { // a syllable of Korean is up to three
				return ""
			}
			word.WriteRune(unicode.ToLower(r))
		case r == '?' || r == '\u061f':
			return ""
		case unicode.IsSpace(r), unicode.IsPunct(r), unicode.IsSymbol(r),
			unicode.In(r, unicode.M, unicode.Cf, unicode.Cc, unicode.Other_Default_Ignorable_Code_Point):
		case '0' <= r && r <= '9' && strings.HasPrefix(strings.TrimPrefix(text[i+1:], "\ufe0f"), "\u20e3"): // on a key
		default:
			return ""
		}
	}
	return norm.NFC.String(word.String())
}

// spells reports whether a mark is part of how a word is spelled, and no accent: the vowels of Devanagari, the voice of kana.
func spells(r rune) bool {
	return unicode.Is(unicode.M, r) && (unicode.Is(unicode.Devanagari, r) || r == '\u3099' || r == '\u309a')
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
// Start and Help only in one of words alone. An opt-out in plain words is one, too. A consent that is an event of itself holds, whatever
// it came by: with a receipt, a provider tells what it was asked for earlier. One that names no keyword has that of its state.
func FromEvent(e *canonical.Event) *canonical.Consent {
	if e.Type == canonical.TypeConsent || e.Direction == canonical.Inbound && e.Consent != nil {
		return worded(e.Consent)
	}
	if e.Direction != canonical.Inbound || e.Type != canonical.TypeMessage || e.Message == nil {
		return nil
	}
	keyword := Keyword(e.Message.Text)
	if button := e.Message.Postback; button != nil && e.Message.Text == "" && Keyword(button.Text) == Stop {
		keyword = Stop // what stands on a button that was tapped is what the person said
	}
	switch {
	case keyword == Stop || keyword != "" && plain(e):
		return Of(keyword, SourceKeyword)
	case plain(e) && !e.Flags.AutoReply && Phrase(e.Message.Text):
		return Of(Stop, SourcePhrase)
	default:
		return nil
	}
}

// worded returns a consent with the keyword that its state amounts to, where it has none. Tenants' rules ask for the keyword.
func worded(c *canonical.Consent) *canonical.Consent {
	if c == nil || c.Keyword != "" {
		return c
	}
	with := *c
	switch c.State {
	case OptedOut:
		with.Keyword = Stop
	case OptedIn:
		with.Keyword = Start
	}
	return &with
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

// plain reports whether a message is of words alone.
func plain(e *canonical.Event) bool {
	return len(e.Message.Attachments) == 0 && (e.RelatesTo == nil || e.RelatesTo.Kind != "reaction")
}

// IsYes reports whether an event is a yes and nothing else. It is an opt-in where consent is pending, and talk everywhere else.
func IsYes(e *canonical.Event) bool {
	if e.Type != canonical.TypeMessage || e.Direction != canonical.Inbound || e.Consent != nil || e.Message == nil || !plain(e) {
		return false
	}
	text := strings.TrimSpace(e.Message.Text)
	return len(text) <= maxText && listed("yes", strings.ToLower(strings.Map(small, text)))
}
