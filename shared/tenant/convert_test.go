package tenant

import (
	"encoding/json"
	"reflect"
	"testing"

	"signalbox/shared/secret"

	"github.com/google/go-cmp/cmp"
)

// TestNoMemberOfAFileIsLostWhenItIsSealed: what is added to the types of a file is kept, and shown by a plan.
func TestNoMemberOfAFileIsLostWhenItIsSealed(t *testing.T) {
	t.Parallel()
	var f File
	fill(reflect.ValueOf(&f).Elem())
	read := func(file any) leaves {
		all := leaves{}
		if err := all.read(file); err != nil {
			t.Fatal(err)
		}
		return all
	}
	written := read(f) // credentials as <secret>
	kept, err := convert(f, func(_ string, value secret.Value) (string, error) { return value.String(), nil })
	if diff := cmp.Diff(written, read(kept), cmp.AllowUnexported(leaf{})); diff != "" || err != nil {
		t.Errorf("%v: -written +kept: %s", err, diff)
	}
	if len(written) < 25 {
		t.Errorf("only %d members are looked at", len(written))
	}
}

// fill gives everything in v a value.
func fill(v reflect.Value) {
	if v.Type() == reflect.TypeFor[json.RawMessage]() {
		v.SetBytes([]byte(`{"a":1}`))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field)
		}
	default:
		panic("a file has a member of another kind: " + v.Type().String())
	}
}
