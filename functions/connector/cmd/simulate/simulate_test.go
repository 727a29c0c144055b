package simulate_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector/cmd/simulate"

	"github.com/google/go-cmp/cmp"
)

func TestFlagsOfASimulator(t *testing.T) {
	t.Parallel()
	environment := map[string]string{"SIMULATOR_TOKEN": "environment", "SIMULATOR_LIMIT": "7", "SIMULATOR_SETTINGS": `{"a":1}`}
	settings := json.RawMessage(`{"a":1}`)
	for name, c := range map[string]struct {
		environment map[string]string
		arguments   []string
		want        simulate.Flags
		says        string
	}{
		"the environment alone": {environment, nil, simulate.Flags{Listen: "127.0.0.1:8092", Token: "environment", Settings: settings, Limit: 7}, ""},
		"flags are before the environment": {
			environment,
			[]string{"-token", "t", "-listen", "0.0.0.0:0", "-limit", "5", "-index-lag", "2s"},
			simulate.Flags{Listen: "0.0.0.0:0", Token: "t", Settings: settings, Limit: 5, IndexLag: 2 * time.Second},
			"",
		},
		"flags alone":               {nil, []string{"-token", "t"}, simulate.Flags{Listen: "127.0.0.1:8092", Token: "t", Limit: 190, Settings: json.RawMessage{}}, ""},
		"no limit":                  {environment, []string{"-limit", "0"}, simulate.Flags{Listen: "127.0.0.1:8092", Token: "environment", Settings: settings}, ""},
		"no token anywhere":         {nil, nil, simulate.Flags{}, "SIMULATOR_TOKEN"},
		"a number that is none":     {map[string]string{"SIMULATOR_LIMIT": "many"}, []string{"-token", "t"}, simulate.Flags{}, "SIMULATOR_LIMIT"},
		"what is no flag":           {environment, []string{"8092"}, simulate.Flags{}, "8092"},
		"a limit below nothing":     {environment, []string{"-limit", "-1"}, simulate.Flags{}, "-limit"},
		"a limit that is no number": {environment, []string{"-limit", "many"}, simulate.Flags{}, "-limit"},
		"a token without its value": {environment, []string{"-token"}, simulate.Flags{}, "-token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lookup := func(name string) (string, bool) { value, ok := c.environment[name]; return value, ok }
			got, err := simulate.Parse("x-simulate", simulate.Flags{Listen: "127.0.0.1:8092", Limit: 190}, lookup, c.arguments)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %s", err, c.says)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}
