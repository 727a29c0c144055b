package connector

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/canonical"
)

// SessionSubject returns what a part of a session is called: one is told from another by it in a list of them.
func SessionSubject(a *Activity, p Part) string {
	subject := ChannelLabel(a.Channel) + " conversation of " + a.Start.In(a.Zone).Format(time.DateOnly)
	if a.Late {
		subject += ", late"
	}
	if p.Number > 1 {
		subject += ", part " + strconv.Itoa(p.Number)
	}
	return subject
}

// MessageSubject returns what a message that is shown by itself is called: which way it went, and what it says, on one line.
func MessageSubject(e canonical.Event) string {
	direction := " in: "
	if e.Direction == canonical.Outbound {
		direction = " out: "
	}
	return strings.TrimSuffix(ChannelLabel(e.Channel)+direction+strings.Join(strings.Fields(Said(e)), " "), ": ")
}

// Transcript returns the text of a part in at most limit characters, for a field without mark-up. No line of what somebody wrote begins as
// ours do, so that nobody puts words into another's mouth.
func Transcript(a *Activity, p Part, limit int) string {
	var out strings.Builder
	out.WriteString(ChannelLabel(a.Channel) + ", " + a.Start.In(a.Zone).Format("Mon 2006-01-02") + ", " + a.Zone.String())
	if a.Late {
		out.WriteString("\nThis came after the activity that it belongs to was closed.")
	}
	if p.Number > 1 {
		out.WriteString("\nPart " + strconv.Itoa(p.Number))
	}
	if len(p.Lines) == 0 {
		out.WriteString("\nNothing is left here.")
	}
	for _, l := range p.Lines {
		out.WriteString(PlainLine(l, a.Start))
	}
	return Cut(out.String(), limit)
}

// breaks are the ends of lines, as people see them.
var breaks = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

// PlainLine returns a line of an activity that began at a time: when, which way and who, and below it what belongs to it.
func PlainLine(l Line, began time.Time) string {
	said := breaks.ReplaceAllLiteralString(l.Text, "\n    ") // to the right of where ours begin
	var out strings.Builder
	if l.Continued {
		out.WriteString("\n    " + said)
	} else {
		clock := "15:04"
		if l.At.Format(time.DateOnly) != began.In(l.At.Location()).Format(time.DateOnly) {
			clock = "2006-01-02 15:04"
		}
		out.WriteString("\n" + l.At.Format(clock) + map[bool]string{true: " [in] ", false: " [out] "}[l.Inbound] + l.Author)
		switch {
		case l.Withdrawn:
			said = "(withdrawn)"
		case l.Edited:
			out.WriteString(" (edited)")
		}
		out.WriteString(strings.TrimSuffix(": "+said, " "))
	}
	below := func(label, text string) {
		if text = strings.Join(strings.Fields(Clean(text)), " "); text != "" {
			out.WriteString("\n  - " + label + text)
		}
	}
	below("came by: ", l.Ad)
	for _, d := range l.Details {
		out.WriteString("\n  " + plainDetail(d))
	}
	below("reactions: ", strings.Join(l.Reactions, ", "))
	below("not delivered: ", l.Failed)
	return out.String()
}

// PlainText returns what was said in an event, with who said it where that was one of us, and below it what came with it, as much as fits in
// limit characters.
func PlainText(e canonical.Event, limit int) string {
	said := Said(e)
	if by := Author(e); e.Direction == canonical.Outbound && by != Us {
		said = by + ":\n" + said
	}
	after := ""
	for _, d := range Below(e) {
		line := "\n" + plainDetail(d)
		if Length(after)+Length(line) > limit*3/4 {
			break // of absurd length: the words matter more
		}
		after += line
	}
	return Cut(said, limit-Length(after)) + after
}

// plainDetail returns what is below the words of a message, on one line.
func plainDetail(d Detail) string {
	label := d.Label
	if label != "" {
		label += ": "
	}
	text := strings.Join(strings.Fields(label+d.Text+" "+Cut(d.URL, 2000)), " ")
	return "- " + text
}
