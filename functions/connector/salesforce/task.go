package salesforce

import (
	"context"
	"net/http"
	"net/url"

	"signalbox/functions/connector"
)

// taskOnce creates tasks in an org whose activities have no external id. If an earlier try may have come through, the task is
// looked for by our key first.
func (o *org) taskOnce(ctx context.Context, w batch) {
	w.Each(w.All(), func(i int) {
		r := w.Request(i)
		var there bool
		var err error
		if w.Intended(i) || connector.Forgotten(r.delivery.Event) {
			there, err = o.hasTask(ctx, connector.MessageKey(r.delivery.Event))
		}
		if err == nil && !there {
			task := newTask(r.delivery.Event, connector.MessageKey(r.delivery.Event), r.who)
			err = o.call(ctx, http.MethodPost, o.path("sobjects/"+taskObject), task, nil)
		}
		o.conclude(ctx, w, i, err)
	})
}

// hasTask looks for the task of a message. The key is hexadecimal, so that nothing in the query needs escaping.
func (o *org) hasTask(ctx context.Context, key string) (bool, error) {
	query := "SELECT Id FROM " + taskObject + " WHERE " + fieldTaskKey + " = '" + key + "' LIMIT 1"
	var reply struct {
		Records []struct {
			ID string `json:"Id"`
		} `json:"records"`
	}
	err := o.call(ctx, http.MethodGet, o.path("query")+"?q="+url.QueryEscape(query), nil, &reply)
	return len(reply.Records) > 0, err
}
