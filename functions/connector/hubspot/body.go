package hubspot

import (
	"html"
	"net/url"
	"strings"
	"unicode/utf16"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
)

// maxText is how many characters HubSpot keeps of a body or a text property.
const maxText = 65536

// body returns what the timeline shows, in HTML: where it came from if the communication's type does not tell, who of us sent it, the text or
// the summary, and below it what came with it, files as links. It is at most maxText-reserve characters long, cut in the text and never in a tag.
func body(e canonical.Event, reserve int) string {
	var before, after string
	var said []string
	if channelType(e.Channel) != channelTypeOf(e.Channel) {
		said = append(said, connector.ChannelLabel(e.Channel))
	}
	if by := connector.Author(e); e.Direction == canonical.Outbound && by != connector.Us {
		said = append(said, by)
	}
	if len(said) > 0 {
		before = "<p><em>" + html.EscapeString(strings.Join(said, " · ")) + "</em></p>"
	}
	left := maxText - reserve - connector.Length(before) - len("<p></p>")
	all := connector.Below(e)
	for after = details(all); connector.Length(after) > left*3/4; after = details(all) { // of absurd length: the text matters more
		all = all[:len(all)/2]
	}
	left -= connector.Length(after)
	return before + "<p>" + escape(connector.Said(e), left) + "</p>" + after
}

// details returns what is below the words of a message as a list.
func details(all []connector.Detail) string {
	if len(all) == 0 {
		return ""
	}
	var b strings.Builder
	for _, d := range all {
		b.WriteString("<li>")
		if d.Label != "" {
			b.WriteString("<em>" + escape(d.Label, maxNote) + ":</em> ")
		}
		b.WriteString(link(d.URL, d.Text) + "</li>")
	}
	return "<ul>" + b.String() + "</ul>"
}

// maxLink is how long an address may be for browsers to open it.
const maxLink = 4 << 10

// link returns an anchor, or the label alone when the address is not one a browser should open.
func link(address, label string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(address) > maxLink {
		return escape(label, maxNote)
	}
	return `<a href="` + html.EscapeString(u.String()) + `" rel="noopener noreferrer">` + escape(label, maxNote) + "</a>"
}

// lineBreak is what a line break is in HTML.
const lineBreak = "<br>"

// escape makes text safe inside HTML, with its line breaks, in at most limit characters.
func escape(text string, limit int) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(connector.Clean(text), "\r\n", "\n") {
		piece, n := "", 0
		switch r {
		case '\n', '\r', '\u0085', '\u2028', '\u2029':
			piece = lineBreak
		case '<', '>', '&', '\'', '"':
			piece = html.EscapeString(string(r))
		default:
			n = utf16.RuneLen(r)
		}
		if limit -= n + len(piece); limit < 1 {
			b.WriteString("…")
			break
		}
		if piece == "" {
			b.WriteRune(r)
		}
		b.WriteString(piece)
	}
	return b.String()
}

// The types of communication that HubSpot knows and messaging uses.
const (
	typeSMS      = "SMS"
	typeWhatsApp = "WHATS_APP"
)

// channelTypeOf returns HubSpot's type of communication, or "" for a channel it has none for.
func channelTypeOf(c canonical.Channel) string {
	switch c {
	case canonical.SMS:
		return typeSMS
	case canonical.WhatsApp:
		return typeWhatsApp
	default:
		return ""
	}
}

// channelType returns the type a message is written as. Channels that HubSpot does not know (RCS, iMessage, web chat) become
// SMS rather than notes: one kind of record has one key, so that a receipt finds its message whatever the channel. The true
// channel is in our own property and the body's first line.
func channelType(c canonical.Channel) string {
	if known := channelTypeOf(c); known != "" {
		return known
	}
	return typeSMS
}
