package hubspot

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/shared/fault"
)

// The words of delivery.SetConsent.
const (
	optedOut = "opted_out"
	optedIn  = "opted_in"
)

// permission is what a person told one channel last.
type permission struct {
	state string
	at    time.Time
}

// permissions are a contact's, by channel. They are kept in one hidden property as "sms=opted_out@2026-01-18T14:23:12.000Z;…",
// because the visible ones cannot tell an old change from a new one: consent is each channel's own, and one date for all
// would let a late START on WhatsApp hide a STOP by SMS.
type permissions map[string]permission

// decodePermissions reads the hidden property. What somebody has edited beyond reading is left out.
func decodePermissions(held string) permissions {
	all := make(permissions)
	for entry := range strings.SplitSeq(held, ";") {
		channel, rest, _ := strings.Cut(strings.TrimSpace(entry), "=")
		state, at, _ := strings.Cut(rest, "@")
		t, err := time.Parse(time.RFC3339, at)
		if err != nil || !channelName(channel) || state != optedOut && state != optedIn {
			continue
		}
		all.apply(channel, permission{state, t.UTC()})
	}
	return all
}

// channelName says whether a channel's name can be held: lower-case letters, digits and "_", as everywhere.
func channelName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func (p permissions) encode() string {
	entries := make([]string, 0, len(p))
	for _, channel := range slices.Sorted(maps.Keys(p)) {
		entries = append(entries, channel+"="+p[channel].state+"@"+instant(p[channel].at))
	}
	return strings.Join(entries, ";")
}

// apply takes a change unless a later one is held, and says whether anything is different now. Of two at one instant the
// opt-out holds.
func (p permissions) apply(channel string, change permission) bool {
	change.at = change.at.Truncate(time.Millisecond) // what the property keeps
	held, ok := p[channel]
	if ok && (change.at.Before(held.at) || change.at.Equal(held.at) && change.state != optedOut) || held == change {
		return false
	}
	p[channel] = change
	return true
}

// properties answers what the contact is to say. The visible ones follow from the hidden one: opted out while any channel is,
// since the newest change.
func (p permissions) properties(names Properties) map[string]string {
	var out []string
	var newest time.Time
	for _, channel := range slices.Sorted(maps.Keys(p)) {
		if p[channel].state == optedOut {
			out = append(out, channel)
		}
		if p[channel].at.After(newest) {
			newest = p[channel].at
		}
	}
	optOut := "false"
	if len(out) > 0 {
		optOut = "true"
	}
	return map[string]string{
		names.Consent:       p.encode(),
		names.OptOut:        optOut,
		names.OptOutAt:      instant(newest),
		names.OptOutChannel: strings.Join(out, ";"), // empty clears it
	}
}

// changeOf reads the values of a SetConsent.
func changeOf(value map[string]string) (channel string, change permission, err error) {
	at, parseErr := time.Parse(time.RFC3339, value["at"])
	state := value["state"]
	if parseErr != nil || !channelName(value["channel"]) || state != optedOut && state != optedIn {
		return "", permission{}, fault.New(fault.Permanent, "hubspot_consent_invalid", nil)
	}
	return value["channel"], permission{state, at.UTC()}, nil
}

// consent writes consent changes: what the contacts say is read, and written where the change is newer. Deliveries of one
// thread come one after the other, which keeps two changes of one channel from meeting between the two calls.
func (p *portal) consent(ctx context.Context, w work) {
	names := p.binding.Properties
	ids := make([]string, 0, w.len())
	for i := range w.len() {
		if id := w.request(i).contact; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	found, err := p.read(ctx, contacts, "", ids, []string{names.Consent})
	if err != nil {
		w.failAll(err)
		return
	}
	held := make(map[string]permissions, len(found))
	for _, o := range found {
		held[o.ID] = decodePermissions(o.Properties[names.Consent])
	}
	changed := make(map[string][]int)
	for i := range w.len() {
		id := w.request(i).contact
		channel, change, err := changeOf(w.request(i).action.Value)
		switch {
		case err != nil:
			w.fail(i, err)
		case held[id] == nil:
			p.gone(ctx, w, i, fault.New(fault.Permanent, codeNotFound, nil))
		case held[id].apply(channel, change):
			changed[id] = append(changed[id], i)
		default:
			w.result(i)
		}
	}
	p.writeConsent(ctx, w, held, changed)
}

// writeConsent writes each changed contact once, for all the steps that changed it.
func (p *portal) writeConsent(ctx context.Context, w work, held map[string]permissions, changed map[string][]int) {
	ids := slices.Sorted(maps.Keys(changed))
	rows := make([]input, len(ids))
	for k, id := range ids {
		rows[k] = input{ID: id, Properties: held[id].properties(p.binding.Properties)}
	}
	for k, r := range p.write(ctx, contacts, "update", rows) {
		for _, i := range changed[ids[k]] {
			switch {
			case is(r.err, codeNotFound):
				p.gone(ctx, w, i, r.err)
			case r.err != nil:
				w.fail(i, r.err)
			default:
				w.result(i)
			}
		}
	}
}
