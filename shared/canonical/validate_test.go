package canonical_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/events/schema"
	"signalbox/shared/canonical"

	"github.com/google/go-cmp/cmp"
)

// TestValidateIsTheSchemaOnTheWrittenEvent changes the Go value instead of the document.
func TestValidateIsTheSchemaOnTheWrittenEvent(t *testing.T) {
	check := func(what string, e canonical.Event) {
		t.Helper()
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Validate(); (err == nil) != schemaValid(t, data) {
			t.Errorf("%s: the schema says %v, the code: %v: %.2000s", what, err != nil, err, data)
		}
	}
	for _, name := range []string{"everything", "canonical-rcs.json"} {
		e := decode(t, samples(t)[name])
		places := fields(reflect.ValueOf(&e).Elem(), "Event")
		for i, p := range places {
			before := reflect.New(p.value.Type()).Elem()
			before.Set(p.value)
			values := fieldValues(p.value.Type())
			for k := i % stride(); k < len(values); k += stride() {
				p.value.Set(values[k])
				check(name+" with another "+p.path, e)
			}
			p.value.Set(before)
		}
	}
	check("nothing", canonical.Event{})
}

type field struct {
	path  string
	value reflect.Value
}

// fields lists every field of a struct that can be set, also behind pointers and in the elements of slices.
func fields(v reflect.Value, path string) []field {
	var list []field
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return fields(v.Elem(), path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			list = append(list, fields(v.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return nil
		}
		for i := range v.NumField() {
			at := path + "." + v.Type().Field(i).Name
			list = append(list, field{at, v.Field(i)})
			list = append(list, fields(v.Field(i), at)...)
		}
	default:
	}
	return list
}

// fieldValues returns values of a type to put into a field.
func fieldValues(typ reflect.Type) []reflect.Value {
	list := []reflect.Value{reflect.Zero(typ)}
	var raw []any
	switch {
	case typ == reflect.TypeFor[time.Time]():
		raw = []any{
			time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
			time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
			time.Date(1970, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)),
		}
	case typ == reflect.TypeFor[map[string]json.RawMessage]():
		raw = []any{map[string]json.RawMessage{}, map[string]json.RawMessage{"a": nil}, map[string]json.RawMessage{"": nil}, map[string]json.RawMessage{"é": []byte("1")}}
	case typ.Kind() == reflect.String:
		for _, v := range slices.Concat(values(), limits()) {
			if s, ok := v.(string); ok {
				raw = append(raw, s)
			}
		}
	case typ.Kind() == reflect.Int, typ.Kind() == reflect.Int64:
		raw = []any{-1, 1, 2, 3, 1 << 40, 1<<40 + 1}
	case typ.Kind() == reflect.Float64:
		raw = []any{-180.0, -180.1, 90.0, 90.1, 180.1, 1e-9, math.NaN(), math.Inf(1), math.Inf(-1)}
	case typ.Kind() == reflect.Bool:
		raw = []any{true}
	case typ.Kind() == reflect.Pointer:
		list = append(list, reflect.New(typ.Elem()))
	case typ.Kind() == reflect.Slice:
		for _, n := range []int{0, 1, 64, 65, 256, 257, 1000, 1001} {
			list = append(list, reflect.MakeSlice(typ, n, n))
		}
	}
	for _, v := range raw {
		list = append(list, reflect.ValueOf(v).Convert(typ))
	}
	return list
}

func TestEveryProblemIsListed(t *testing.T) {
	doc := `{"eventId":"x","schemaVersion":2,"channel":"SMS","direction":"in","conversationId":7,"sender":{"phone":"555-secret"},` +
		`"recipient":[],"message":{"text":null,"attachments":[{"url":"https://a"},{"name":3}],"location":{"latitude":91},` +
		`"template":{"variables":{"secret":1}}},"timestamp":"secret","metadata":{"secret name":{}}}`
	_, err := canonical.Decode([]byte(doc))
	v, ok := errors.AsType[*canonical.ValidationError](err)
	if !ok {
		t.Fatal(err)
	}
	var got []string
	for _, p := range v.Problems {
		got = append(got, p.Path+" "+p.Code)
	}
	slices.Sort(got)
	want := []string{
		"$.channel format", "$.conversationId type", "$.direction value", "$.eventId format",
		"$.message.attachments[1].name type", "$.message.attachments[1].url required", "$.message.location.latitude range",
		"$.message.location.longitude required", "$.message.template.id required", "$.message.template.variables.* type",
		"$.message.text type", "$.metadata.* format", "$.recipient type", "$.sender.phone format", "$.timestamp format",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error repeats the document: %v", err)
	}
	if !strings.HasSuffix(err.Error(), " and 5 more") {
		t.Errorf("the error's text is not bounded: %v", err)
	}
}

// source is the package's own text, in which every reason stands.
var source = sync.OnceValue(func() string {
	var b strings.Builder
	paths, _ := filepath.Glob("*.go")
	for _, path := range paths {
		if data, err := os.ReadFile(path); err == nil && !strings.HasSuffix(path, "_test.go") {
			b.Write(data)
		}
	}
	return b.String()
})

var (
	segment = regexp.MustCompile(`\.(\*|[A-Za-z][A-Za-z0-9]*)|\[\d+\]`)
	huge    = regexp.MustCompile(`[eE][+-]?\d{4,}`) // more than a schema validator should be asked to multiply out
)

// repeats says what part of a problem or of the fault around it is not a literal of the package or a name of the schema.
func repeats(err error) string {
	v, ok := errors.AsType[*canonical.ValidationError](err)
	if !ok {
		if _, cause, _ := strings.Cut(err.Error(), ": "); !strings.Contains(source(), `"`+cause+`"`) {
			return err.Error()
		}
		return ""
	}
	for _, p := range v.Problems {
		words := []string{p.Reason}
		if values, list := strings.CutPrefix(p.Reason, "must be one of "); list {
			words = strings.Split(values, ", ")
		}
		for _, word := range words {
			if !strings.Contains(source(), `"`+word+`"`) && !strings.Contains(source(), "`"+word+"`") {
				return p.Reason
			}
		}
		rest := strings.TrimPrefix(p.Path, "$")
		for _, m := range segment.FindAllStringSubmatch(rest, -1) {
			if m[1] != "" && m[1] != "*" && !bytes.Contains(schema.Event(), []byte(`"`+m[1]+`": {`)) {
				return p.Path
			}
		}
		if segment.ReplaceAllString(rest, "") != "" {
			return p.Path
		}
	}
	return ""
}
