package salesforce

import (
	"context"

	"signalbox/functions/connector"
	"signalbox/shared/mapping"
)

// taskOnce creates tasks in an org whose activities have no external id. If an earlier try may have come through, the task is
// looked for by our key first.
func (o *org) taskOnce(ctx context.Context, w batch) {
	w.Each(w.All(), func(i int) {
		r := w.Request(i)
		var there bool
		var err error
		if w.Intended(i) || connector.Forgotten(r.Delivery.Event) {
			there, err = o.hasTask(ctx, connector.MessageKey(r.Delivery.Event))
		}
		if err == nil && !there {
			task := newTask(r.Delivery.Event, connector.MessageKey(r.Delivery.Event), r.Who).With(r.fields.Of(mapping.Activity, true))
			err = o.create(ctx, taskObject, task)
		}
		o.conclude(ctx, w, i, err)
	})
}

// hasTask looks for the task of a key.
func (o *org) hasTask(ctx context.Context, key string) (bool, error) {
	found, err := o.idsOf(ctx, taskObject, fieldTaskKey, []string{key})
	return found[key] != "", err
}
