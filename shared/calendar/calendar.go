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
	at = c.local(at)
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

func (c Calendar) local(at time.Time) time.Time {
	if c.Zone == nil {
		return at.UTC()
	}
	return at.In(c.Zone)
}

// maxDays is how many days After looks ahead.
const maxDays = 400

// After returns the instant by which it has been open for a time since another one. Ok is false if that is more than a year away: it is as
// good as never open.
func (c Calendar) After(since time.Time, open time.Duration) (at time.Time, ok bool) {
	at = since
	for day := range maxDays {
		for _, next := range c.changes(since, day) {
			if !next.After(at) {
				continue
			}
			if c.Open(at) {
				if left := next.Sub(at); open <= left {
					return at.Add(open), true
				}
				open -= next.Sub(at)
			}
			at = next
		}
	}
	return at, false
}

// changes returns, in order, the instants of the nth day from one at which something may open or close, its end among them. Where the
// clock is changed on that day there are some at which nothing does.
func (c Calendar) changes(since time.Time, n int) []time.Time {
	local := c.local(since)
	midnight := time.Date(local.Year(), local.Month(), local.Day()+n, 0, 0, 0, 0, local.Location())
	end := time.Date(local.Year(), local.Month(), local.Day()+n+1, 0, 0, 0, 0, local.Location())
	all := []time.Time{midnight, end}
	if _, change := midnight.ZoneBounds(); !change.IsZero() && change.Before(end) {
		all = append(all, change)
	}
	clocks := []string{"00:00"} // at which a holiday begins or ends
	for _, s := range c.Spans {
		clocks = append(clocks, s.From, s.To)
	}
	year, month, day := midnight.Date()
	for _, clock := range clocks {
		wall, err := time.Parse("15:04", clock)
		if err != nil { // 24:00
			continue
		}
		for _, of := range []time.Time{midnight, end} {
			_, offset := of.Zone()
			all = append(all, time.Date(year, month, day, wall.Hour(), wall.Minute(), -offset, 0, time.UTC))
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}
