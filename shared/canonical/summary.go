package canonical

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// SummaryLength is how long a summary is at most, in characters.
const SummaryLength = 120

// Summarize returns one line that says what a message is, for the subject of a record. It is never empty and, by the first of
// these that the message has:
//
//	text                 its words on one line, shortened with "…"
//	a button tapped      [button: Track parcel], by its text, else its payload
//	a choice made        [choice: Large, in red], by the same, of a list or a picker
//	a form filled in     [form: colour: red, size: L], by its fields in the order of their names, else by the same as a button
//	attachments          [image], [video], [audio], [contact], [attachment]; several are [2 attachments]
//	a location           [location: its label], else its address, else [location]
//	contacts             [contact: Bo Example], else the organization, a phone or an address; several are [2 contacts]
//	an order             [order: 3 items, 42.00 EUR], else its id
//	a card               [card: its title], else its text; several are [carousel: their titles]
//	a list               [list: what it asks], else the label of its button, else its rows
//	a template           [template: its id]
//	suggestions          [suggestions: Yes, No]
//	nothing, encrypted   [encrypted message, read on the device]
//	nothing, unsupported [unsupported: what the provider calls it]
//	nothing              [empty message]
func Summarize(m Message) string {
	if text := oneLine(m.Text); text != "" {
		return shorten(text, SummaryLength)
	}
	switch {
	case m.Postback != nil:
		return summarizePostback(m.Postback)
	case len(m.Attachments) == 1:
		return "[" + attachmentKind(m.Attachments[0].ContentType) + "]"
	case len(m.Attachments) > 1:
		return "[" + strconv.Itoa(len(m.Attachments)) + " attachments]"
	case m.Location != nil:
		return label("location", m.Location.Label, m.Location.Address)
	case len(m.Contacts) == 1:
		c := m.Contacts[0]
		return label("contact", slices.Concat([]string{c.Name, c.Organization}, c.Phones, c.Emails)...)
	case len(m.Contacts) > 1:
		return "[" + strconv.Itoa(len(m.Contacts)) + " contacts]"
	case m.Order != nil:
		return summarizeOrder(m.Order)
	case len(m.Cards) == 1:
		return label("card", m.Cards[0].Title, m.Cards[0].Text)
	case len(m.Cards) > 1:
		return label("carousel", listed(m.Cards, func(c Card) string { return cmp.Or(c.Title, c.Text) }))
	case m.List != nil:
		return label("list", m.List.Title, m.List.Button, listed(m.List.Items, func(i Item) string { return i.Title }))
	case m.Template != nil:
		return label("template", m.Template.ID)
	case len(m.Suggestions) > 0:
		return label("suggestions", listed(m.Suggestions, func(s Suggestion) string { return s.Text }))
	case m.ContentType == ContentEncrypted:
		return "[encrypted message, read on the device]"
	case m.ContentType == ContentUnsupported:
		return label("unsupported", m.Kind)
	default:
		return "[empty message]"
	}
}

func summarizePostback(p *Postback) string {
	switch p.Kind {
	case PostbackForm:
		names := slices.Sorted(maps.Keys(p.Fields))
		return label("form", listed(names, func(name string) string { return name + ": " + p.Fields[name] }), p.Text, p.Payload)
	case PostbackList, PostbackPicker:
		return label("choice", p.Text, p.Payload)
	default:
		return label("button", p.Text, p.Payload)
	}
}

func summarizeOrder(o *Order) string {
	var count int64
	for _, item := range o.Items {
		count += max(item.Quantity, 1)
	}
	var parts []string
	switch {
	case count == 1:
		parts = append(parts, "1 item")
	case count > 1:
		parts = append(parts, strconv.FormatInt(count, 10)+" items")
	}
	if o.Total != "" {
		parts = append(parts, strings.TrimSpace(o.Total+" "+o.Currency))
	}
	return label("order", strings.Join(parts, ", "), o.ID)
}

// listed joins what those of some are called that have a name.
func listed[T any](some []T, called func(T) string) string {
	all := make([]string, 0, len(some))
	for _, one := range some {
		if name := called(one); name != "" {
			all = append(all, name)
		}
	}
	return strings.Join(all, ", ")
}

// label returns [kind: text] with the first text that is not blank.
func label(kind string, texts ...string) string {
	for _, text := range texts {
		if line := oneLine(text); line != "" {
			return "[" + kind + ": " + shorten(line, SummaryLength-len(kind)-len("[: ]")) + "]"
		}
	}
	return "[" + kind + "]"
}

// attachmentKind returns what a person would call a file of a MIME type.
func attachmentKind(contentType string) string {
	kind, sub, _ := strings.Cut(strings.ToLower(contentType), "/")
	switch kind {
	case "image", "video", "audio":
		return kind
	case "text":
		if strings.HasPrefix(sub, "vcard") || strings.HasPrefix(sub, "x-vcard") || strings.HasPrefix(sub, "directory") {
			return "contact"
		}
	}
	return "attachment"
}

// oneLine joins the words of s by single spaces and drops control characters, also those that turn the direction of what
// follows the summary.
func oneLine(s string) string {
	const most = 16 * SummaryLength // bytes: enough to fill a summary, however the characters are made
	if plain(s) {
		return s
	}
	var b strings.Builder
	gap := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			gap = b.Len() > 0
			continue
		case unicode.IsControl(r), isDirection(r):
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteRune(r)
		if b.Len() > most {
			break
		}
	}
	return b.String()
}

// plain reports whether s is short printable ASCII with single spaces between words, as most messages are.
func plain(s string) bool {
	if len(s) > SummaryLength {
		return false
	}
	space := true // one at the beginning counts as double
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && space {
			return false
		}
		space = s[i] == ' '
	}
	return !space
}

// isDirection reports whether r is a formatting character for bidirectional text.
func isDirection(r rune) bool {
	return r == '\u200e' || r == '\u200f' || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

// shorten cuts s to at most most characters, the last of which is then "…": at a space if there is one near, otherwise between
// two characters as a reader sees them (an emoji of several code points, a letter with its accents), otherwise, in text made
// to have no such place, anywhere.
func shorten(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	const near = 24
	cut := most - 1
	for i := cut; i > cut-near && i > 0; i-- {
		if runes[i] == ' ' && !joined(runes, i+1) {
			return string(runes[:i]) + "…"
		}
	}
	for i := cut; i > cut-near && i > 0; i-- {
		if !joined(runes, i) {
			return strings.TrimRight(string(runes[:i]), " ") + "…"
		}
	}
	return string(runes[:cut]) + "…"
}

// joined reports whether the characters before and at i are seen as one. It covers what messages hold of Unicode's rules for
// grapheme clusters (UAX 29): marks, joiners, emoji modifiers, tags and flags.
func joined(runes []rune, i int) bool {
	const joiner = '\u200d'
	before, at := runes[i-1], runes[i]
	switch {
	case before == joiner, at == joiner, unicode.Is(unicode.M, at):
		return true
	case '\U0001f3fb' <= at && at <= '\U0001f3ff', '\U000e0020' <= at && at <= '\U000e007f':
		return true
	case isRegional(at):
		n := 0
		for j := i - 1; j >= 0 && isRegional(runes[j]); j-- {
			n++
		}
		return n%2 == 1
	case isJamo(before) && isJamo(at):
		return true
	}
	return false
}

// isRegional reports whether r is half of a flag.
func isRegional(r rune) bool { return '\U0001f1e6' <= r && r <= '\U0001f1ff' }

// isJamo reports whether r is a part of a Hangul syllable.
func isJamo(r rune) bool { return '\u1100' <= r && r <= '\u11ff' }
