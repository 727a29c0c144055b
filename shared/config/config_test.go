package config_test

import (
	"testing"
	"time"

	"signalbox/shared/config"

	"github.com/google/go-cmp/cmp"
)

func TestReader(t *testing.T) {
	t.Parallel()
	type values struct {
		Name     string
		Optional string
		Wait     time.Duration
		Count    int
		Err      string
	}
	tests := map[string]struct {
		environment map[string]string
		want        values
	}{
		"everything set is answered as it is": {
			map[string]string{"NAME": "queue", "OPTIONAL": "x", "WAIT": "35", "COUNT": "3"},
			values{"queue", "x", 35 * time.Second, 3, ""},
		},
		"a fraction of a second is a time": {
			map[string]string{"NAME": "queue", "WAIT": "0.25"},
			values{"queue", "def", 250 * time.Millisecond, 7, ""},
		},
		"what is not set takes its default, and what has none is a problem": {
			nil,
			values{"", "def", 0, 7, "configuration: NAME is not set; WAIT is not set"},
		},
		"every problem is listed by name and no value is told": {
			map[string]string{"NAME": "  ", "WAIT": "hunter2", "COUNT": "hunter3"},
			values{"", "def", 0, 7, "configuration: NAME is not set; WAIT is not a number of seconds above zero; COUNT is not a whole number"},
		},
		"a time that is zero is refused": {
			map[string]string{"NAME": "queue", "WAIT": "0"},
			values{"queue", "def", 0, 7, "configuration: WAIT is not a number of seconds above zero"},
		},
		"a time that is not a number is refused": {
			map[string]string{"NAME": "queue", "WAIT": "NaN"},
			values{"queue", "def", 0, 7, "configuration: WAIT is not a number of seconds above zero"},
		},
		"a time that overflows is refused": {
			map[string]string{"NAME": "queue", "WAIT": "1e300"},
			values{"queue", "def", 0, 7, "configuration: WAIT is not a number of seconds above zero"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := config.New(func(name string) (string, bool) {
				value, ok := tt.environment[name]
				return value, ok
			})
			got := values{
				Name: r.String("NAME"), Optional: r.Optional("OPTIONAL", "def"),
				Wait: r.Seconds("WAIT"), Count: r.Int("COUNT", 7),
			}
			if err := r.Err(); err != nil {
				got.Err = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
