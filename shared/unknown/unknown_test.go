package unknown_test

import (
	"encoding/json"
	"testing"

	"signalbox/shared/unknown"

	"github.com/google/go-cmp/cmp"
)

type known struct {
	Name    string          `json:"name,omitempty"`
	Count   int             `json:"count,omitzero"`
	Unknown unknown.Members `json:"-"`
}

func TestWhatIsNotKnownIsWrittenBack(t *testing.T) {
	t.Parallel()
	for read, want := range map[string]string{
		`{"name":"a","count":2}`:                    `{"name":"a","count":3}`,
		`{"later":{"a":[1,2]},"name":"a","also":1}`: `{"name":"a","count":1,"also":1,"later":{"a":[1,2]}}`,
		`{"\"odd\" \u0000":"<b>"}`:                  `{"count":1,"\"odd\" \u0000":"<b>"}`,
		`{}`:                                        `{"count":1}`,
		`null`:                                      `{"count":1}`,
	} {
		var k known
		members, err := unknown.Unmarshal([]byte(read), &k)
		if err != nil {
			t.Fatal(err)
		}
		k.Count++
		got, err := unknown.Marshal(k, members)
		if err != nil || string(got) != want {
			t.Errorf("%s is written back as %s, %v", read, got, err)
		}
	}
	if _, err := unknown.Unmarshal([]byte(`[]`), &known{}); err == nil {
		t.Error("a list is an object")
	}
}

func FuzzWhatIsWrittenBackIsWhatWasRead(f *testing.F) {
	f.Add([]byte(`{"later":{"a":[1,2]},"name":"a","also":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var k known
		members, err := unknown.Unmarshal(data, &k)
		if err != nil {
			return
		}
		again, err := unknown.Marshal(k, members)
		if err != nil {
			t.Fatal(err)
		}
		var read known
		second, err := unknown.Unmarshal(again, &read)
		if err != nil {
			t.Fatalf("%s from %s: %v", again, data, err)
		}
		if len(second) != len(members) || read.Name != k.Name || read.Count != k.Count {
			t.Errorf("%s from %s: %s", again, data, cmp.Diff(members, second))
		}
		if !json.Valid(again) {
			t.Errorf("%s is no JSON", again)
		}
	})
}
