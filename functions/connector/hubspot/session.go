package hubspot

import (
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector"
)

// maxSession is how long the body of a session's part becomes: what HubSpot counts is not published, so that not all of it is used.
const maxSession = maxText * 9 / 10

// maxNote bounds what is said beside the words of a message, such as who put which reaction on it.
const maxNote = 2000

// indent is what further lines of somebody's text begin with.
const indent = "&nbsp;&nbsp;&nbsp;&nbsp;"

// parts returns the parts of a session, with room for a header and for reserve characters.
func parts(a *connector.Activity, reserve int) []connector.Part {
	return a.Split(maxSession-reserve-connector.Length(header(a, 1000)), func(l connector.Line) int { return connector.Length(line(a, l)) })
}

// transcript returns the body of a part, in HTML: where and when, then a line a message.
func transcript(a *connector.Activity, part connector.Part) string {
	var b strings.Builder
	b.WriteString(header(a, part.Number))
	for _, l := range part.Lines {
		b.WriteString(line(a, l))
	}
	if len(part.Lines) == 0 {
		b.WriteString("<p><em>empty: what was here is in an earlier part</em></p>")
	}
	return b.String()
}

func header(a *connector.Activity, part int) string {
	said := []string{connector.ChannelLabel(a.Channel), a.Start.In(a.Zone).Format("Monday, 2 January 2006"), a.Zone.String()}
	if a.Late {
		said = append(said, "arrived late")
	}
	if part > 1 {
		said = append(said, "part "+strconv.Itoa(part))
	}
	return "<p><em>" + escape(strings.Join(said, " · "), maxText) + "</em></p>"
}

// line returns a message, in HTML: the time, with the day if it is not the header's, which way it went, who sent it, what it says and what became of it.
func line(a *connector.Activity, l connector.Line) string {
	var b strings.Builder
	b.WriteString("<p>")
	if l.Continued {
		b.WriteString(indent)
	} else {
		b.WriteString("<strong>" + escape(byline(a, l), maxText) + ":</strong> ")
	}
	// What somebody wrote stands to the right of where ours begins, so that nobody puts words into another's mouth.
	b.WriteString(strings.ReplaceAll(escape(l.Text, maxText), lineBreak, lineBreak+indent))
	note := func(name string, values ...string) {
		if len(values) > 0 {
			b.WriteString("<br><em>" + name + escape(strings.Join(values, ", "), maxNote) + "</em>")
		}
	}
	if l.Withdrawn {
		b.WriteString("<em>withdrawn</em>")
	}
	if l.Edited {
		b.WriteString(" <em>(edited)</em>")
	}
	if l.Ad != "" {
		note("came by: ", l.Ad)
	}
	note("reactions: ", l.Reactions...)
	if l.Failed != "" {
		note("not delivered: ", l.Failed)
	}
	return b.String() + "</p>" + details(l.Details)
}

func byline(a *connector.Activity, l connector.Line) string {
	at, start := l.At.In(a.Zone), a.Start.In(a.Zone)
	said := at.Format("15:04")
	if at.Format(time.DateOnly) != start.Format(time.DateOnly) {
		said = at.Format("2 Jan 15:04")
	}
	if l.Inbound {
		said += " received"
	} else {
		said += " sent"
	}
	return strings.TrimSuffix(said+" · "+l.Author, " · ")
}
