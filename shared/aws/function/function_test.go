package function_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"signalbox/shared/aws/function"
	"signalbox/shared/queue"
	"signalbox/shared/telemetry"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestAWorkerHasTheTimesOfTheEnvironment(t *testing.T) {
	t.Parallel()
	id := telemetry.Identity{Function: "signalbox-route", Version: "7", Stack: "signalbox"}
	for sentence, c := range map[string]struct {
		environment map[string]string
		want        queue.Worker
		problem     string
	}{
		"none where the environment says nothing": {
			nil,
			queue.Worker{Stage: "route", Identity: id},
			"configuration: PATIENCE_SECONDS is not set; BLOCKED_WAIT_SECONDS is not set; BACKOFF_MIN_SECONDS is not set; " +
				"BACKOFF_MAX_SECONDS is not set; MESSAGE_SECONDS is not set; SOFT_MARGIN_SECONDS is not set",
		},
		"each from the variable of its name": {
			map[string]string{
				"PATIENCE_SECONDS": "1", "BLOCKED_WAIT_SECONDS": "2", "BACKOFF_MIN_SECONDS": "3", "BACKOFF_MAX_SECONDS": "4",
				"MESSAGE_SECONDS": "5", "SOFT_MARGIN_SECONDS": "0.5",
			},
			queue.Worker{
				Stage: "route", Identity: id, Patience: time.Second, BlockedWait: 2 * time.Second, BackoffMin: 3 * time.Second,
				BackoffMax: 4 * time.Second, MessageTime: 5 * time.Second, SoftMargin: 500 * time.Millisecond,
			},
			"",
		},
		"a time that is none is a problem": {
			map[string]string{
				"PATIENCE_SECONDS": "1", "BLOCKED_WAIT_SECONDS": "2", "BACKOFF_MIN_SECONDS": "3", "BACKOFF_MAX_SECONDS": "4",
				"MESSAGE_SECONDS": "20s", "SOFT_MARGIN_SECONDS": "0.5",
			},
			queue.Worker{
				Stage: "route", Identity: id, Patience: time.Second, BlockedWait: 2 * time.Second, BackoffMin: 3 * time.Second,
				BackoffMax: 4 * time.Second, SoftMargin: 500 * time.Millisecond,
			},
			"configuration: MESSAGE_SECONDS is not a number of seconds above zero",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			f := function.New("route", environment(c.environment), &bytes.Buffer{})
			got := f.Worker("route")
			ignored := cmpopts.IgnoreFields(queue.Worker{}, "Random", "Logger", "Meter")
			if diff := cmp.Diff(c.want, *got, ignored); diff != "" {
				t.Error(diff)
			}
			if got.Random == nil || got.Logger == nil || got.Meter == nil {
				t.Error("the worker is not complete")
			}
			if err := f.Err(); (err != nil) != (c.problem != "") || err != nil && err.Error() != c.problem {
				t.Errorf("%v, want %q", err, c.problem)
			}
		})
	}
}

func TestWhatIsMissingIsNamedOnce(t *testing.T) {
	t.Parallel()
	f := function.New("x", func(string) (string, bool) { return "", false }, &bytes.Buffer{})
	f.Tenants()
	f.Tenants()
	f.Peppers()
	f.Box()
	f.DeadLetters()
	const want = "awsconfig: AWS_REGION is not set\n" +
		"configuration: CONFIG_TABLE is not set; PEPPER_SECRET is not set; DATA_KEY is not set; DEAD_LETTERS_URL is not set"
	if err := f.Err(); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestAFunctionThatCannotStartSaysWhy runs itself as one.
func TestAFunctionThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	const child = "FUNCTION_TEST_CHILD"
	if os.Getenv(child) != "" {
		f := function.Begin("x")
		f.StartWorker(f.Worker("x"))
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$")
	command.Env = []string{child + "=1", "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret", "MESSAGE_SECONDS=soon"}
	said, err := command.CombinedOutput()
	const want = `"msg":"cannot start","function":"x","version":"0","reason":"configuration: PATIENCE_SECONDS is not set; BLOCKED_WAIT_SECONDS is not set; BACKOFF_MIN_SECONDS is not set; BACKOFF_MAX_SECONDS is not set; MESSAGE_SECONDS is not a number of seconds above zero; SOFT_MARGIN_SECONDS is not set; QUEUE_URL is not set"`
	if command.ProcessState.ExitCode() != 1 || !strings.Contains(string(said), want) {
		t.Errorf("%v: %s", err, said)
	}
}

// environment is a function's: what Lambda sets, and variables.
func environment(variables map[string]string) func(string) (string, bool) {
	lambda := map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_LAMBDA_FUNCTION_NAME": "signalbox-route", "AWS_LAMBDA_FUNCTION_VERSION": "7", "STACK": "signalbox",
	}
	return func(name string) (string, bool) {
		if value, ok := variables[name]; ok {
			return value, true
		}
		value, ok := lambda[name]
		return value, ok
	}
}
