package salesforce

import (
	"context"
	"net/http"
	"slices"

	"signalbox/shared/fault"
)

// maxRows is how many records one collection call takes.
const maxRows = 200

// updates is where rows go that are written by the id in them.
const updates = "composite/sobjects"

// The fields that are read before they are written.
const (
	fieldConsent   = "Msg_Consent__c"
	fieldLastReply = "Msg_Last_Reply_At__c"
)

// attributes says what a row is of. They come before all other members: Salesforce reads a row as it goes.
type attributes struct {
	Type string `json:"type"`
}

// retrieval asks for records by id.
type retrieval struct {
	IDs    []string `json:"ids"`
	Fields []string `json:"fields"`
}

// holding is what one person holds of the fields that were asked for, or why it is not known.
type holding struct {
	ID        string `json:"Id"`
	Consent   string `json:"Msg_Consent__c"`
	LastReply string `json:"Msg_Last_Reply_At__c"`
	FirstName string `json:"FirstName"`
	LastName  string `json:"LastName"`
	err       error
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

// whoOf returns the persons of steps, each once.
func whoOf(w batch) []string {
	var ids []string
	for i := range w.Len() {
		if id := w.Request(i).who; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// readPersons reads fields of persons, each object's in one call. Who is not there is not in the answer.
func (o *org) readPersons(ctx context.Context, ids []string, fields ...string) map[string]holding {
	held := map[string]holding{}
	for _, object := range []string{contactObject, leadObject} {
		of := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return kindOf(id) != object })
		for chunk := range slices.Chunk(of, maxRows) {
			o.readChunk(ctx, object, chunk, fields, held)
		}
	}
	return held
}

func (o *org) readChunk(ctx context.Context, object string, ids, fields []string, held map[string]holding) {
	var found []*holding
	err := o.call(ctx, http.MethodPost, o.path("composite/sobjects/"+object), retrieval{ids, append([]string{"Id"}, fields...)}, &found)
	if err != nil {
		for _, id := range ids {
			switch {
			case len(ids) > 1 && fault.Of(err).Kind == fault.Permanent: // one id that cannot be read refuses all
				o.readChunk(ctx, object, []string{id}, fields, held)
			case !is(err, codeGone) && !is(err, codeNotFound):
				held[id] = holding{err: err}
			}
		}
		return
	}
	for _, p := range found {
		if p != nil {
			held[p.ID] = *p
		}
	}
}

// writeRows writes rows and answers an error each.
func (o *org) writeRows(ctx context.Context, rows []any) []error {
	errs := make([]error, 0, len(rows))
	for chunk := range slices.Chunk(rows, maxRows) {
		errs = append(errs, o.writeChunk(ctx, chunk)...)
	}
	return errs
}

// writeChunk makes one call. When Salesforce refuses it as a whole its rows are sent alone: one bad row never fails its
// neighbours.
func (o *org) writeChunk(ctx context.Context, rows []any) []error {
	request := struct {
		AllOrNone bool  `json:"allOrNone"`
		Records   []any `json:"records"`
	}{false, rows}
	var replies []rowReply
	err := o.call(ctx, http.MethodPatch, o.path(updates), request, &replies)
	errs := make([]error, len(rows))
	for k := range rows {
		switch {
		case err != nil && fault.Of(err).Kind == fault.Permanent && len(rows) > 1:
			errs[k] = o.writeChunk(ctx, rows[k:k+1])[0]
		case err != nil:
			errs[k] = err
		case k < len(replies):
			errs[k] = replies[k].err()
		default:
			errs[k] = fault.New(fault.Retryable, "salesforce_row_unanswered", nil)
		}
	}
	return errs
}

// concludeAll makes what became of a person the outcome of the steps at.
func (o *org) concludeAll(ctx context.Context, w batch, at []int, err error) {
	for _, i := range at {
		switch {
		case is(err, codeGone), is(err, codeNotFound):
			o.gone(ctx, w, i, err)
		case err != nil:
			w.Fail(i, err)
		default:
			w.Succeed(i)
		}
	}
}
