package calendar_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata" // the machine may have no zones

	"signalbox/shared/calendar"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	week := []string{"mon", "tue", "wed", "thu", "fri"}
	office := []calendar.Span{{Days: week, From: "09:00", To: "17:30"}}
	night := []calendar.Span{{Days: []string{"fri", "sat"}, From: "22:00", To: "06:00"}}
	split := []calendar.Span{{Days: week, From: "09:00", To: "12:00"}, {Days: week, From: "13:00", To: "24:00"}}
	early := []calendar.Span{{Days: []string{"sun"}, From: "01:00", To: "03:00"}}
	tests := map[string]struct {
		zone     string
		spans    []calendar.Span
		holidays []string
		at       string // RFC 3339
		want     bool
	}{
		"without hours it is always open":              {"Europe/Berlin", nil, nil, "2026-11-29T03:00:00Z", true},
		"but on a holiday":                             {"Europe/Berlin", nil, []string{"2026-12-25"}, "2026-12-25T12:00:00Z", false},
		"a holiday begins at midnight of the zone":     {"Europe/Berlin", nil, []string{"2026-12-25"}, "2026-12-24T23:00:00Z", false},
		"and ends there":                               {"Europe/Berlin", nil, []string{"2026-12-25"}, "2026-12-25T23:00:00Z", true},
		"the first minute":                             {"America/New_York", office, nil, "2026-11-27T14:00:00Z", true},
		"the last second before it":                    {"America/New_York", office, nil, "2026-11-27T13:59:59Z", false},
		"the last second":                              {"America/New_York", office, nil, "2026-11-27T22:29:59Z", true},
		"the first minute after it":                    {"America/New_York", office, nil, "2026-11-27T22:30:00Z", false},
		"a Saturday":                                   {"America/New_York", office, nil, "2026-11-28T15:00:00Z", false},
		"a Saturday here is a Friday there":            {"Pacific/Honolulu", office, nil, "2026-11-28T02:00:00Z", true},
		"in summer the same hour is another instant":   {"America/New_York", office, nil, "2026-07-24T13:00:00Z", true},
		"and that of winter is not yet the end":        {"America/New_York", office, nil, "2026-07-24T21:30:00Z", false},
		"the Monday after the clock went forward":      {"America/New_York", office, nil, "2026-03-09T13:00:00Z", true},
		"the Friday before it did":                     {"America/New_York", office, nil, "2026-03-06T13:00:00Z", false},
		"the hour before the one left out":             {"America/New_York", early, nil, "2026-03-08T06:59:00Z", true},
		"after the hour left out it is three":          {"America/New_York", early, nil, "2026-03-08T07:00:00Z", false},
		"an hour that comes twice, first":              {"America/New_York", early, nil, "2026-11-01T05:30:00Z", true},
		"an hour that comes twice, again":              {"America/New_York", early, nil, "2026-11-01T06:30:00Z", true},
		"two after it":                                 {"America/New_York", early, nil, "2026-11-01T07:30:00Z", true},
		"three after it":                               {"America/New_York", early, nil, "2026-11-01T08:00:00Z", false},
		"a night before midnight":                      {"UTC", night, nil, "2026-11-27T23:00:00Z", true},
		"a night after midnight":                       {"UTC", night, nil, "2026-11-28T05:59:00Z", true},
		"its end":                                      {"UTC", night, nil, "2026-11-28T06:00:00Z", false},
		"the night of a day that is none of them":      {"UTC", night, nil, "2026-11-27T05:00:00Z", false},
		"the last of several nights":                   {"UTC", night, nil, "2026-11-29T05:00:00Z", true},
		"a night that begins on a holiday":             {"UTC", night, []string{"2026-11-27"}, "2026-11-28T05:00:00Z", false},
		"a night that ends on one":                     {"UTC", night, []string{"2026-11-28"}, "2026-11-28T05:00:00Z", true},
		"a night over the change of the clock":         {"America/New_York", night, nil, "2026-03-08T09:59:00Z", true},
		"and its end, an hour sooner":                  {"America/New_York", night, nil, "2026-03-08T10:00:00Z", false},
		"lunch":                                        {"UTC", split, nil, "2026-11-27T12:30:00Z", false},
		"the end of a day":                             {"UTC", split, nil, "2026-11-27T23:59:59Z", true},
		"the beginning of the next":                    {"UTC", split, nil, "2026-11-27T00:00:00Z", false},
		"a zone of half an hour":                       {"Asia/Kolkata", office, nil, "2026-11-27T03:30:00Z", true},
		"a zone whose clocks go forward at midnight":   {"America/Havana", []calendar.Span{{Days: []string{"sat"}, From: "23:00", To: "02:00"}}, nil, "2026-03-08T05:30:00Z", true},
		"the day that a zone left out of its calendar": {"Pacific/Apia", []calendar.Span{{Days: []string{"sat"}, From: "09:00", To: "17:00"}}, nil, "2011-12-30T20:00:00Z", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			c := calendar.Calendar{Zone: zone, Spans: tt.spans, Holidays: tt.holidays}
			if got := c.Open(at); got != tt.want {
				t.Errorf("at %s: %t", at.In(zone), got)
			}
		})
	}
	if !(calendar.Calendar{}).Open(time.Now()) {
		t.Error("the zero value is closed")
	}
}

func TestAfter(t *testing.T) {
	t.Parallel()
	week := []string{"mon", "tue", "wed", "thu", "fri"}
	office := []calendar.Span{{Days: week, From: "09:00", To: "17:30"}}
	night := []calendar.Span{{Days: []string{"sat"}, From: "22:00", To: "06:00"}}
	tests := map[string]struct {
		zone     string
		spans    []calendar.Span
		holidays []string
		since    string // RFC 3339
		open     time.Duration
		want     string // RFC 3339, "" for never
	}{
		"it is always open":                          {"UTC", nil, nil, "2026-11-27T23:50:00Z", 30 * time.Minute, "2026-11-28T00:20:00Z"},
		"in the middle of a day":                     {"UTC", office, nil, "2026-11-27T10:00:30Z", 30 * time.Minute, "2026-11-27T10:30:30Z"},
		"to the last minute":                         {"UTC", office, nil, "2026-11-27T17:00:00Z", 30 * time.Minute, "2026-11-27T17:30:00Z"},
		"over a weekend":                             {"UTC", office, nil, "2026-11-27T17:20:00Z", 30 * time.Minute, "2026-11-30T09:20:00Z"},
		"what comes at night begins in the morning":  {"America/New_York", office, nil, "2026-11-26T02:00:00Z", 30 * time.Minute, "2026-11-26T14:30:00Z"},
		"over a holiday":                             {"UTC", office, []string{"2026-11-30", "2026-12-01"}, "2026-11-28T12:00:00Z", time.Hour, "2026-12-02T10:00:00Z"},
		"more than a day of work":                    {"UTC", office, nil, "2026-11-23T09:00:00Z", 10 * time.Hour, "2026-11-24T10:30:00Z"},
		"a night whose hour comes twice":             {"America/New_York", []calendar.Span{{Days: []string{"sat"}, From: "22:00", To: "01:30"}}, nil, "2026-11-01T02:00:00Z", 4 * time.Hour, "2026-11-01T06:30:00Z"},
		"a night that is an hour shorter":            {"America/New_York", night, nil, "2026-03-08T03:00:00Z", 7*time.Hour + time.Minute, "2026-03-15T02:01:00Z"},
		"all days are holidays, but there is an end": {"UTC", nil, []string{"2026-11-27"}, "2026-11-27T10:00:00Z", time.Minute, "2026-11-28T00:01:00Z"},
		"it never opens":                             {"UTC", []calendar.Span{{From: "09:00", To: "17:00"}}, nil, "2026-11-27T10:00:00Z", time.Minute, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			since, err := time.Parse(time.RFC3339, tt.since)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := calendar.Calendar{Zone: zone, Spans: tt.spans, Holidays: tt.holidays}.After(since, tt.open)
			if ok != (tt.want != "") || ok && got.UTC().Format(time.RFC3339) != tt.want {
				t.Errorf("%s %t, want %s", got.UTC().Format(time.RFC3339), ok, tt.want)
			}
		})
	}
}

// TestAfterIsWhatAClockWouldCount, minute by minute, over changes of the clock.
func TestAfterIsWhatAClockWouldCount(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	days := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	clock := func() string { return fmt.Sprintf("%02d:%02d", random.IntN(24), random.IntN(60)) }
	for range 300 {
		c := calendar.Calendar{Holidays: []string{"2026-03-10", "2026-11-02"}}
		for range 1 + random.IntN(3) {
			c.Spans = append(c.Spans, calendar.Span{Days: days[random.IntN(3) : 4+random.IntN(4)], From: clock(), To: clock()})
		}
		var err error
		if c.Zone, err = time.LoadLocation([]string{"America/New_York", "Australia/Lord_Howe", "America/Havana", "Europe/Berlin"}[random.IntN(4)]); err != nil {
			t.Fatal(err)
		}
		since := time.Date(2026, []time.Month{3, 4, 10, 11}[random.IntN(4)], 1+random.IntN(28), random.IntN(24), random.IntN(60), 0, 0, time.UTC)
		left := random.IntN(600) + 1
		got, ok := c.After(since, time.Duration(left)*time.Minute)
		want := since
		for ; left > 0; want = want.Add(time.Minute) {
			if c.Open(want) {
				left--
			}
		}
		if !ok || !got.Equal(want) {
			t.Fatalf("%s in %s, %+v: %s %t, want %s", since, c.Zone, c.Spans, got, ok, want)
		}
	}
}
