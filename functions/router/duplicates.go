package router

import (
	"context"
	"maps"
	"slices"
	"strings"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/tenant"
)

// tellDuplicates adds to a decision a task for each CRM that turned out to hold a person more than once: on the record that messages go to,
// which was known first, with the ids of the others. Nothing is merged: whether that is right, people in the CRM know.
func tellDuplicates(t tenant.Tenant, head conversation.Head, d *Decision) {
	for _, name := range slices.Sorted(maps.Keys(head.Duplicates)) {
		crm, bound := t.CRM(name)
		untold := head.Untold(name)
		if !bound || len(untold) == 0 {
			continue
		}
		ids := recordIDs(append([]map[string]string{head.Links[name]}, untold...))
		tell := delivery.Action{Kind: delivery.Notify, Value: map[string]string{
			"about": "merge/" + strings.Join(ids, "/"), "subject": "One person has several records: " + strings.Join(ids, ", "),
			"text":          "Messages prove that they are one person. New ones go to this record. Merge the records if that is right.",
			delivery.OfWhom: delivery.Held,
		}}
		why := delivery.RuleReference{Rule: "duplicates", Version: t.Version}
		i := slices.IndexFunc(d.CRMs, func(c CRMDecision) bool { return c.CRM == name })
		if i >= 0 && slices.ContainsFunc(d.CRMs[i].Actions, func(a delivery.Action) bool { return a.Kind == delivery.Notify }) {
			continue // a delivery tells one thing: this is told with the next
		}
		if i < 0 {
			d.CRMs = append(d.CRMs, CRMDecision{CRM: name, Kind: crm.Kind, Links: head.Links[name]})
			i = len(d.CRMs) - 1
		}
		d.CRMs[i].Actions, d.CRMs[i].Why = append(d.CRMs[i].Actions, tell), append(d.CRMs[i].Why, why)
		if d.Duplicates == nil {
			d.Duplicates = map[string]int{}
		}
		d.Duplicates[name] = len(head.Duplicates[name])
	}
}

// recordIDs returns the ids of records by their links, each once. What else links say is yes or no.
func recordIDs(records []map[string]string) (ids []string) {
	for _, links := range records {
		for _, object := range slices.Sorted(maps.Keys(links)) {
			if id := links[object]; id != "" && id != "true" && id != "false" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// markTold notes in the head of a thread the duplicates that a decision tells of. It follows from the record, so that a repeat notes the
// same.
func (r *Router) markTold(ctx context.Context, tenant string, thread canonical.ThreadID, d *Decision) error {
	if len(d.Duplicates) == 0 {
		return nil
	}
	return conversation.Update(ctx, r.Store, conversation.Key(tenant, thread), nil, func(h *conversation.Head) bool { return h.MarkTold(d.Duplicates) })
}
