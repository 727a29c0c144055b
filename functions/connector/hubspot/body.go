package hubspot

import (
	"html"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
)

// maxText is how many characters HubSpot keeps of a body or a text property.
const maxText = 65536

// body returns what the timeline shows, in HTML: where it came from if the communication's type does not tell, the text or
// the summary, and the attachments as links. It is at most maxText-reserve characters long, cut in the text and never in a tag.
func body(e canonical.Event, reserve int) string {
	var before, after strings.Builder
	if channelType(e.Channel) != channelTypeOf(e.Channel) {
		before.WriteString("<p><em>" + html.EscapeString(connector.ChannelLabel(e.Channel)) + "</em></p>")
	}
	if e.Message != nil {
		for _, a := range connector.Attached(*e.Message) {
			after.WriteString("<li>" + link(a.URL, a.Name) + "</li>")
		}
		if after.Len() > 0 {
			list := after.String()
			after.Reset()
			after.WriteString("<ul>" + list + "</ul>")
		}
		if place := e.Message.Location; place != nil {
			after.WriteString("<p>" + link(mapURL(place), "Location on a map") + "</p>")
		}
	}
	left := maxText - reserve - utf8.RuneCountInString(before.String()) - utf8.RuneCountInString(after.String()) - len("<p></p>")
	if left < maxText/4 { // links of absurd length: the text matters more
		after.Reset()
		left = maxText - reserve - utf8.RuneCountInString(before.String()) - len("<p></p>")
	}
	return before.String() + "<p>" + escape(connector.Said(e), left) + "</p>" + after.String()
}

// link returns an anchor, or the label alone when the address is not one a browser should open.
func link(address, label string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return escape(label, 300)
	}
	return `<a href="` + html.EscapeString(u.String()) + `" rel="noopener noreferrer">` + escape(label, 300) + "</a>"
}

func mapURL(place *canonical.Location) string {
	at := strconv.FormatFloat(place.Latitude, 'f', 6, 64) + "," + strconv.FormatFloat(place.Longitude, 'f', 6, 64)
	return "https://www.google.com/maps/search/?api=1&query=" + url.QueryEscape(at)
}

// escape makes text safe inside HTML, with its line breaks, in at most limit characters.
func escape(text string, limit int) string {
	var b strings.Builder
	used := 0
	for _, r := range strings.ReplaceAll(connector.Clean(text), "\r\n", "\n") {
		piece := html.EscapeString(string(r))
		if r == '\n' || r == '\r' {
			piece = "<br>"
		}
		n := utf8.RuneCountInString(piece)
		if used+n > limit-1 {
			b.WriteString("…")
			break
		}
		b.WriteString(piece)
		used += n
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
