package canonical

import (
	"strings"
	"time"
)

// instantLayout is how times are written: always UTC, always three decimals, so that equal instants are equal bytes.
const instantLayout = "2006-01-02T15:04:05.000Z"

// The years that can be written. They keep every offset's UTC within four digits.
const (
	firstYear = 1970
	lastYear  = 9999
)

// ParseTime reads RFC 3339 with any offset and up to nine decimals, and keeps the milliseconds. It is stricter than
// time.Parse where that accepts more than the schema does: a comma, more decimals, an offset of a day.
func ParseTime(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || !shaped(s[:19], "0000-00-00T00:00:00") {
		return time.Time{}, false
	}
	zone := s[19:]
	if zone[0] == '.' {
		digits := len(zone[1:]) - len(strings.TrimLeft(zone[1:], "0123456789"))
		if digits < 1 || digits > 9 {
			return time.Time{}, false
		}
		zone = zone[1+digits:]
	}
	if zone != "Z" && (!shaped(zone, "+00:00") || zone[1:3] > "23" || zone[4:] > "59" || edge(s[:10])) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || !writable(t) {
		return time.Time{}, false
	}
	return time.UnixMilli(t.UnixMilli()).UTC(), true
}

// writable reports whether t can be written and read again.
func writable(t time.Time) bool {
	year := t.UTC().Year()
	return firstYear <= year && year <= lastYear
}

// edge reports whether a date is one of those on which an offset can leave the years that can be written.
func edge(date string) bool { return date == "1970-01-01" || date == "9999-12-31" }
