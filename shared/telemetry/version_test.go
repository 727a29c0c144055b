package telemetry_test

import (
	"os"
	"regexp"
	"testing"

	"signalbox/shared/telemetry"
)

func TestWhatAFunctionSaysOfItsVersion(t *testing.T) {
	for sentence, c := range map[string]struct{ version, want string }{
		"a published version is its number":                   {"17", "^17$"},
		"without Lambda there is none":                        {"", "^0$"},
		"a function without an alias tells which build it is": {"$LATEST", "^[A-Za-z0-9_-]{8}$"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if _, err := os.Stat("/proc/self/exe"); err != nil && c.version == "$LATEST" {
				t.Skip("only Linux, where functions run, shows a process its program: ", err)
			}
			optional := func(variable, def string) string {
				if variable == "AWS_LAMBDA_FUNCTION_VERSION" && c.version != "" {
					return c.version
				}
				return def
			}
			if got := telemetry.IdentityFrom(optional, "fn").Version; !regexp.MustCompile(c.want).MatchString(got) {
				t.Errorf("%q, want %s", got, c.want)
			}
		})
	}
}
