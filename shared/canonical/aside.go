package canonical

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// SetAside takes what is not valid out of an event, each time the smallest part that an event may be without: the end of a long answer of a
// form, a name that is too long, an attachment whose URL has no form, a location of which a number is out of range. It returns what was found wrong with
// what it took out, so that this can be noted, and the error of Validate for what cannot be taken out: what tells which event it
// is and whose, what its type requires, and the words of a message. The defaults come first, for a part may hold only by one.
func (e *Event) SetAside() ([]Problem, error) {
	*e = e.WithDefaults()
	var aside []Problem
	for {
		err := e.Validate()
		invalid, ok := errors.AsType[*ValidationError](err)
		if !ok {
			return aside, nil
		}
		// The last first: an element that is taken out of an array moves those behind it. A part that is gone at the next
		// problem of its own was taken out because of the one before.
		for _, p := range slices.Backward(invalid.Problems) {
			if !e.cut(p) {
				return aside, err
			}
		}
		aside = append(aside, invalid.Problems...)
	}
}

// cut takes out the smallest optional part that a problem is in. It reports whether there was one.
func (e *Event) cut(p Problem) bool {
	root, rest, _ := strings.Cut(strings.TrimPrefix(p.Path, "$."), ".")
	switch root, _, _ = strings.Cut(root, "["); root {
	case "sender", "recipient", "participants", "actor", "attribution", "trace", "metadata":
	case "relatesTo", "receipt", "message", "identity":
		if rest == "" || rest == "text" { // the type requires it; or it is what was said
			return false
		}
	default:
		return false
	}
	part := optional(reflect.ValueOf(e).Elem(), p.Path)
	if part == nil {
		return false
	}
	part()
	return true
}

// optional returns what takes out the smallest optional part on a path, nil where none is: a field that is left out when it is
// empty, an element of an array, or the whole of a table, whose names are not part of a path.
func optional(v reflect.Value, path string) (part func()) {
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune("$.[]", r) }) {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		switch v.Kind() {
		case reflect.Struct:
			field, mayBeMissing := tagged(v, step)
			if mayBeMissing {
				part = field.SetZero
			}
			v = field
		case reflect.Slice:
			i, err := strconv.Atoi(step)
			if err != nil || i >= v.Len() {
				return part
			}
			slice := v
			part = func() { slice.Set(reflect.AppendSlice(slice.Slice(0, i), slice.Slice(i+1, slice.Len()))) }
			v = v.Index(i)
		default:
			return shortened(v, part)
		}
	}
	return shortened(v, part)
}

// shortened returns what cuts a table of texts down to what may be in it, where that is less: the first names, and of what is too long its
// beginning, with a sign that it goes on. Of anything else it returns part, also of what is inside something that was taken out.
func shortened(v reflect.Value, part func()) func() {
	if !v.IsValid() {
		return part
	}
	all, ok := reflect.TypeAssert[map[string]string](v)
	if !ok || len(all) == 0 {
		return part
	}
	return func() {
		kept := make(map[string]string, min(len(all), maxVariables))
		for _, name := range slices.Sorted(maps.Keys(all))[:min(len(all), maxVariables)] {
			kept[begin(name, maxIdentifier)] = begin(all[name], maxPayload)
		}
		v.Set(reflect.ValueOf(kept))
	}
}

// begin returns s, or of a longer text as many characters with a sign at the end.
func begin(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

// tagged returns a field by its name in JSON, and whether it may be missing there.
func tagged(v reflect.Value, name string) (field reflect.Value, mayBeMissing bool) {
	for i := range v.NumField() {
		tag, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if tag == name {
			return v.Field(i), options != ""
		}
	}
	return reflect.Value{}, false
}
