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
// went over is the provider's word against what the CRM says. Of a number that the person lost a task tells, too.
func (r *Router) tellNumber(ctx context.Context, j *job, pepper canonical.Pepper, head conversation.Head, d *Decision) error {
	e := &j.event
	from, to := numberChange(e)
	switch {
	case from != "" && to == "" && e.Identity.Reason != canonical.NumberChanged:
		tellLinked(j, head, d, func(_ string, own []string) []delivery.Action { return []delivery.Action{numberLost(e, own)} })
		return nil
	case from == "" || to == "":
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
	tellLinked(j, head, d, func(crm string, own []string) []delivery.Action {
		actions := []delivery.Action{{Kind: delivery.ChangePhone, Value: map[string]string{"from": from, "to": to}}}
		others := slices.DeleteFunc(recordIDs([]map[string]string{before.Links[crm]}), func(id string) bool { return slices.Contains(own, id) })
		if taken && len(others) > 0 {
			actions = append(actions, numberTaken(e, own, others))
		}
		return actions
	})
	return nil
}

// tellLinked adds to a decision what each CRM is to do that is known to hold the person, by the ids of their record there.
func tellLinked(j *job, head conversation.Head, d *Decision, actions func(crm string, own []string) []delivery.Action) {
	for _, name := range j.tenant.CRMNames() {
		if !head.LinkedTo(name) {
			continue
		}
		crm, _ := j.tenant.CRM(name)
		d.CRMs = append(d.CRMs, CRMDecision{
			CRM: name, Kind: crm.Kind, Links: head.Links[name], Actions: actions(name, recordIDs([]map[string]string{head.Links[name]})),
			Why: []delivery.RuleReference{{Rule: j.event.Identity.Reason, Version: j.tenant.Version}},
		})
	}
}

// numberLost returns the task that says that a number is not the person's any more.
func numberLost(e *canonical.Event, own []string) delivery.Action {
	whose := map[string]string{canonical.Deactivated: "nobody has it any more", canonical.Reassigned: "somebody else has it now"}[e.Identity.Reason]
	return delivery.Action{Kind: delivery.Notify, Value: map[string]string{
		"about":         "number/" + string(e.EventID),
		"subject":       "A phone number is not this person's any more: " + strings.Join(own, ", "),
		"text":          "The provider says that " + whose + ". Take it off this record, and do not call it or write to it.",
		delivery.OfWhom: delivery.Held,
	}}
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

// numberChange returns the numbers that a person had and has by the provider's word, "" for those of anything else. What is merely claimed is none.
func numberChange(e *canonical.Event) (from, to string) {
	if e.Type != canonical.TypeIdentity || e.Identity == nil || e.Identity.Reason == canonical.Rotated {
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
