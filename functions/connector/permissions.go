package connector

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// The words of delivery.SetConsent.
const (
	OptedOut = "opted_out"
	OptedIn  = "opted_in"
)

// Permission is what a person told one channel last, at event time.
type Permission struct {
	State string
	At    time.Time
}

// Permissions are a person's, by channel. A CRM keeps them in one field as "sms=opted_out@2026-01-18T14:23:12.000Z;…", because
// the fields people look at cannot tell an old change from a new one: consent is each channel's own, and one date for all
// would let a late START on WhatsApp hide a STOP by SMS.
type Permissions map[string]Permission

// DecodePermissions reads that field. What somebody has edited beyond reading is left out.
func DecodePermissions(held string) Permissions {
	all := make(Permissions)
	for entry := range strings.SplitSeq(held, ";") {
		channel, rest, _ := strings.Cut(strings.TrimSpace(entry), "=")
		state, at, _ := strings.Cut(rest, "@")
		t, err := time.Parse(time.RFC3339, at)
		if err != nil || !channelName(channel) || state != OptedOut && state != OptedIn {
			continue
		}
		all.Apply(channel, Permission{state, t.UTC()})
	}
	return all
}

// channelName reports whether a channel's name can be held: lower-case letters, digits and "_", as everywhere.
func channelName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// Encode returns the field, channels in byte order.
func (p Permissions) Encode() string {
	entries := make([]string, 0, len(p))
	for _, channel := range slices.Sorted(maps.Keys(p)) {
		entries = append(entries, channel+"="+p[channel].State+"@"+Instant(p[channel].At))
	}
	return strings.Join(entries, ";")
}

// Apply takes a change unless a later one is held, and reports whether anything is different now. Of two at one instant the
// opt-out holds.
func (p Permissions) Apply(channel string, change Permission) bool {
	change.At = change.At.Truncate(time.Millisecond) // what the field keeps
	held, ok := p[channel]
	if ok && (change.At.Before(held.At) || change.At.Equal(held.At) && change.State != OptedOut) || held == change {
		return false
	}
	p[channel] = change
	return true
}

// Summary returns what the fields that people look at say: the channels opted out of, and when anything changed last.
func (p Permissions) Summary() (out []string, newest time.Time) {
	for _, channel := range slices.Sorted(maps.Keys(p)) {
		if p[channel].State == OptedOut {
			out = append(out, channel)
		}
		if p[channel].At.After(newest) {
			newest = p[channel].At
		}
	}
	return out, newest
}

// ApplyAll takes a change for each of several channels, and reports whether anything is different now.
func (p Permissions) ApplyAll(channels []string, change Permission) (changed bool) {
	for _, channel := range channels {
		changed = p.Apply(channel, change) || changed
	}
	return changed
}

// PermissionOf reads the values of a delivery.SetConsent; ok is false when they make no sense.
func PermissionOf(value map[string]string) (channels []string, change Permission, ok bool) {
	at, err := time.Parse(time.RFC3339, value["at"])
	state := value["state"]
	channels = strings.Split(cmp.Or(value["channels"], value["channel"]), ";")
	invalid := func(name string) bool { return !channelName(name) }
	if err != nil || slices.ContainsFunc(channels, invalid) || state != OptedOut && state != OptedIn {
		return nil, Permission{}, false
	}
	return channels, Permission{state, at.UTC()}, true
}
