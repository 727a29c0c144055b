package tenant

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// MaxFile is the largest tenant file that is read, in bytes.
const MaxFile = 1 << 20

// Decode reads a tenant file and validates it. Unknown names, names written twice and values of the wrong type are refused;
// the error is an *InvalidError with every problem.
func Decode(data []byte) (File, error) {
	if len(data) > MaxFile {
		return File{}, invalid([]Problem{{"", fmt.Sprintf("the file is larger than %d bytes", MaxFile)}})
	}
	var problems []Problem
	tree, err := parse(data, &problems)
	if err != nil {
		return File{}, invalid([]Problem{{"", "the file is not one JSON value"}})
	}
	compare("", tree, reflect.TypeFor[File](), &problems)
	if len(problems) > 0 {
		return File{}, invalid(problems)
	}
	var f File
	if err := json.Unmarshal(data, &f); err != nil { // compare has seen to it that this cannot be
		return File{}, invalid([]Problem{{"", "the file cannot be decoded"}})
	}
	return f, invalid(Validate(f))
}

// object is a JSON object with its names in the order in which they were written.
type object struct {
	names  []string
	values map[string]any
}

// parse reads one JSON value into objects, []any and scalars, and finds names that are written twice.
func parse(data []byte, problems *[]Problem) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	value, err := parseValue(d, "", problems)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	return value, nil
}

func parseValue(d *json.Decoder, path string, problems *[]Problem) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		o := object{values: map[string]any{}}
		for d.More() {
			token, err := d.Token()
			if err != nil {
				return nil, err
			}
			name, _ := token.(string) // the decoder lets nothing else stand there
			value, err := parseValue(d, join(path, name), problems)
			if err != nil {
				return nil, err
			}
			if _, twice := o.values[name]; twice {
				*problems = append(*problems, Problem{join(path, name), "is written twice"})
			}
			o.names, o.values[name] = append(o.names, name), value
		}
		_, err := d.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			value, err := parseValue(d, fmt.Sprintf("%s[%d]", path, len(list)), problems)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err := d.Token()
		return list, err
	default:
		return token, nil
	}
}

// longestName keeps what a stranger wrote in place of a name out of logs.
const longestName = 40

func join(path, name string) string {
	plain := func(r rune) bool { return r > ' ' && r < 0x7f && r != '"' }
	if len(name) > longestName || strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		name = "?"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// compare reports where a JSON value does not fit a Go type. Names are compared exactly, unlike encoding/json does.
func compare(path string, value any, t reflect.Type, problems *[]Problem) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	o, isObject := value.(object)
	list, isList := value.([]any)
	_, isString := value.(string)
	_, isBool := value.(bool)
	fits, want := false, "something a tenant file can hold"
	switch {
	case t == reflect.TypeFor[json.RawMessage](), t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		fits, want = isObject, "an object"
	case t.Kind() == reflect.Slice:
		fits, want = isList, "a list"
	case t.Kind() == reflect.String:
		fits, want = isString, "a string"
	case t.Kind() == reflect.Bool:
		fits, want = isBool, "true or false"
	}
	switch {
	case !fits:
		*problems = append(*problems, Problem{cmp.Or(path, "the file"), "is " + describe(value) + ", not " + want})
	case t.Kind() == reflect.Struct:
		compareFields(path, o, t, problems)
	case t.Kind() == reflect.Map:
		for _, name := range o.names {
			compare(join(path, name), o.values[name], t.Elem(), problems)
		}
	case isList:
		for i, element := range list {
			compare(fmt.Sprintf("%s[%d]", path, i), element, t.Elem(), problems)
		}
	}
}

func compareFields(path string, o object, t reflect.Type, problems *[]Problem) {
	fields := map[string]reflect.Type{}
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields[name] = field.Type
		if _, ok := o.values[name]; !ok && !strings.Contains(options, "omitempty") {
			*problems = append(*problems, Problem{join(path, name), "is missing"})
		}
	}
	seen := map[string]bool{}
	for _, name := range o.names {
		fieldType, known := fields[name]
		switch {
		case seen[name]:
		case !known:
			*problems = append(*problems, Problem{join(path, name), "is not a name known here"})
		default:
			compare(join(path, name), o.values[name], fieldType, problems)
		}
		seen[name] = true
	}
}

// describe answers what kind of value was written.
func describe(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case object:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	default:
		return "a number"
	}
}
