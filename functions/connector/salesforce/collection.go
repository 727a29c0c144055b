package salesforce

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"signalbox/functions/connector"
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

// row returns a record that is written by its id. What it is of comes before all other members: Salesforce reads a row as it goes.
func row(object, id string, members ...any) connector.Object {
	return append(connector.Object{"attributes", connector.Object{"type", object}, "Id", id}, members...)
}

// selected returns those of all that are at.
func selected[T any](all []T, at []int) []T {
	some := make([]T, len(at))
	for k, i := range at {
		some[k] = all[i]
	}
	return some
}

// holding is what one person holds of the fields that were asked for, or why it is not known.
type holding struct {
	ID        string `json:"Id"`
	Consent   string `json:"Msg_Consent__c"`
	LastReply string `json:"Msg_Last_Reply_At__c"`
	StatusSet string `json:"Msg_Status_Set_At__c"`
	FirstName string `json:"FirstName"`
	LastName  string `json:"LastName"`
	Owner     string `json:"OwnerId"`
	Creator   string `json:"CreatedById"`
	Created   string `json:"CreatedDate"`
	err       error
	row       connector.Object // what is to be written
}

// lastReply returns when the person last replied, as Salesforce keeps it.
func (h holding) lastReply() time.Time { return wholeSecond(instantOf(h.LastReply)) }

// amend changes what persons say, in two calls for all steps, by the row that change makes of what a person says, none if it says that
// already. It keeps what it changes in held, for the next step about the person.
func (o *org) amend(
	ctx context.Context, w batch, others *connector.Others, change func(r Request, held *holding) (connector.Object, error), fields ...string,
) {
	connector.Amendment[holding]{
		Who:  func(i int) string { return w.Request(i).Who },
		Also: others.Of,
		Read: func(ids []string) (map[string]*holding, error) { return o.readPersons(ctx, ids, fields...), nil },
		Change: func(i int, held *holding) (bool, error) {
			switch {
			case held == nil:
				return false, fault.New(fault.Permanent, codeNotFound, nil)
			case held.err != nil:
				return false, held.err
			}
			row, err := change(w.Request(i), held)
			if row != nil {
				held.row = row
			}
			return row != nil, err
		},
		Write: func(_ []string, held []*holding) []error {
			rows := make([]connector.Object, len(held))
			for k, h := range held {
				rows[k] = h.row
			}
			return o.writeRows(ctx, rows)
		},
		Gone: missing,
		Conclude: func(i int, err error) {
			if err = others.Outcome(i, err); err == nil {
				w.Succeed(i, connector.ResultOthers, others.Count(i))
				return
			}
			o.conclude(ctx, w, i, err)
		},
	}.Make(w.Len())
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
	return sorted(http.StatusBadRequest, r.Errors, usage{})
}

// whoOf returns the persons of steps, each once.
func whoOf(w batch) []string {
	var ids []string
	for i := range w.Len() {
		if id := w.Request(i).Who; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// readPersons reads fields of persons, each object's in one call. Who is not there is not in the result.
func (o *org) readPersons(ctx context.Context, ids []string, fields ...string) map[string]*holding {
	held, asked := map[string]*holding{}, append([]string{"Id"}, fields...)
	for _, object := range []string{contactObject, leadObject} {
		connector.Rows{
			Most: maxRows,
			Call: func(at []int) ([]int, error) { // one id that cannot be read refuses all
				request := connector.Object{"ids", selected(ids, at), "fields", asked}
				var found []*holding
				err := o.call(ctx, http.MethodPost, o.path("composite/sobjects/"+object), request, &found)
				for _, p := range found {
					if p != nil {
						held[p.ID] = p
					}
				}
				if err == nil && len(found) != len(at) { // of who is not there it says null
					return at, nil
				}
				return nil, err
			},
			Fail: func(i int, err error) {
				if !missing(err) {
					held[ids[i]] = &holding{err: err}
				}
			},
		}.Send(slices.DeleteFunc(connector.Indices(len(ids)), func(i int) bool { return kindOf(ids[i]) != object }))
	}
	return held
}

// queried returns what a query found, and whether that is all. A reply without the list is none: whoever took it for an empty one would write
// again what is there.
func queried[T any](ctx context.Context, o *org, resource, soql string) (records []T, done bool, err error) {
	var reply struct {
		Done    bool `json:"done"`
		Records *[]T `json:"records"`
	}
	if err := o.call(ctx, http.MethodGet, o.path(resource)+"?q="+url.QueryEscape(soql), nil, &reply); err != nil {
		return nil, false, err
	}
	if reply.Records == nil {
		return nil, false, fault.New(fault.Retryable, codeUndecodable, nil)
	}
	return *reply.Records, reply.Done, nil
}

// missing reports whether an error says that a record is not there.
func missing(err error) bool { return fault.Is(err, codeGone) || fault.Is(err, codeNotFound) }

// writeRows writes rows and returns an error each. What is too long for a field of the org is shortened, once.
func (o *org) writeRows(ctx context.Context, rows []connector.Object) []error {
	errs := o.writeAll(ctx, rows)
	var again []connector.Object
	var at []int
	for i, err := range errs {
		if fitting, changed := shortened(err, rows[i]); changed {
			again, at = append(again, fitting), append(at, i)
		}
	}
	for k, err := range o.writeAll(ctx, again) {
		errs[at[k]] = err
	}
	return errs
}

// create makes a record that has no external id. What is too long for a field of the org is shortened, once, and what is hidden from the
// integration user is left out where the record says enough without it.
func (o *org) create(ctx context.Context, object string, record connector.Object) error {
	err := o.insert(ctx, object, record)
	for fitting, without := unhidden(err, object, record); len(without) > 0; fitting, without = unhidden(err, object, record) {
		o.withhold(ctx, object, without)
		record = fitting
		err = o.insert(ctx, object, record)
	}
	if fitting, changed := shortened(err, record); changed {
		err = o.insert(ctx, object, fitting)
	}
	return err
}

// insert makes a record as it stands. A reply that does not name it has not made it.
func (o *org) insert(ctx context.Context, object string, record connector.Object) error {
	var made rowReply
	err := o.call(ctx, http.MethodPost, o.path("sobjects/"+object), record, &made)
	if err == nil && made.ID == "" {
		return fault.New(fault.Retryable, codeUndecodable, nil)
	}
	return err
}

func (o *org) writeAll(ctx context.Context, rows []connector.Object) []error {
	errs := make([]error, len(rows))
	connector.Rows{
		Most: maxRows,
		Call: func(at []int) ([]int, error) {
			request := connector.Object{"allOrNone", false, "records", selected(rows, at)}
			var replies []rowReply
			err := o.call(ctx, http.MethodPatch, o.path(updates), request, &replies)
			for k, i := range at {
				errs[i] = fault.New(fault.Retryable, "salesforce_row_unanswered", nil)
				if k < len(replies) {
					errs[i] = replies[k].err()
				}
			}
			return nil, err
		},
		Fail: func(i int, err error) { errs[i] = err },
	}.Send(connector.Indices(len(rows)))
	return errs
}

// conclude makes what became of a person the outcome of a step. If the person is deleted, merged away or converted the delivery goes
// on with another one, once; otherwise the refusal was about something else.
func (o *org) conclude(ctx context.Context, w batch, i int, reason error) {
	reason = w.Request(i).ofWork(reason)
	switch {
	case reason == nil, missing(reason) && w.Request(i).Kind == connector.StepName: // who is gone needs none
		w.Succeed(i)
		return
	case !missing(reason):
		w.Fail(i, o.explained(ctx, reason))
		return
	}
	r := w.Request(i)
	found, err := o.get(ctx, r.Who)
	switch {
	case err != nil:
		w.Fail(i, err)
	case found.ID != "" && !found.Converted:
		w.Fail(i, reason)
	case r.Gone != "":
		w.Fail(i, fault.New(fault.Permanent, "salesforce_person_gone", reason))
	default:
		w.Succeed(i, connector.ResultGone, r.Who)
	}
}

// concludeAll makes what became of a person the outcome of the steps at.
func (o *org) concludeAll(ctx context.Context, w batch, at []int, err error) {
	for _, i := range at {
		o.conclude(ctx, w, i, err)
	}
}
