package router

import (
	"context"
	"slices"
	"strings"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
)

// tellNumber adds to the decision on a change of number what each CRM is told that is known to hold the person: the number, which their record
// is to show from now on. Where somebody else had that number before, whom the CRM holds too, a task names both records: that the number
// went over is the provider's word against what the CRM says.
func (r *Router) tellNumber(ctx context.Context, j *job, pepper canonical.Pepper, head conversation.Head, d *Decision) error {
	e := &j.event
	from, to := numberChange(e)
	if from == "" || to == "" {
		return nil
	}
	records, err := r.Store.Get(ctx, conversation.Key(e.TenantID, canonical.NewThreadID(pepper, to)))
	if err != nil {
		return err
	}
	before, err := conversation.Decode(records[0].Data)
	if err != nil {
		return err
	}
	taken := slices.ContainsFunc(before.Successors, func(s conversation.Successor) bool { return s.Event == e.EventID })
	for _, name := range j.tenant.CRMNames() {
		if !head.LinkedTo(name) {
			continue
		}
		crm, _ := j.tenant.CRM(name)
		told := CRMDecision{CRM: name, Kind: crm.Kind, Links: head.Links[name], Why: []delivery.RuleReference{{Rule: "number_changed", Version: j.tenant.Version}}}
		told.Actions = append(told.Actions, delivery.Action{Kind: delivery.ChangePhone, Value: map[string]string{"from": from, "to": to}})
		own := recordIDs([]map[string]string{head.Links[name]})
		others := slices.DeleteFunc(recordIDs([]map[string]string{before.Links[name]}), func(id string) bool { return slices.Contains(own, id) })
		if taken && len(others) > 0 {
			told.Actions = append(told.Actions, numberTaken(e, own, others))
		}
		d.CRMs = append(d.CRMs, told)
	}
	return nil
}

// numberTaken returns the task that names who has a number and who had it.
func numberTaken(e *canonical.Event, own, others []string) delivery.Action {
	return delivery.Action{Kind: delivery.Notify, Value: map[string]string{
		"about":   "number/" + string(e.EventID),
		"subject": "A phone number went from one person to another: " + strings.Join(slices.Concat(others, own), ", "),
		"text": "The provider says that this person has the number now. " + strings.Join(others, ", ") + " shows it too, and wrote by it before. " +
			"Take it off that record if that is right; do not merge the two.",
		delivery.OfWhom: delivery.Held,
	}}
}

// numberChange returns the numbers of a change of number, "" for those of anything else. What is merely claimed is none.
func numberChange(e *canonical.Event) (from, to string) {
	if e.Type != canonical.TypeIdentity || e.Identity == nil || e.Identity.Reason != canonical.NumberChanged {
		return "", ""
	}
	number := func(all []canonical.Identifier) string {
		if i := slices.IndexFunc(all, func(i canonical.Identifier) bool { return isPhone(i) && !i.Claimed }); i >= 0 {
			return all[i].Value
		}
		return ""
	}
	return number(e.Identity.Previous), number(e.Identity.Current)
}
