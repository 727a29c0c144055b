package tenant

import (
	"cmp"
	"fmt"
	"time"
)

// TimelineContent is how CRMs show what is said. What a tenant leaves out is DefaultTimeline's; what a line does, its tenant's. Durations
// are as time.ParseDuration reads them.
type TimelineContent struct {
	Granularity   Granularity `json:"granularity,omitempty"`
	Silence       string      `json:"silence,omitempty"`
	Window        string      `json:"window,omitempty"`
	SealAfter     string      `json:"sealAfter,omitempty"`
	Words         Words       `json:"words,omitempty"`
	Conversations *bool       `json:"conversations,omitempty"`
	Close         string      `json:"close,omitempty"`
	Elsewhere     *bool       `json:"elsewhere,omitempty"`
	Files         Files       `json:"files,omitempty"`
	FilesFor      string      `json:"filesFor,omitempty"`
}

// Timeline is how CRMs show what is said on a line.
type Timeline struct {
	Granularity   Granularity
	Silence       time.Duration // of BySession, what ends one
	Window        time.Duration // within which one activity is written once
	SealAfter     time.Duration // after its end, an activity takes nothing more
	Words         Words
	Conversations bool          // how conversations stand is shown, too
	Close         time.Duration // after so long a silence a conversation is closed
	Elsewhere     bool          // CRMs are told of receipts of messages that nobody told of: who sent one may have made its record
	Files         Files
	FilesFor      time.Duration // how long links open files
}

// Granularity is what one activity of a CRM shows.
type Granularity string

// The granularities.
const (
	ByDay     Granularity = "day"     // a conversation's day in the tenant's zone
	BySession Granularity = "session" // what is said without a long silence in between
	ByMessage Granularity = "message" // one message
	BySummary Granularity = "summary" // a day without the words: who, when, and what kind of thing
)

// Words is what CRMs get of the words of messages.
type Words string

// The policies.
const (
	WordsShown  Words = "shown"
	WordsDigest Words = "digest" // how long they are, and a keyed digest of them
)

// Withholds reports whether activities show no words.
func (t Timeline) Withholds() bool { return t.Words == WordsDigest || t.Granularity == BySummary }

// Files is how CRMs get the files of messages.
type Files string

// The policies.
const (
	FilesByLink    Files = "link"    // they are fetched and kept here, and shown by links that end
	FilesInCRM     Files = "crm"     // so, too, and put into the CRM as files where it takes them
	FilesByAddress Files = "address" // they stay where they are, and are shown by the addresses of their providers
)

// DefaultTimeline returns what holds where files say nothing.
func DefaultTimeline() Timeline {
	return Timeline{
		Granularity: ByDay, Silence: 4 * time.Hour, Window: time.Minute, SealAfter: 7 * 24 * time.Hour, Words: WordsShown, Conversations: true,
		Close: 72 * time.Hour, Files: FilesByLink, FilesFor: 30 * 24 * time.Hour,
	}
}

// over returns the timeline t with what c says.
func (c *TimelineContent) over(t Timeline) Timeline {
	if c == nil {
		return t
	}
	t.Granularity, t.Words = cmp.Or(c.Granularity, t.Granularity), cmp.Or(c.Words, t.Words)
	t.Files = cmp.Or(c.Files, t.Files)
	if c.Conversations != nil {
		t.Conversations = *c.Conversations
	}
	if c.Elsewhere != nil {
		t.Elsewhere = *c.Elsewhere
	}
	for _, d := range c.durations(&t) {
		if parsed, err := time.ParseDuration(d.written); err == nil { // it was checked when the file was applied
			*d.value = parsed
		}
	}
	return t
}

// duration is one that a file has.
type duration struct {
	name, written string
	value         *time.Duration
	least, most   time.Duration
}

func (c *TimelineContent) durations(t *Timeline) []duration {
	const day = 24 * time.Hour
	return []duration{
		{"silence", c.Silence, &t.Silence, 5 * time.Minute, 7 * day},
		{"window", c.Window, &t.Window, 0, 15 * time.Minute},
		{"sealAfter", c.SealAfter, &t.SealAfter, day, 60 * day},
		{"close", c.Close, &t.Close, time.Hour, 365 * day},
		{"filesFor", c.FilesFor, &t.FilesFor, time.Hour, 90 * day},
	}
}

// TimelineOf returns how what is said on a line is shown, by the line's id. Of one that is not the tenant's it is the tenant's.
func (t Tenant) TimelineOf(line string) Timeline {
	if l, ok := t.Line(line); ok {
		return l.Timeline
	}
	return t.Timeline
}

// timelines checks the durations of a file's timelines.
func (v *validation) timelines(f File) {
	v.timeline("tenant.timeline", f.Tenant.Timeline)
	for i, l := range f.Lines {
		v.timeline(fmt.Sprintf("lines[%d].timeline", i), l.Timeline)
	}
}

func (v *validation) timeline(path string, c *TimelineContent) {
	if c == nil {
		return
	}
	for _, d := range c.durations(new(Timeline)) {
		if d.written == "" {
			continue
		}
		got, err := time.ParseDuration(d.written)
		v.want(err == nil && d.least <= got && got <= d.most, path+"."+d.name, fmt.Sprintf("is not a duration from %s to %s, such as 90m or 72h", short(d.least), short(d.most)))
	}
}

// short returns a duration as people write it.
func short(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	default:
		return "0s"
	}
}
