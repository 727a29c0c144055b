// Package calendar tells when people are at work: hours of the week in a time zone, and the days on which there are none.
package calendar

import (
	"slices"
	"strings"
	"time"
)

// Span is one stretch of hours on days of the week. From is its first minute and To the first after it, both as "15:04", To also as
// "24:00". One whose To is not after its From ends on the next day.
type Span struct {
	Days []string `json:"days"` // mon, tue and so on
	From string   `json:"from"`
	To   string   `json:"to"`
}

// Calendar is when something is open. Without spans it always is, but for its holidays. The zero value is always open.
type Calendar struct {
	Zone     *time.Location // nil is UTC
	Spans    []Span
	Holidays []string // dates as "2006-01-02": what begins on one of them does not
}

// Open reports whether it is open at an instant: by the clock on the wall, so that an hour that a change of the clock repeats is
// open twice, and one that it leaves out not at all.
func (c Calendar) Open(at time.Time) bool {
	if c.Zone == nil {
		at = at.UTC()
	} else {
		at = at.In(c.Zone)
	}
	if len(c.Spans) == 0 {
		return !c.holiday(at)
	}
	today, clock := at, at.Format("15:04")
	yesterday := time.Date(at.Year(), at.Month(), at.Day()-1, 12, 0, 0, 0, at.Location()) // noon is on every day, midnight is not
	return slices.ContainsFunc(c.Spans, func(s Span) bool {
		overnight := s.To <= s.From
		return c.begins(s, today) && clock >= s.From && (overnight || clock < s.To) ||
			overnight && c.begins(s, yesterday) && clock < s.To
	})
}

// begins reports whether a span begins on a day.
func (c Calendar) begins(s Span, day time.Time) bool {
	return slices.Contains(s.Days, strings.ToLower(day.Weekday().String()[:3])) && !c.holiday(day)
}

func (c Calendar) holiday(day time.Time) bool {
	return slices.Contains(c.Holidays, day.Format(time.DateOnly))
}
