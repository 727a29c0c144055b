package runtimeapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptrace"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/shared/dev/local/process"
	"signalbox/shared/dev/local/runtimeapi"
)

// function builds the test function once for all tests.
var function = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "function")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", path, "./testdata/function").CombinedOutput()
	if err != nil {
		return "", &buildError{string(out)}
	}
	return path, nil
})

type buildError struct{ output string }

func (e *buildError) Error() string { return e.output }

// lockedBuffer may be read while children write.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newPool(t *testing.T, spec runtimeapi.Spec, env ...string) (*runtimeapi.Pool, *lockedBuffer) {
	t.Helper()
	return newPoolUntil(context.WithoutCancel(t.Context()), t, spec, env...)
}

// newPoolUntil returns a pool that runs until ctx is done.
func newPoolUntil(ctx context.Context, t *testing.T, spec runtimeapi.Spec, env ...string) (*runtimeapi.Pool, *lockedBuffer) {
	t.Helper()
	path, err := function()
	if err != nil {
		t.Fatal(err)
	}
	g, err := process.NewGuardian(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	spec.Name, spec.ARN, spec.Path = "Test", "arn:aws:lambda:us-east-1:000000000000:function:test", path
	if spec.Timeout == 0 {
		spec.Timeout = 20 * time.Second
	}
	spec.Environment = func(id string) []string { return append([]string{"AWS_ACCESS_KEY_ID=" + id}, env...) }
	var out lockedBuffer
	p := runtimeapi.NewPool(ctx, g, process.NewLog(&out), spec)
	t.Cleanup(p.Close)
	return p, &out
}

func invoke(t *testing.T, p *runtimeapi.Pool, do string) (map[string]string, string) {
	t.Helper()
	result, err := p.Invoke(t.Context(), "id-"+do, []byte(`{"do":"`+do+`"}`), "Root=1-2-3")
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(result.Payload, &answer); err != nil {
		t.Fatalf("%v: %s", err, result.Payload)
	}
	texts := map[string]string{}
	for k, v := range answer {
		if s, ok := v.(string); ok {
			texts[k] = s
		}
	}
	return texts, result.Error
}

func TestAnInvocationCarriesWhatLambdaTells(t *testing.T) {
	p, out := newPool(t, runtimeapi.Spec{})
	got, failed := invoke(t, p, "answer")
	want := map[string]string{
		"key": "Test.1", "arn": "arn:aws:lambda:us-east-1:000000000000:function:test", "request": "id-answer",
		"trace": "Root=1-2-3", "left": "20s",
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: %q, want %q", k, got[k], v)
		}
	}
	p.Close() // what a process wrote may arrive behind its answer, but not behind its end
	if failed != "" || !strings.Contains(out.String(), "Test | asked to answer\n") {
		t.Errorf("failed %q, log %q", failed, out.String())
	}
}

func TestAFailureEndsOneInvocationAndTheNextOneWorks(t *testing.T) {
	for name, c := range map[string]struct {
		do, message string
		sameProcess bool
	}{
		"an error is answered by the process, which goes on": {"fail", "failed as asked", true},
		"a panic is answered and ends the process":           {"panic", "panicked as asked", false},
		"an exit is answered by the runner":                  {"exit", "exit status 3", false},
		"a time-out kills":                                   {"hang", "timed out after 1.00 seconds", false},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := newPool(t, runtimeapi.Spec{Timeout: time.Second})
			got, failed := invoke(t, p, c.do)
			if failed != "Unhandled" || !strings.Contains(got["errorMessage"], c.message) {
				t.Errorf("error %q, answer %v", failed, got)
			}
			next, failed := invoke(t, p, "answer")
			if failed != "" || (next["key"] == "Test.1") != c.sameProcess {
				t.Errorf("error %q, process %q", failed, next["key"])
			}
		})
	}
}

func TestAProcessThatCannotStartFailsItsInvocation(t *testing.T) {
	p, out := newPool(t, runtimeapi.Spec{}, "BREAK=init")
	for range 2 {
		if got, failed := invoke(t, p, "answer"); failed == "" || !strings.Contains(got["errorMessage"], "exit status 2") {
			t.Errorf("error %q, answer %v", failed, got)
		}
	}
	if !strings.Contains(out.String(), "broken at the start") {
		t.Errorf("log %q", out.String())
	}
}

func TestAKilledProcessFailsItsInvocation(t *testing.T) {
	p, out := newPool(t, runtimeapi.Spec{})
	failed := make(chan string, 1)
	go func() {
		result, err := p.Invoke(t.Context(), "id", []byte(`{"do":"hang"}`), "")
		if err != nil {
			result.Error = err.Error()
		}
		failed <- result.Error
	}()
	for tick := time.NewTicker(5 * time.Millisecond); !strings.Contains(out.String(), "asked to hang"); {
		<-tick.C
	}
	if running := p.Running(); len(running) != 1 || !p.KillIf(running[0], whatever) {
		t.Fatalf("running %v", running)
	}
	if got := <-failed; got != "Unhandled" {
		t.Errorf("error %q", got)
	}
	if p.KillIf("Test.1", whatever) {
		t.Error("the process was killed twice")
	}
}

func TestAFrozenProcessGoesOnOrIsTimedOut(t *testing.T) {
	for name, c := range map[string]struct {
		do, failed string
		frozen     time.Duration
	}{
		"it goes on":                       {"wait", "", 600 * time.Millisecond},
		"its time is over while it stands": {"wait", "Unhandled", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			p, out := newPool(t, runtimeapi.Spec{Timeout: 2 * time.Second})
			type answer struct {
				result runtimeapi.Result
				err    error
			}
			answered := make(chan answer, 1)
			go func() {
				result, err := p.Invoke(t.Context(), "id", []byte(`{"do":"`+c.do+`"}`), "")
				answered <- answer{result, err}
			}()
			for tick := time.NewTicker(5 * time.Millisecond); !strings.Contains(out.String(), "asked to "+c.do); {
				<-tick.C
			}
			if p.FreezeIf("Test.1", func([]byte) bool { return false }, 0) || p.FreezeIf("Test.2", func([]byte) bool { return true }, 0) {
				t.Error("what may not be frozen was")
			}
			if !p.FreezeIf("Test.1", func(event []byte) bool { return strings.Contains(string(event), c.do) }, c.frozen) {
				t.Error("it was not frozen")
			}
			if got := <-answered; got.err != nil || got.result.Error != c.failed || got.result.TimedOut != (c.failed != "") || got.result.Took < 600*time.Millisecond {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestTheEndIsNoEventOfAFunction: who was answered when everything ended took that for an event without a deadline, and logged so.
func TestTheEndIsNoEventOfAFunction(t *testing.T) {
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	defer end()
	p, _ := newPoolUntil(ctx, t, runtimeapi.Spec{})
	got, _ := invoke(t, p, "answer")
	asked := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { end() }})
	request, err := http.NewRequestWithContext(asked, http.MethodGet, "http://"+got["api"]+"/2018-06-01/runtime/invocation/next", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		_ = response.Body.Close()
		t.Errorf("an event of %v", response.Header)
	}
}

func TestAQueueThatGrowsStartsProcessesUpToTheLimit(t *testing.T) {
	p, _ := newPool(t, runtimeapi.Spec{MaxProcesses: 2})
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() { invoke(t, p, "wait") })
	}
	all.Wait()
	if got := len(p.Running()); got != 2 {
		t.Errorf("%d processes", got)
	}
	p.Recycle()
	if got := p.Running(); len(got) != 0 {
		t.Errorf("processes %v after recycling", got)
	}
	if got, _ := invoke(t, p, "answer"); got["key"] != "Test.3" {
		t.Errorf("process %q", got["key"])
	}
}

// whatever allows a kill whatever the process works on.
func whatever([]byte) bool { return true }
