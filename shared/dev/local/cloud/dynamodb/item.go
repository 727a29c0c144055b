package dynamodb

import (
	"slices"
	"strconv"
	"time"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// attribute is a value of one of the three types the product stores.
type attribute struct {
	S *string `json:"S,omitempty"`
	N *string `json:"N,omitempty"`
	B *[]byte `json:"B,omitempty"`
}

type item map[string]attribute

func text(s string) attribute { return attribute{S: &s} }

func number(n int64) attribute {
	s := strconv.FormatInt(n, 10)
	return attribute{N: &s}
}

func binary(b []byte) attribute {
	if b == nil {
		b = []byte{}
	}
	return attribute{B: &b}
}

// fields reads named attributes out of an item and refuses the rest.
type fields struct {
	what string
	item item
	read []string
	err  error
}

func (f *fields) fail(name, kind string) {
	if f.err == nil {
		f.err = awsjson.NotUnderstood("%s whose %s is no %s", f.what, name, kind)
	}
}

func (f *fields) has(name string) bool {
	_, ok := f.item[name]
	return ok
}

func (f *fields) text(name string) string {
	f.read = append(f.read, name)
	a := f.item[name]
	if a.S == nil || a.N != nil || a.B != nil {
		f.fail(name, "string")
		return ""
	}
	return *a.S
}

func (f *fields) number(name string) int64 {
	f.read = append(f.read, name)
	a := f.item[name]
	if a.N == nil || a.S != nil || a.B != nil {
		f.fail(name, "number")
		return 0
	}
	n, err := strconv.ParseInt(*a.N, 10, 64)
	if err != nil {
		f.fail(name, "whole number")
	}
	return n
}

func (f *fields) binary(name string) []byte {
	f.read = append(f.read, name)
	a := f.item[name]
	if a.B == nil || a.S != nil || a.N != nil {
		f.fail(name, "binary")
		return nil
	}
	return *a.B
}

// done returns the first complaint: an attribute that nobody read is one.
func (f *fields) done() error {
	for name := range f.item {
		if f.err == nil && !slices.Contains(f.read, name) {
			f.err = awsjson.NotUnderstood("%s with %s", f.what, name)
		}
	}
	return f.err
}

// readKey reads a key.
func readKey(i item) (store.Key, error) {
	f := fields{what: "a key", item: i}
	k := store.Key{Partition: f.text("p"), Sort: f.text("s")}
	return k, f.done()
}

// readItem reads a whole item and its writer's token.
func readItem(i item) (r store.Record, token string, err error) {
	f := fields{what: "an item", item: i}
	r.Key = store.Key{Partition: f.text("p"), Sort: f.text("s")}
	r.Version, r.Number, r.Data = f.number("v"), f.number("n"), f.binary("d")
	if f.has("e") {
		r.Expires = time.Unix(f.number("e"), 0).UTC()
	}
	if f.has("w") {
		token = string(f.binary("w"))
	}
	return r, token, f.done()
}

// wire returns a stored record as an item, nil for none.
func wire(s memstore.Stored) item {
	if s.Version == 0 {
		return nil
	}
	i := item{
		"p": text(s.Partition), "s": text(s.Sort),
		"v": number(s.Version), "n": number(s.Number), "d": binary(s.Data),
	}
	if !s.Expires.IsZero() {
		i["e"] = number(s.Expires.Unix())
	}
	if s.Token != "" {
		i["w"] = binary([]byte(s.Token))
	}
	return i
}

// size is what DynamoDB counts of an item.
// See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html.
func size(i item) int {
	total := 0
	for name, a := range i {
		total += len(name)
		switch {
		case a.S != nil:
			total += len(*a.S)
		case a.N != nil:
			total += (len(*a.N)+1)/2 + 1
		case a.B != nil:
			total += len(*a.B)
		}
	}
	return total
}
