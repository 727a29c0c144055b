package adapter_test

import (
	"maps"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/shared/jsontext"
)

func TestAnswers(t *testing.T) {
	for written, want := range map[string]map[string]string{
		`{"size":"43","colours":["red","blue"],"to":{"street":"1 Elm Street"},"insured":true,"flow_token":"t-1","left":null}`: {
			"size": "43", "colours": "red, blue", "to.street": "1 Elm Street", "insured": "true",
		},
		`{}`: {}, `[1]`: nil, `"x"`: nil, ``: nil,
	} {
		flow, _ := jsontext.Parse([]byte(written), 8)
		if got := adapter.Answers(flow); !maps.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%s is %v, want %v", written, got, want)
		}
	}
}
