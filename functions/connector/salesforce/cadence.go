package salesforce

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/telemetry"
)

// cadence is a person's way through a cadence of Sales Engagement that is not complete: an ActionCadenceTracker.
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_actioncadencetracker.htm.
type cadence struct {
	ID      string `json:"Id"`
	Target  string `json:"TargetId"`
	Created string `json:"CreatedDate"`
	State   string `json:"State"`
}

func (c cadence) began() time.Time { return instantOf(c.Created) }

// runs reports whether the person hears of the cadence: one in error has stopped.
func (c cadence) runs() bool { return c.State != "Error" }

// changing reports whether Salesforce is at it: what is refused now may be taken in a moment.
func (c cadence) changing() bool { return c.State == "Processing" || c.State == "Initializing" }

// removed is what became of one input.
type removed struct {
	Action  string    `json:"actionName"`
	Errors  []problem `json:"errors"`
	Success bool      `json:"isSuccess"`
}

func (r removed) err() error {
	if r.Success {
		return nil
	}
	return sorted(http.StatusBadRequest, r.Errors, usage{})
}

// refusedInRows reads the reply of an action into out although its status is a refusal: one that refuses some of its inputs
// says so of each, and of those that it took.
func refusedInRows(body []byte, out any) bool {
	rows, ok := out.(*[]removed)
	if !ok {
		return false
	}
	var read []removed
	if json.Unmarshal(body, &read) != nil || len(read) == 0 || slices.ContainsFunc(read, func(r removed) bool { return r.Action == "" }) {
		return false
	}
	*rows = read
	return true
}

// withheld reports whether an org refuses cadences as such: Sales Engagement is not licensed, or the integration user may not use
// it. The word decides; a bare 403 is of whoever stands in front of the org.
func withheld(err error) bool {
	refusal, ok := errors.AsType[*ResponseError](err)
	return ok && (refusal.Status == http.StatusNotFound || strings.HasPrefix(refusal.Code, "INSUFFICIENT_ACCESS") ||
		slices.Contains([]string{"INVALID_TYPE", "FUNCTIONALITY_NOT_ENABLED"}, refusal.Code))
}

// notCancelled tells that persons' cadences go on although they replied, and that nothing waits for it.
func (o *org) notCancelled(ctx context.Context, persons int, err error) {
	o.crm.options.Logger.WarnContext(ctx, "the org does not let cadences be ended; persons who replied stay in theirs",
		slog.String("tenant", o.at.Tenant), slog.String("crm", o.at.CRM), slog.Int("persons", persons), slog.String("error", err.Error()))
	o.crm.options.Meter.Count("SequencesNotCancelled", persons,
		telemetry.Label{Name: "tenant", Value: o.at.Tenant}, telemetry.Label{Name: "crm", Value: o.at.CRM})
}

// findCadences looks for what is to be ended, and for what began too late to be.
func (o *org) findCadences(ctx context.Context, answers []*answer) {
	if !o.binding.Capabilities.SalesEngagement {
		return
	}
	var ids []string
	for _, a := range answers {
		if !a.ends.IsZero() {
			ids = append(ids, a.who)
		}
	}
	found := o.cadencesOf(ctx, ids)
	refused := 0
	var why error
	for _, a := range answers {
		f := found[a.who]
		if withheld(f.err) {
			refused, why = refused+1, f.err
			continue
		}
		a.cadences, a.err = f.cadences, f.err
	}
	if refused > 0 {
		o.notCancelled(ctx, refused, why)
	}
}

// found are one person's cadences, or why they are not known.
type found struct {
	cadences []cadence
	err      error
}

// maxTargets is how many persons one query asks for: its address stays well below what Salesforce reads.
const maxTargets = 200

// cadencesOf returns the cadences of persons that are not complete. Of persons of whom the reply tells a first part only, or for whom
// it took too long, each is asked for alone.
func (o *org) cadencesOf(ctx context.Context, ids []string) map[string]found {
	all := make(map[string]found, len(ids))
	connector.Rows{
		Most: maxTargets,
		Call: func(at []int) ([]int, error) {
			records, done, err := o.queryCadences(ctx, ids, at)
			if err == nil && !done || fault.Is(err, codeSlowQuery) {
				if len(at) > 1 {
					return at, nil
				}
				return nil, cmp.Or(err, error(fault.New(fault.Retryable, "salesforce_query_unfinished", nil)))
			}
			for _, i := range at {
				all[ids[i]] = found{slices.DeleteFunc(slices.Clone(records), func(c cadence) bool { return c.Target != ids[i] }), err}
			}
			if withheld(err) { // from everybody
				err = nil
			}
			return nil, err
		},
		Fail: func(i int, err error) { all[ids[i]] = found{err: err} },
	}.Send(connector.Indices(len(ids)))
	return all
}

// queryCadences makes one query; ids are letters and digits, so that nothing in it needs escaping.
func (o *org) queryCadences(ctx context.Context, ids []string, at []int) (records []cadence, done bool, err error) {
	query := "SELECT Id, TargetId, CreatedDate, State FROM ActionCadenceTracker WHERE TargetId IN ('" +
		strings.Join(selected(ids, at), "', '") + "') AND State != 'Complete'"
	return queried[cadence](ctx, o, "query", query)
}

// endCadences removes persons from the cadences that had begun when they replied.
func (o *org) endCadences(ctx context.Context, answers []*answer) {
	var trackers []string
	for _, a := range answers {
		for _, c := range a.cadences {
			if a.err == nil && !c.began().After(a.ends) {
				trackers = append(trackers, c.ID)
			}
		}
	}
	refused := o.remove(ctx, trackers)
	var denied, doubtful []string
	var why error
	for _, a := range answers {
		for _, c := range a.cadences {
			switch err := refused[c.ID]; {
			case err == nil:
			case withheld(err):
				denied, why = append(denied, a.who), err
			case fault.Of(err).Kind == fault.Permanent:
				doubtful = append(doubtful, a.who)
			default:
				a.err = err
			}
		}
	}
	if denied = slices.Compact(denied); len(denied) > 0 {
		o.notCancelled(ctx, len(denied), why)
	}
	o.lookAgain(ctx, answers, slices.Compact(doubtful), refused)
}

// lookAgain sorts the refusals that a repeat would meet again: a cadence that has ended by itself, or by another try, needs no
// removal.
func (o *org) lookAgain(ctx context.Context, answers []*answer, doubtful []string, refused map[string]error) {
	all := o.cadencesOf(ctx, doubtful)
	for _, a := range answers {
		left := all[a.who]
		if left.err != nil {
			a.err = left.err
		}
		for _, c := range left.cadences {
			switch err := refused[c.ID]; {
			case err == nil || a.err != nil || !c.runs() || withheld(err):
			case c.changing():
				a.err = fault.New(fault.Retryable, "salesforce_cadence_changing", err)
			default:
				a.err = err
			}
		}
	}
}

// remove ends cadences and returns the refusals by tracker.
// See https://developer.salesforce.com/docs/atlas.en-us.api_action.meta/api_action/actions_obj_high_velocity_sales.htm.
func (o *org) remove(ctx context.Context, trackers []string) map[string]error {
	refused := make(map[string]error)
	connector.Rows{
		Most: maxRows,
		Call: func(at []int) ([]int, error) {
			var inputs []connector.Object
			for _, i := range at {
				inputs = append(inputs, connector.Object{
					"actionCadenceTrackerId", trackers[i], "completionReasonCode", "ManuallyRemoved",
					"completionDisposition", "Customer Engaged", "shouldApplyUserContext", false, // cadences are their reps', hardly ever the integration user's
				})
			}
			var answers []removed
			err := o.call(ctx, http.MethodPost, o.path("actions/standard/removeTargetFromSalesCadence"), connector.Object{"inputs", inputs}, &answers)
			for k, i := range at {
				switch {
				case err != nil:
					refused[trackers[i]] = err
				case k >= len(answers):
					refused[trackers[i]] = fault.New(fault.Retryable, "salesforce_row_unanswered", nil)
				default:
					refused[trackers[i]] = answers[k].err()
				}
			}
			if withheld(err) { // all of them alike
				err = nil
			}
			return nil, err
		},
		Fail: func(i int, err error) { refused[trackers[i]] = err },
	}.Send(connector.Indices(len(trackers)))
	return refused
}
