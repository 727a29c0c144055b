// Package secrettest says what every secret.Source does, one sentence a promise.
package secrettest

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// Run holds a source to every sentence, each in a synctest bubble, over a source that open fills.
func Run(t *testing.T, open func(t *testing.T, held map[string]secret.Versions) secret.Source) {
	t.Helper()
	for sentence, test := range promises() {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test(t, open(t, held()))
			})
		})
	}
}

// RunReal holds a source outside this process to every sentence that skips does not name, and prints each skip with its reason.
func RunReal(t *testing.T, open func(t *testing.T, held map[string]secret.Versions) secret.Source, skips map[string]string) {
	t.Helper()
	for sentence, test := range promises() {
		t.Run(sentence, func(t *testing.T) {
			if reason, ok := skips[sentence]; ok {
				t.Skip("skipped: " + reason)
			}
			test(t, open(t, held()))
		})
	}
}

func held() map[string]secret.Versions {
	return map[string]secret.Versions{"one": {"only"}, "two": {"current", "previous"}, "odd": {" [\"\n", "ü\x00"}}
}

func promises() map[string]func(*testing.T, secret.Source) {
	return map[string]func(*testing.T, secret.Source){
		"the versions come in their order, byte for byte": func(t *testing.T, s secret.Source) {
			for name, want := range held() {
				got, err := s.Secret(t.Context(), name)
				if d := cmp.Diff(texts(want), texts(got)); d != "" || err != nil {
					t.Errorf("%v\n%s", err, d)
				}
			}
		},
		"an unknown name is a blocked fault": func(t *testing.T, s secret.Source) {
			for range 2 {
				got, err := s.Secret(t.Context(), "unknown")
				if got != nil || err == nil || fault.Of(err).Kind != fault.Blocked {
					t.Errorf("%d versions and %v", len(got), err)
				}
			}
		},
		"what was answered can be changed without harm": func(t *testing.T, s secret.Source) {
			for range 2 {
				got, err := s.Secret(t.Context(), "two")
				if err != nil || string(got[0]) != "current" {
					t.Fatalf("%v", err)
				}
				got[0] = "changed"
			}
		},
		"versions do not print": func(t *testing.T, s secret.Source) {
			got, err := s.Secret(t.Context(), "two")
			if text := fmt.Sprintf("%v %+v %#v %s", got, got, got, got); err != nil || strings.Contains(text, "current") {
				t.Errorf("%v", err)
			}
		},
	}
}

func texts(versions secret.Versions) (plain []string) {
	for _, v := range versions {
		plain = append(plain, string(v))
	}
	return plain
}
