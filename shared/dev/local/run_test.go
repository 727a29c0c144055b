package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"signalbox/shared/dev/local"
)

// program builds the command and returns its path.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "local")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/local").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// lines hands over what is written, line by line.
type lines struct {
	rest []byte
	out  chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte{'\n'})
		if !found {
			return len(p), nil
		}
		l.out <- string(line)
		l.rest = rest
	}
}

func TestRunSaysThatItIsReadyAndLeavesNothingBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	binary := program(t)
	for name, c := range map[string]struct{ signal syscall.Signal }{
		"interrupted":         {syscall.SIGINT},
		"asked to end":        {syscall.SIGTERM},
		"killed":              {syscall.SIGKILL},
		"its terminal closed": {syscall.SIGHUP},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), binary, "run")
			cmd.Env = append(os.Environ(), "GATEWAY_PORT=0", "AWS_PORT=0", "HUBSPOT_PORT=0", "SALESFORCE_PORT=0")
			out := &lines{out: make(chan string, 10)}
			var stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = out, &stderr
			cmd.WaitDelay = 5 * time.Second
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			var line string
			select {
			case line = <-out.out:
			case err := <-ended:
				t.Fatalf("%v: %s", err, &stderr)
			}
			var ready struct {
				Ready                       bool
				Gateway, AWS, PublicBaseURL string
				CRMs                        map[string]string
			}
			if err := json.Unmarshal([]byte(line), &ready); err != nil || !ready.Ready || ready.PublicBaseURL == "" || ready.CRMs["hubspot"] == "" || ready.CRMs["salesforce"] == "" {
				t.Fatalf("%v: %s", err, line)
			}
			answers(t, "", ready.CRMs["hubspot"]+"/_simulator/records?object=contacts", http.StatusOK)
			answers(t, "Bearer guessed", ready.CRMs["hubspot"]+"/crm/objects/2026-03/contacts/1", http.StatusUnauthorized)
			answers(t, "", ready.CRMs["salesforce"]+"/_simulator/records?object=Lead", http.StatusOK)
			answers(t, "Bearer guessed", ready.CRMs["salesforce"]+"/services/data/v66.0/query?q=x", http.StatusUnauthorized)
			answers(t, "", ready.Gateway+"/nowhere", http.StatusNotFound)
			answers(t, "", ready.AWS, http.StatusBadRequest)
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil && c.signal != syscall.SIGKILL {
				t.Errorf("it did not end well: %v", err)
			}
			for _, base := range []string{ready.Gateway, ready.AWS, ready.CRMs["hubspot"], ready.CRMs["salesforce"]} {
				closes(t, base)
			}
			if len(out.out) > 0 {
				t.Errorf("more was printed: %s", <-out.out)
			}
		})
	}
}

// TestRunIsRefusedWhatADeploymentWouldBe: the parameters of make run are checked before anything is built or served.
func TestRunIsRefusedWhatADeploymentWouldBe(t *testing.T) {
	binary := program(t)
	for _, base := range []string{"https://x.example/", "ftp://x"} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, binary, "run")
		cmd.Env = append(os.Environ(), "GATEWAY_PORT=0", "AWS_PORT=0", "HUBSPOT_PORT=0", "SALESFORCE_PORT=0", "PUBLIC_BASE_URL="+base)
		want := "the parameter PublicBaseUrl is \"" + base + "\", and has to be https:// and a host"
		if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), want) || strings.Contains(string(said), "ready") {
			t.Errorf("%v: %s", err, said)
		}
	}
}

func answers(t *testing.T, credential, address string, status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if credential != "" {
		request.Header.Set("Authorization", credential)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	if _ = response.Body.Close(); response.StatusCode != status {
		t.Errorf("%s: %s", address, response.Status)
	}
}

// closes waits until nothing listens any more.
func closes(t *testing.T, base string) {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
		if ctx.Err() != nil {
			t.Fatalf("%s is still served", base)
		}
		if err != nil {
			return
		}
		_ = connection.Close()
		<-tick.C
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	address, _ := taken.Addr().(*net.TCPAddr)
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, variable := range []string{"GATEWAY_PORT", "AWS_PORT", "HUBSPOT_PORT", "SALESFORCE_PORT"} {
		o := local.Options{Root: root, Built: true, LogFile: "test-ports.log", Ports: map[string]int{variable: address.Port}}
		c, err := local.Start(t.Context(), o)
		if err == nil {
			c.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), "set "+variable) {
			t.Errorf("%s: %v", variable, err)
		}
	}
}

func TestPortsComeFromTheEnvironment(t *testing.T) {
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		value   string
		want    int
		refused bool
	}{
		"a port":         {"8090", 8090, false},
		"any free port":  {"0", 0, false},
		"nothing":        {"", 8080, false},
		"not a number":   {"http", 0, true},
		"below any port": {"-1", 0, true},
		"above any port": {"65536", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			lookup := func(variable string) (string, bool) { return c.value, variable == "GATEWAY_PORT" }
			ports, err := local.Ports(root, lookup, true)
			if (err != nil) != c.refused {
				t.Fatal(err)
			}
			if err == nil && (ports["GATEWAY_PORT"] != c.want || ports["HUBSPOT_PORT"] != 8092) {
				t.Errorf("ports %v", ports)
			}
		})
	}
}
