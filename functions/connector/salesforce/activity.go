package salesforce

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/mapping"
)

// maxPart is how long the lines of one part of an activity are: nine tenths of what Salesforce keeps.
const maxPart = maxText * 9 / 10

// refPart is what the reference id of an activity's part begins with; its number follows. The result of the step that wrote it has the id
// of the record under the same name.
const refPart = "part"

// activity is what is shown of a delivery's session in parts of which each is one record.
type activity struct {
	*connector.Activity
	parts []connector.Part
	ids   map[string]string // of the records that are there, as far as is known, by reference id
	again bool              // an earlier try may have written more of them
}

// activityOf returns nil for nil.
func activityOf(a *connector.Activity, again bool) *activity {
	if a == nil {
		return nil
	}
	shown := activity{Activity: a, ids: map[string]string{}, again: again}
	shown.parts = a.Split(maxPart, func(l connector.Line) int { return connector.Length(connector.PlainLine(l, a.Start)) })
	for _, p := range shown.parts {
		if id := a.Written[ref(p)]; recordID.MatchString(id) {
			shown.ids[ref(p)] = id
		}
	}
	return &shown
}

func ref(p connector.Part) string { return refPart + strconv.Itoa(p.Number) }

// lost reports whether an error says that the record of a reference id is not there that was taken to be. It is not from now on.
func (a *activity) lost(ref string, err error) bool {
	if a == nil || a.ids[ref] == "" || !absent(err) {
		return false
	}
	delete(a.ids, ref)
	return true
}

// absent reports whether an error says that a record is not there that was named by its id.
func absent(err error) bool {
	refused, ok := errors.AsType[*ResponseError](err)
	return missing(err) || ok && refused.Status == http.StatusNotFound
}

// result returns what a step says that has written the activity: its parts, with what Salesforce told of their ids.
func (a *activity) result(told map[string]string) []string {
	if a == nil {
		return nil
	}
	pairs := []string{connector.ResultParts, strconv.Itoa(len(a.parts))}
	for _, p := range a.parts {
		pairs = append(pairs, ref(p), cmp.Or(told[ref(p)], a.ids[ref(p)]))
	}
	return pairs
}

// sheet is the object whose records show activities, and its fields.
type sheet struct{ object, key, text string }

// sheet returns tasks, of which there is one a part and nothing beside it, or our own object where messages are to be no tasks.
func (o *org) sheet() sheet {
	if o.binding.Capabilities.Tasks {
		return sheet{taskObject, fieldTaskKey, "Description"}
	}
	return sheet{eventObject, fieldEventKey, "Body__c"}
}

// keyed reports whether records are upserted by their key.
func (o *org) keyed(s sheet) bool { return s.object != taskObject || o.binding.Capabilities.TaskUpsert }

// activityNodes returns what writes an activity of somebody, who is of an object. Of a record that is there only the text is written, by
// its id: what a rep changed stays, and one that a rep deleted is not made anew without a subject.
func (o *org) activityNodes(r Request, who, object string) []node {
	a := r.activity
	s, nodes := o.sheet(), make([]node, len(a.parts))
	for i, p := range a.parts {
		record, id := connector.Object{}, a.ids[ref(p)]
		if id == "" {
			record = s.once(a.Activity, p)
		}
		if id == "" || a.Written[resultWho] != who {
			record = append(record, s.lookups(who, object)...)
		}
		record = append(record, s.text, connector.Transcript(a.Activity, p, maxText)).With(r.fields.Of(mapping.Activity, id == ""))
		switch {
		case id != "":
			nodes[i] = node{http.MethodPatch, o.path("sobjects/" + s.object + "/" + id), ref(p), record}
		case o.keyed(s):
			nodes[i] = node{http.MethodPatch, o.upsert(s.object, s.key, p.Key), ref(p), record}
		default:
			nodes[i] = node{http.MethodPost, o.path("sobjects/" + s.object), ref(p), append(record, s.key, p.Key)}
		}
	}
	return nodes
}

// findParts looks for records that an earlier try may have made, where there is no key to upsert them by.
func (o *org) findParts(ctx context.Context, all []*activity) error {
	s := o.sheet()
	var keys []string
	for _, a := range all {
		for _, p := range a.parts {
			if a.ids[ref(p)] == "" && (a.again || !o.keyed(s)) {
				keys = append(keys, p.Key)
			}
		}
	}
	found, err := o.idsOf(ctx, s.object, s.key, keys)
	for _, a := range all {
		for _, p := range a.parts {
			if id := found[p.Key]; id != "" {
				a.ids[ref(p)] = id
			}
		}
	}
	return err
}

// lookups returns the members that say whose a record is. Of our own objects' two, one is null.
func (s sheet) lookups(who, object string) connector.Object {
	switch {
	case s.object == taskObject:
		return connector.Object{"WhoId", who}
	case object == contactObject:
		return connector.Object{"Contact__c", who, "Lead__c", nil}
	default:
		return connector.Object{"Contact__c", nil, "Lead__c", who}
	}
}

// once returns what is written of a part when it is made, and then left to reps.
func (s sheet) once(a *connector.Activity, p connector.Part) connector.Object {
	if s.object != taskObject {
		return connector.Object{"Channel__c", string(a.Channel), "Occurred_At__c", connector.Instant(a.Start)}
	}
	return connector.Object{
		"Subject", connector.Cut(connector.SessionSubject(a, p), maxSubject), "Status", "Completed", "Priority", "Normal", "TaskSubtype", "Task",
		"ActivityDate", a.Start.In(a.Zone).Format(time.DateOnly), "Msg_Occurred_At__c", connector.Instant(a.Start), "Msg_Channel__c", string(a.Channel),
	}
}
