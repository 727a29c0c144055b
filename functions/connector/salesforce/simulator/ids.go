package simulator

import (
	"fmt"
	"strings"
)

// prefix returns what ids of an object begin with. That of trackers is invented: Salesforce documents none.
func prefix(object string) string {
	return map[string]string{
		contactObject: "003", leadObject: "00Q", taskObject: "00T", eventObject: "a0X", conversationObject: "a0Y", trackerObject: "77D",
		caseObject: "500", versionObject: "068", documentObject: "069",
	}[object]
}

// newID returns an id in the form of 18 characters.
func newID(object string, n int64) string {
	id := fmt.Sprintf("%s%012d", prefix(object), n)
	return id + suffix(id)
}

// suffix returns the last three characters of an id: they say which of the first fifteen are capitals.
func suffix(id string) string {
	var out strings.Builder
	for chunk := range 3 {
		at := 0
		for i := range 5 {
			if c := id[chunk*5+i]; c >= 'A' && c <= 'Z' {
				at |= 1 << i
			}
		}
		out.WriteByte(suffixes[at])
	}
	return out.String()
}

const suffixes = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

// canonical returns an id in the form of 18 characters, "" if it is none. That of 15 distinguishes capitals, that of 18 does
// not: what it says of them in its end counts.
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/field_types.htm.
func canonical(id string) string {
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return ""
		}
	}
	switch len(id) {
	case 15:
		return id + suffix(id)
	case 18:
	default:
		return ""
	}
	out := []byte(strings.ToLower(id[:15]))
	for chunk := range 3 {
		at := strings.IndexByte(suffixes, strings.ToUpper(id[15:])[chunk])
		for i := range 5 {
			c := &out[chunk*5+i]
			switch capital := at>>i&1 == 1; {
			case at < 0 || capital && (*c < 'a' || *c > 'z'):
				return ""
			case capital:
				*c -= 'a' - 'A'
			}
		}
	}
	return string(out) + strings.ToUpper(id[15:])
}

// objectOf returns what an id is of, "" if it is none.
func objectOf(id string) string {
	id = canonical(id)
	for _, object := range []string{contactObject, leadObject, taskObject, eventObject, conversationObject, trackerObject, caseObject, versionObject} {
		if id != "" && strings.HasPrefix(id, prefix(object)) {
			return object
		}
	}
	return ""
}

// get returns the record of an id in any of its forms, nil if there is none. Deleted ones are returned, too.
func (t *table) get(id string) *record { return t.Rows[canonical(id)] }
