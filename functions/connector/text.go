package connector

import (
	"cmp"
	"strings"
	"time"
	"unicode/utf16"

	"signalbox/shared/canonical"
)

// MessageKey returns the external id of an event's record in every CRM. A provider that names no message leaves the event's
// own id.
func MessageKey(e canonical.Event) string {
	id := e.ProviderMessageID
	if id == "" {
		id = "event:" + string(e.EventID)
	}
	return canonical.MessageKey(e.TenantID, e.Provider, e.AccountID, id)
}

// Said returns what was said in an event, in plain text: the words, and of a message that has none its summary, which is what
// the router calls it, too. What is about another message says so.
func Said(e canonical.Event) string {
	switch {
	case e.Type == canonical.TypeEdit && e.Message != nil:
		return "Edited: " + wording(e)
	case e.Type == canonical.TypeRetract:
		return "Deleted a message"
	case e.Reaction != nil && e.Reaction.Removed:
		return tookBack(e.Reaction.Emoji)
	case e.Reaction != nil:
		return "Reacted with " + e.Reaction.Emoji
	default:
		return wording(e)
	}
}

// tookBack returns what is said of a reaction that was taken back. Some providers do not tell which it was.
func tookBack(emoji string) string {
	return "Took back " + cmp.Or(strings.TrimSpace(emoji), "a reaction")
}

// wording returns an event's own words.
func wording(e canonical.Event) string {
	switch {
	case e.Message != nil:
		return cmp.Or(e.Message.Text, e.Message.Summary)
	case e.Consent != nil:
		return e.Consent.Keyword
	default:
		return ""
	}
}

// Author returns who sent an event, on one line for people to read: the customer's name or address, "Ann (agent)", "automatic, by" and
// the program, or Us where nobody says who. Of what is neither from nor to the customer it returns "".
func Author(e canonical.Event) string {
	var actor canonical.Actor
	if e.Actor != nil {
		actor = *e.Actor
	}
	automatic := e.Flags.AutoReply || actor.Kind == "automation"
	name, via := byline(e.Sender.DisplayName), byline(actor.Via)
	switch {
	case e.Direction == canonical.Inbound:
		name = cmp.Or(name, byline(cmp.Or(e.Sender.Phone, e.Sender.ChannelAddress, strings.TrimPrefix(e.Sender.ID, string(e.Channel)+":"))), "customer")
		if automatic {
			name += " (automatic)"
		}
		return name
	case e.Direction != canonical.Outbound:
		return ""
	case automatic && via == "":
		return "automatic"
	case automatic:
		return "automatic, by " + via
	case actor.Kind != "agent":
		return cmp.Or(name, via, Us)
	case name == "" && via == "":
		return "agent"
	case name == "" || via == "" || name == via:
		return cmp.Or(name, via) + " (agent)"
	default:
		return name + " (agent, by " + via + ")"
	}
}

// Us is whoever of ours sent something, as far as is known.
const Us = "us"

// byline returns a name in one line of at most 80 characters.
func byline(name string) string { return oneLine(name, 80) }

// oneLine returns text in one line of at most limit characters, none of which turns the direction of what follows.
func oneLine(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if isDirection(r) {
			return -1
		}
		return r
	}, Clean(text))
	return Cut(strings.Join(strings.Fields(text), " "), limit)
}

// isDirection reports whether r opens or closes a run of text of another direction.
func isDirection(r rune) bool {
	return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

// Instant returns a time as CRMs read it, to the millisecond.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Clean makes text valid UTF-8 without control characters but tabs and line breaks, and without those that make characters read backwards.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f || r == '\u202d' || r == '\u202e' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// Length returns how many characters CRMs count in text: those outside the basic plane, as most emoji are, are two.
func Length(text string) (n int) {
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// Cut returns at most limit characters of text, cleaned.
func Cut(text string, limit int) string {
	text = Clean(text)
	if Length(text) <= limit {
		return text
	}
	left := limit - 1
	for at, r := range text {
		if left -= utf16.RuneLen(r); left < 0 {
			return text[:at] + "…"
		}
	}
	return text
}

// Whole returns text, cleaned, and "" if it is longer than limit characters: what is left of an id or an address is none.
func Whole(text string, limit int) string {
	if text = Clean(text); Length(text) > limit {
		return ""
	}
	return text
}

// ChannelLabel returns a channel's name for people.
func ChannelLabel(c canonical.Channel) string {
	switch c {
	case canonical.RCS:
		return "RCS"
	case canonical.IMessage:
		return "iMessage"
	case canonical.SMS:
		return "SMS"
	case canonical.WhatsApp:
		return "WhatsApp"
	case canonical.Web:
		return "Web chat"
	default:
		return string(c)
	}
}

// remembered is how long an earlier delivery of an event is sure to be known by its claim. Claims are kept somewhat longer.
const remembered = 30 * 24 * time.Hour

// Forgotten reports whether an event is so old that it may have been carried out under a claim that is gone.
func Forgotten(e canonical.Event) bool {
	since := e.ReceivedAt
	if since.IsZero() {
		since = e.Timestamp
	}
	return time.Since(since) > remembered
}
