package connector

import (
	"slices"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/receipt"
	"signalbox/shared/session"
)

// Lines returns what a session's record says, in the order of event times: a line a message, with what was done about it since.
func Lines(r session.Record, zone *time.Location) []Line {
	t := transcript{at: map[string]int{}, beside: map[string]int{}, replies: map[int]string{}, reactions: map[int][]reaction{}, tookBack: map[int]string{}}
	for _, entry := range r.Entries {
		if !amends(entry.Event) {
			line := lineOf(entry, zone)
			line.say(entry.Event)
			t.at[entry.Event.ProviderMessageID] = len(t.lines)
			if to := entry.Event.RelatesTo; to != nil && to.Kind == isReply {
				t.replies[len(t.lines)] = to.ProviderMessageID
			}
			t.lines = append(t.lines, line)
		}
	}
	for _, entry := range r.Entries {
		if amends(entry.Event) {
			t.amend(entry, zone)
		}
	}
	t.reply()
	for i, said := range t.tookBack {
		if l := &t.lines[i]; len(t.reactions[i]) == 0 && l.blank() && !l.Withdrawn { // nothing else is left of it
			l.Text = said
		}
	}
	for i, all := range t.reactions {
		for _, put := range all[max(0, len(all)-maxReactions):] {
			t.lines[i].Reactions = append(t.lines[i].Reactions, strings.TrimSpace(put.emoji+" "+put.by))
		}
	}
	slices.SortStableFunc(t.lines, func(a, b Line) int { return a.At.Compare(b.At) })
	return t.lines
}

// maxReactions is how many reactions to a message are shown, the newest.
const maxReactions = 50

// transcript is lines while they are made.
type transcript struct {
	lines     []Line
	at        map[string]int     // where the line of a provider's message is, or of what it was changed to
	beside    map[string]int     // where the line of reactions to a message is that has none
	replies   map[int]string     // where the line of a reply is, and the provider's message that it is to
	reactions map[int][]reaction // by where the line is
	tookBack  map[int]string     // what says which of them was taken off last
}

type reaction struct{ emoji, by string }

// amends reports whether an event is about another message.
func amends(e canonical.Event) bool {
	return e.Type == canonical.TypeEdit || e.Type == canonical.TypeRetract || e.Type == canonical.TypeReaction
}

// lineOf returns a line that says when and who.
func lineOf(entry session.Entry, zone *time.Location) Line {
	e := entry.Event
	return Line{At: e.Timestamp.In(zone), Inbound: e.Direction == canonical.Inbound, Author: Author(e), Ad: adOf(e.Attribution), Failed: receipt.Explain(entry.Reason, entry.Failed)}
}

// adOf returns an advertisement on one line: what it says, what it is, and where.
func adOf(a *canonical.Attribution) string {
	if a == nil {
		return ""
	}
	said := []string{byline(a.Headline), byline(a.SourceType + " " + a.SourceID), Whole(strings.Join(strings.Fields(a.SourceURL), ""), maxAddress)}
	return strings.Join(slices.DeleteFunc(said, func(part string) bool { return part == "" }), ", ")
}

// maxAddress is how long the address of an advertisement is at most; what is longer is left out.
const maxAddress = 2000

// say makes what an event says what the line says.
func (l *Line) say(e canonical.Event) {
	l.Text, l.Details = Clean(wording(e)), Details(e.Message)
	if len(l.Details) > 0 && e.Message.Text == "" {
		l.Text = "" // the summary says no more
	}
}

// blank reports whether a line says nothing.
func (l *Line) blank() bool {
	return l.Text == "" && len(l.Details) == 0
}

// amend does to the line of a message what an event says of it. The events come in the order of their time, so that the newest stands.
func (t *transcript) amend(entry session.Entry, zone *time.Location) {
	e := entry.Event
	at := t.find(entry, zone)
	line := &t.lines[at]
	switch {
	case e.Type == canonical.TypeReaction:
		t.react(at, e)
	case e.Type == canonical.TypeRetract:
		*line = Line{At: line.At, Inbound: line.Inbound, Author: line.Author, Withdrawn: true}
	case !line.Withdrawn:
		line.say(e)
		line.Edited = true
	}
}

// reply says on the lines of replies which messages they are to.
func (t *transcript) reply() {
	quoted := map[int]Detail{}
	for at, id := range t.replies {
		to := earlier()
		if about, shown := t.at[id]; shown && id != "" {
			to.Text = quote(t.lines[about])
		}
		quoted[at] = to
	}
	for at, to := range quoted {
		if !t.lines[at].Withdrawn {
			t.lines[at].Details = append([]Detail{to}, t.lines[at].Details...)
		}
	}
}

// quote returns a line in a few words.
func quote(l Line) string {
	switch {
	case l.Withdrawn:
		return "a message that was withdrawn"
	case l.Text == "" && len(l.Details) > 0:
		l.Text = join(": ", l.Details[0].Label, l.Details[0].Text)
	}
	return join(": ", l.At.Format("15:04")+" "+l.Author, byline(l.Text))
}

// find returns where the line is that an event is about, which may be a new one. Reactions to a message that is not here have a line of
// their own: its author is not theirs.
func (t *transcript) find(entry session.Entry, zone *time.Location) int {
	e, id := entry.Event, ""
	if e.RelatesTo != nil {
		id = e.RelatesTo.ProviderMessageID
	}
	lines := t.at
	_, held := t.at[id]
	if _, begun := t.beside[id]; e.Type == canonical.TypeReaction && (begun || !held) {
		lines = t.beside
	}
	if at, held := lines[id]; held && id != "" {
		return at
	}
	t.lines = append(t.lines, lineOf(entry, zone))
	lines[id] = len(t.lines) - 1
	return lines[id]
}

// react puts a reaction on a line, or takes it off: without an emoji all of its author's.
func (t *transcript) react(at int, e canonical.Event) {
	if e.Reaction == nil {
		return
	}
	put := reaction{byline(e.Reaction.Emoji), Author(e)}
	off := put.emoji
	t.reactions[at] = slices.DeleteFunc(t.reactions[at], func(r reaction) bool {
		is := r == put || e.Reaction.Removed && put.emoji == "" && r.by == put.by
		if is {
			off = r.emoji
		}
		return is
	})
	if e.Reaction.Removed {
		t.tookBack[at] = tookBack(off)
	}
	if !e.Reaction.Removed && put.emoji != "" {
		t.reactions[at] = append(t.reactions[at], put)
	}
}
