package salesforce

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// maxRows is how many records one collection call takes.
const maxRows = 200

// attributes says what a row is of. They come before all other members: Salesforce reads a row as it goes.
type attributes struct {
	Type string `json:"type"`
}

// retrieval asks for records by id.
type retrieval struct {
	IDs    []string `json:"ids"`
	Fields []string `json:"fields"`
}

// consentRow is what a person is to say. The visible fields follow from the hidden one: opted out while any channel is, since
// the newest change.
type consentRow struct {
	Attributes attributes `json:"attributes"`
	ID         string     `json:"Id"`
	Consent    string     `json:"Msg_Consent__c"`
	OptOut     bool       `json:"Msg_Opt_Out__c"`
	OptOutAt   string     `json:"Msg_Opt_Out_At__c"`
	Channels   *string    `json:"Msg_Opt_Out_Channels__c"` // null clears it
}

func newConsentRow(id string, p connector.Permissions) consentRow {
	out, newest := p.Summary()
	row := consentRow{Attributes: attributes{kindOf(id)}, ID: id, Consent: p.Encode(), OptOut: len(out) > 0, OptOutAt: instant(newest)}
	if len(out) > 0 {
		channels := connector.Cut(strings.Join(out, ";"), maxProvider)
		row.Channels = &channels
	}
	return row
}

// rowReply is what became of one row. Row errors have statusCode where those of requests have errorCode.
type rowReply struct {
	ID      string    `json:"id"`
	Success bool      `json:"success"`
	Errors  []problem `json:"errors"`
}

func (r rowReply) err() error {
	if r.Success {
		return nil
	}
	return sorted(http.StatusBadRequest, r.Errors, usage{}, 0)
}

// consent writes consent changes: what the persons say is read, and written where the change is newer. Deliveries of one
// thread come one after the other, which keeps two changes of one channel from meeting between the two calls.
func (o *org) consent(ctx context.Context, w work) {
	held := o.readConsent(ctx, w)
	changed := make(map[string][]int)
	for i := range w.Len() {
		id := w.Request(i).who
		channel, change, sensible := connector.PermissionOf(w.Request(i).action.Value)
		switch h := held[id]; {
		case h.err != nil:
			w.Fail(i, h.err)
		case !sensible:
			w.Fail(i, fault.New(fault.Permanent, "salesforce_consent_invalid", nil))
		case h.permissions == nil:
			o.gone(ctx, w, i, fault.New(fault.Permanent, codeNotFound, nil))
		case h.permissions.Apply(channel, change):
			changed[id] = append(changed[id], i)
		default:
			w.Succeed(i)
		}
	}
	ids := slices.Sorted(maps.Keys(changed))
	for chunk := range slices.Chunk(ids, maxRows) {
		rows := make([]consentRow, len(chunk))
		for k, id := range chunk {
			rows[k] = newConsentRow(id, held[id].permissions)
		}
		o.writeConsent(ctx, w, rows, changed)
	}
}

// holding is what one person says, or why it is not known; neither when the person is not there.
type holding struct {
	permissions connector.Permissions
	err         error
}

// readConsent reads what persons say, each object's in one call.
func (o *org) readConsent(ctx context.Context, w work) map[string]holding {
	byObject := map[string][]string{}
	for i := range w.Len() {
		if id := w.Request(i).who; !slices.Contains(byObject[kindOf(id)], id) {
			byObject[kindOf(id)] = append(byObject[kindOf(id)], id)
		}
	}
	held := map[string]holding{}
	for _, object := range []string{contactObject, leadObject} {
		for chunk := range slices.Chunk(byObject[object], maxRows) {
			o.readChunk(ctx, object, chunk, held)
		}
	}
	return held
}

func (o *org) readChunk(ctx context.Context, object string, ids []string, held map[string]holding) {
	var found []*struct {
		ID      string `json:"Id"`
		Consent string `json:"Msg_Consent__c"`
	}
	request := retrieval{ids, []string{"Id", "Msg_Consent__c"}}
	err := o.call(ctx, http.MethodPost, o.path("composite/sobjects/"+object), request, &found)
	if err != nil {
		for _, id := range ids {
			switch {
			case len(ids) > 1 && fault.Of(err).Kind == fault.Permanent: // one id that cannot be read refuses all
				o.readChunk(ctx, object, []string{id}, held)
			case !is(err, codeGone) && !is(err, codeNotFound):
				held[id] = holding{err: err}
			}
		}
		return
	}
	for _, p := range found {
		if p != nil {
			held[p.ID] = holding{permissions: connector.DecodePermissions(p.Consent)}
		}
	}
}

// writeConsent writes each changed person once, for all the steps that changed it. A call that is refused as a whole is made
// row by row.
func (o *org) writeConsent(ctx context.Context, w work, rows []consentRow, changed map[string][]int) {
	request := struct {
		AllOrNone bool         `json:"allOrNone"`
		Records   []consentRow `json:"records"`
	}{false, rows}
	var replies []rowReply
	err := o.call(ctx, http.MethodPatch, o.path("composite/sobjects"), request, &replies)
	if err != nil && fault.Of(err).Kind == fault.Permanent && len(rows) > 1 {
		for k := range rows {
			o.writeConsent(ctx, w, rows[k:k+1], changed)
		}
		return
	}
	for k, row := range rows {
		one := err
		switch {
		case err != nil:
		case k < len(replies):
			one = replies[k].err()
		default:
			one = fault.New(fault.Retryable, "salesforce_row_unanswered", nil)
		}
		for _, i := range changed[row.ID] {
			switch {
			case is(one, codeGone), is(one, codeNotFound):
				o.gone(ctx, w, i, one)
			case one != nil:
				w.Fail(i, one)
			default:
				w.Succeed(i)
			}
		}
	}
}
