package salesforce

import (
	"context"
	"maps"
	"slices"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// consentRow is what a person is to say. The visible fields follow from the hidden one: opted out while any channel is, since
// the newest change.
func consentRow(id string, p connector.Permissions) connector.Object {
	out, newest := p.Summary()
	var channels any // null clears it
	if len(out) > 0 {
		channels = connector.Cut(strings.Join(out, ";"), maxProvider)
	}
	return row(kindOf(id), id, fieldConsent, p.Encode(),
		"Msg_Opt_Out__c", len(out) > 0, "Msg_Opt_Out_At__c", connector.Instant(newest), "Msg_Opt_Out_Channels__c", channels)
}

// consent writes consent changes: what the persons say is read, and written where the change is newer. Deliveries of one
// thread come one after the other, which keeps two changes of one channel from meeting between the two calls. Each changed
// person is written once, for all the steps that changed it.
func (o *org) consent(ctx context.Context, w batch) {
	persons := make(map[string]connector.Permissions)
	held := o.readPersons(ctx, whoOf(w), fieldConsent)
	changed := make(map[string][]int)
	for i := range w.Len() {
		id := w.Request(i).who
		channel, change, sensible := connector.PermissionOf(w.Request(i).action.Value)
		h, there := held[id]
		if there && persons[id] == nil {
			persons[id] = connector.DecodePermissions(h.Consent)
		}
		switch {
		case h.err != nil:
			w.Fail(i, h.err)
		case !sensible:
			w.Fail(i, fault.New(fault.Permanent, "salesforce_consent_invalid", nil))
		case !there:
			o.conclude(ctx, w, i, fault.New(fault.Permanent, codeNotFound, nil))
		case persons[id].Apply(channel, change):
			changed[id] = append(changed[id], i)
		default:
			w.Succeed(i)
		}
	}
	ids := slices.Sorted(maps.Keys(changed))
	rows := make([]connector.Object, len(ids))
	for k, id := range ids {
		rows[k] = consentRow(id, persons[id])
	}
	for k, err := range o.writeRows(ctx, rows) {
		o.concludeAll(ctx, w, changed[ids[k]], err)
	}
}
