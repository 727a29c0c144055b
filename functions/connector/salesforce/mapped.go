package salesforce

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/mapping"
)

// refFields is the reference id of what a tenant maps of a person who is there.
const refFields = "fields"

// with adds to a record the fields that a tenant maps, of which the first of a name counts. What is ours stays.
func with(record connector.Object, mapped []mapping.Field) connector.Object {
	for _, f := range mapped {
		named := func(member any) bool {
			name, ok := member.(string)
			return ok && strings.EqualFold(name, f.Name)
		}
		ours := false
		for pair := range slices.Chunk(record, 2) {
			ours = ours || named(pair[0])
		}
		if !ours {
			record = append(record, f.Name, f.Value)
		}
	}
	return record
}

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
	return []node{{http.MethodPatch, o.path("sobjects/" + object + "/" + who), refFields, with(nil, fields)}}
}

// personGone reports whether a graph was refused because nobody is there to write the fields of.
func (w written) personGone() bool {
	refused, _ := errors.AsType[*ResponseError](w.err)
	return w.ref == refFields && (missing(w.err) || refused != nil && refused.Status == http.StatusNotFound)
}
