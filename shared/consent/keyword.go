// Package consent is whether a person may be messaged on a channel: the keywords that change it, and the record that holds
// it. The record's number is the time of the event that set it, so that an older event, however late it comes, never changes
// what a newer one said. Whoever sends reads the record; copies elsewhere are only hints.
package consent

import (
	"strings"

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

// longestKeyword is UNSUBSCRIBE. What is longer is not looked at.
const longestKeyword = 11

// Keyword answers what the whole of a message asks for: stop, start, help, or "" for any other text. The words are those
// that Twilio handles for long codes by default, without regard to case and surrounding blanks. A keyword within a sentence
// is not one. See https://help.twilio.com/articles/223134027.
func Keyword(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > longestKeyword {
		return ""
	}
	ascii := func(r rune) rune { // other letters fold to these too
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}
	switch strings.Map(ascii, text) {
	case "STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT":
		return Stop
	case "START", "YES", "UNSTOP":
		return Start
	case "HELP", "INFO":
		return Help
	default:
		return ""
	}
}

// Recognise answers what a person asked for with an event, nil for nothing. The provider's word goes first: it may know
// words of its own. Otherwise the whole text of an inbound message counts.
func Recognise(e *canonical.Event) *canonical.Consent {
	if e.Direction != canonical.Inbound {
		return nil
	}
	if e.Consent != nil {
		return e.Consent
	}
	if e.Type != canonical.TypeMessage || e.Message == nil || len(e.Message.Attachments) > 0 {
		return nil
	}
	switch keyword := Keyword(e.Message.Text); keyword {
	case Stop:
		return &canonical.Consent{Keyword: keyword, State: OptedOut, Source: SourceKeyword}
	case Start:
		return &canonical.Consent{Keyword: keyword, State: OptedIn, Source: SourceKeyword}
	case Help:
		return &canonical.Consent{Keyword: keyword, Source: SourceKeyword}
	default:
		return nil
	}
}
