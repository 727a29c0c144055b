package lambdainvoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"signalbox/shared/aws/lambdainvoke"
)

type request struct {
	Action string  `json:"action"`
	Filter *filter `json:"filter"`
	Part
	File json.RawMessage `json:"file"`
	From time.Time       `json:"from"`
}

// Part is a part of it that other requests have, too.
type Part struct {
	By string `json:"by"`
}

type filter struct {
	Limit int `json:"limit"`
}

type answer struct{ Problem, Action string }

func TestARequestThatCannotBeReadIsAnsweredWithWhatIsWrong(t *testing.T) {
	t.Parallel()
	const deep = 100_000
	for name, tt := range map[string]struct{ payload, problem string }{
		"one that can be":         {`{"action":"plan","filter":{"limit":3},"file":{"a":[]}}`, ""},
		"cut":                     {`{"action":"plan","fil`, "the request is not one JSON value, or is nested too deep: look near byte 21"},
		"nothing":                 {``, "the request is not one JSON value, or is nested too deep: look near byte 0"},
		"brackets":                {strings.Repeat("[", deep), "the request is not one JSON value, or is nested too deep: look near byte 10001"},
		"a deep file":             {`{"action":"plan","file":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `}`, "the request is not one JSON value, or is nested too deep: look near byte 10024"},
		"a list":                  {`["hunter2"]`, "the request is not an object with the members of a request"},
		"a number for a word":     {`{"action":77123}`, "action is not of the type that is wanted there"},
		"a word for a number":     {`{"filter":{"limit":"hunter2"}}`, "filter.limit is not of the type that is wanted there"},
		"one in a shared part":    {`{"by":[]}`, "by is not of the type that is wanted there"},
		"a time that is none":     {`{"from":"hunter2"}`, "the request has a member that cannot be read"},
		"what is not UTF-8":       {"{\"action\":\"\xff\"}", "the request is not in UTF-8"},
		"something behind it":     {`{} {}`, "the request is not one JSON value, or is nested too deep: look near byte 4"},
		"a name that is no name ": {`{"hunter2":1}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := lambdainvoke.Handler(func(_ context.Context, r request) (answer, error) {
				return answer{Action: r.Action}, nil
			}, func(problem string) answer { return answer{Problem: problem} })
			out, err := handler.Invoke(t.Context(), []byte(tt.payload))
			if err != nil {
				t.Fatalf("it ends unhandled: %v", err)
			}
			var got answer
			if err := json.Unmarshal(out, &got); err != nil || got.Problem != tt.problem {
				t.Errorf("%s, %v; want %q", out, err, tt.problem)
			}
			if strings.Contains(string(out), "hunter2") || strings.Contains(string(out), "77123") {
				t.Errorf("the request is told: %s", out)
			}
		})
	}
}

func TestWhatAFunctionReturnsAsAnErrorIsTold(t *testing.T) {
	t.Parallel()
	failed := errors.New("store_throttled")
	handler := lambdainvoke.Handler(func(context.Context, request) (answer, error) { return answer{}, failed }, func(string) answer { return answer{} })
	if _, err := handler.Invoke(t.Context(), []byte("{}")); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
}
