package salesforce

import (
	"context"
	"net/http"

	"signalbox/functions/connector"
	"signalbox/shared/mapping"
)

// earlier are the ids of what an earlier try of a delivery wrote for its message. What it shows may have been edited since, so that only whose
// it is is written again.
type earlier struct{ event, task string }

// findShown looks for what earlier tries of steps wrote, in two calls for all of them.
func (o *org) findShown(ctx context.Context, w batch) error {
	of, keys := map[string]*earlier{}, []string(nil)
	for i := range w.Len() {
		if r := w.Request(i); r.shown != nil && r.activity == nil && logs(r.Delivery) {
			key := connector.MessageKey(r.Delivery.Event)
			of[key], keys = r.shown, append(keys, key)
		}
	}
	events, err := o.idsOf(ctx, eventObject, fieldEventKey, keys)
	var tasks map[string]string
	if err == nil && o.binding.Capabilities.Tasks && o.binding.Capabilities.TaskUpsert {
		tasks, err = o.idsOf(ctx, taskObject, fieldTaskKey, keys)
	}
	for key, one := range of {
		one.event, one.task = events[key], tasks[key]
	}
	return err
}

// lost reports whether an error says that the record of a reference id is not there that was found. It is not from now on.
func (e *earlier) lost(ref string, err error) bool {
	if e == nil || !absent(err) {
		return false
	}
	switch {
	case ref == refEvent && e.event != "":
		e.event = ""
	case ref == refTask && e.task != "":
		e.task = ""
	default:
		return false
	}
	return true
}

// found returns the id of the record of a message that an earlier try wrote into an object, "" if there is none.
func (e *earlier) found(object string) string {
	switch {
	case e == nil:
		return ""
	case object == taskObject:
		return e.task
	default:
		return e.event
	}
}

// shownNode returns the node of a record of a message, with what a tenant maps of activities if it is mapped: an upsert by a key, or where
// it was found whose it is alone.
func (o *org) shownNode(r Request, of sheet, key, who, object string, members connector.Object, mapped bool) node {
	ref, path, found := refEvent, o.upsert(of.object, of.key, key), r.shown.found(of.object)
	if of.object == taskObject {
		ref = refTask
	}
	if found != "" {
		path, members = o.path("sobjects/"+of.object+"/"+found), of.lookups(who, object)
	}
	if mapped {
		members = members.With(r.fields.Of(mapping.Activity, found == ""))
	}
	return node{http.MethodPatch, path, ref, members}
}

// eventID returns the id of the record of a message, which Salesforce tells of one that it has just made.
func (e *earlier) eventID(told string) string {
	if told == "" && e != nil {
		return e.event
	}
	return told
}
