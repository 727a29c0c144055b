package delivery_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
)

// fill gives every field below v a value, so that a field that is added is seen.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("\"quoted\" <angle> & \\ \n\t\x01 é \u2028 " + v.Type().Name())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Type != reflect.TypeFor[canonical.Event]() {
				fill(t, v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0))
		fill(t, v.Index(1))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"b": "2", "a": "<1>", "c\"": ""}))
	default:
		t.Fatalf("Encode knows no %s", v.Type())
	}
}

func event() canonical.Event {
	return canonical.Event{
		EventID: "e", SchemaVersion: canonical.SchemaVersion, TenantID: "demo", Channel: canonical.SMS, Direction: canonical.Inbound,
		ConversationID: "sms:a:b", Timestamp: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		Message: &canonical.Message{Text: "<<<>>> & \"so on\""},
	}
}

func TestWhatIsEncodedIsWhatADecoderExpects(t *testing.T) {
	full := delivery.Delivery{Event: event()}
	fill(t, reflect.ValueOf(&full).Elem())
	for name, d := range map[string]delivery.Delivery{
		"every field":    full,
		"no field":       {Event: event()},
		"empty, not nil": {Event: event(), Actions: []delivery.Action{}, Why: []delivery.RuleReference{}, Person: delivery.Person{Links: map[string]string{}}},
	} {
		t.Run(name, func(t *testing.T) {
			encoded := delivery.Encode(&d)
			standard, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := json.Unmarshal(encoded, &got); err != nil {
				t.Fatalf("%s: %v", encoded, err)
			}
			if err := json.Unmarshal(standard, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if bytes.Contains(encoded, []byte(`\u003c`)) {
				t.Errorf("an angle bracket grew: %s", encoded)
			}
		})
	}
}
