package simulatortest_test

import (
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector/simulatortest"

	"github.com/google/go-cmp/cmp"
)

func TestFlagsOfASimulator(t *testing.T) {
	defaults := simulatortest.Flags{Listen: "127.0.0.1:8092", Token: "environment", Limit: 190}
	cases := map[string]struct {
		change    func(*simulatortest.Flags)
		arguments []string
		want      simulatortest.Flags
		says      string
	}{
		"none":                      {nil, nil, defaults, ""},
		"all":                       {nil, []string{"-token", "t", "-listen", "0.0.0.0:0", "-limit", "5", "-index-lag", "2s"}, simulatortest.Flags{Listen: "0.0.0.0:0", Token: "t", Limit: 5, IndexLag: 2 * time.Second}, ""},
		"no limit":                  {nil, []string{"-limit", "0"}, simulatortest.Flags{Listen: "127.0.0.1:8092", Token: "environment"}, ""},
		"no token anywhere":         {func(f *simulatortest.Flags) { f.Token = "" }, nil, simulatortest.Flags{}, "SIMULATOR_TOKEN"},
		"what is no flag":           {nil, []string{"8092"}, simulatortest.Flags{}, "8092"},
		"a limit below nothing":     {nil, []string{"-limit", "-1"}, simulatortest.Flags{}, "-limit"},
		"a limit that is no number": {nil, []string{"-limit", "many"}, simulatortest.Flags{}, "-limit"},
		"a token without its value": {nil, []string{"-token"}, simulatortest.Flags{}, "-token"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			given := defaults
			if c.change != nil {
				c.change(&given)
			}
			got, err := simulatortest.ParseFlags("x-simulate", given, c.arguments)
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
