package hubspot

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// permitted answers what the contact is to say. The visible properties follow from the hidden one: opted out while any channel
// is, since the newest change.
func permitted(p connector.Permissions, names Properties) map[string]string {
	out, newest := p.Summary()
	return map[string]string{
		names.Consent:       p.Encode(),
		names.OptOut:        strconv.FormatBool(len(out) > 0),
		names.OptOutAt:      instant(newest),
		names.OptOutChannel: strings.Join(out, ";"), // empty clears it
	}
}

// consent writes consent changes: what the contacts say is read, and written where the change is newer. Deliveries of one
// thread come one after the other, which keeps two changes of one channel from meeting between the two calls.
func (p *portal) consent(ctx context.Context, w work) {
	names := p.binding.Properties
	ids := make([]string, 0, w.Len())
	for i := range w.Len() {
		if id := w.Request(i).contact; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	found, err := p.read(ctx, contacts, "", ids, []string{names.Consent})
	if err != nil {
		w.FailAll(err)
		return
	}
	held := make(map[string]connector.Permissions, len(found))
	for _, o := range found {
		held[o.ID] = connector.DecodePermissions(o.Properties[names.Consent])
	}
	changed := make(map[string][]int)
	for i := range w.Len() {
		id := w.Request(i).contact
		channel, change, sensible := connector.PermissionOf(w.Request(i).action.Value)
		switch {
		case !sensible:
			w.Fail(i, fault.New(fault.Permanent, "hubspot_consent_invalid", nil))
		case held[id] == nil:
			p.gone(ctx, w, i, fault.New(fault.Permanent, codeNotFound, nil))
		case held[id].Apply(channel, change):
			changed[id] = append(changed[id], i)
		default:
			w.Succeed(i)
		}
	}
	p.writeConsent(ctx, w, held, changed)
}

// writeConsent writes each changed contact once, for all the steps that changed it.
func (p *portal) writeConsent(ctx context.Context, w work, held map[string]connector.Permissions, changed map[string][]int) {
	ids := slices.Sorted(maps.Keys(changed))
	rows := make([]input, len(ids))
	for k, id := range ids {
		rows[k] = input{ID: id, Properties: permitted(held[id], p.binding.Properties)}
	}
	for k, r := range p.write(ctx, contacts, "update", rows) {
		for _, i := range changed[ids[k]] {
			switch {
			case is(r.err, codeNotFound):
				p.gone(ctx, w, i, r.err)
			case r.err != nil:
				w.Fail(i, r.err)
			default:
				w.Succeed(i)
			}
		}
	}
}
