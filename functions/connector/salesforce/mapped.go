package salesforce

import (
	"errors"
	"net/http"
	"slices"

	"signalbox/functions/connector"
	"signalbox/shared/mapping"
)

// refFields is the reference id of what a tenant maps of a person who is there.
const refFields = "fields"

// ofPerson returns the fields that a tenant maps of somebody who is of an object: a lead's go before a person's.
func (r Request) ofPerson(object string, made bool) []mapping.Field {
	if object == leadObject {
		return slices.Concat(r.fields.Of(mapping.Lead, made), r.fields.Of(mapping.Person, made))
	}
	return r.fields.Of(mapping.Person, made)
}

// personNodes returns what writes the fields that a tenant maps of somebody who is there: one node of the graph, or none.
func (o *org) personNodes(r Request, who, object string) []node {
	fields := r.ofPerson(object, false)
	if len(fields) == 0 {
		return nil
	}
	return []node{{http.MethodPatch, o.path("sobjects/" + object + "/" + who), refFields, connector.Object(nil).With(fields)}}
}

// personGone reports whether a graph was refused because nobody is there to write the fields of.
func (w written) personGone() bool {
	refused, _ := errors.AsType[*ResponseError](w.err)
	return w.ref == refFields && (missing(w.err) || refused != nil && refused.Status == http.StatusNotFound)
}
