package operate_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/operations/operate"
)

const root = "../../.."

// acme is a tenant that shares nothing with the demo's but the provider.
const acme = `{"tenant":{"id":"acme","crms":[{"kind":"%s","baseUrl":"%s"}]},
"accounts":[{"id":"acme-messages","provider":"twilio","providerAccount":"AC00000000000000000000000000000acm","authToken":"s3cret-of-acme"}],
"lines":[{"account":"acme-messages","address":"+15550100200"}]}`

// outside is a gateway that gives one answer, and a CRM's simulator that shows every message it accepted.
type outside struct {
	mu      sync.Mutex
	status  int
	path    string
	form    url.Values
	signed  string
	crmHeld []map[string]any
	days    bool // what is said on a day is shown together
}

func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch r.URL.Path {
	case "/_simulator":
		_, _ = io.WriteString(w, `{"objects":["notes"],"messages":"notes","key":"key","ended":"ended","sessions":{"object":"notes","text":"said"}}`)
	case "/_simulator/records":
		_ = json.NewEncoder(w).Encode(o.crmHeld)
	default:
		body, _ := io.ReadAll(r.Body)
		o.form, _ = url.ParseQuery(string(body))
		o.path, o.signed = r.URL.Path, r.Header.Get("X-Twilio-Signature")
		if o.status == http.StatusOK {
			held := map[string]string{"key": canonical.MessageKey("acme", "twilio", "acme-messages", o.form.Get("MessageSid"))}
			if o.days {
				held = map[string]string{"key": "of a day", "said": "<p>09:00 Ann: " + html.EscapeString(o.form.Get("Body")) + "</p>"}
			}
			o.crmHeld = append(o.crmHeld, map[string]any{"id": "7", "properties": held, "updatedAt": time.Now().UTC().Format(time.RFC3339Nano)})
		}
		w.WriteHeader(o.status)
	}
}

func TestSmoke(t *testing.T) {
	for name, c := range map[string]struct {
		status    int
		variables map[string]string
		out       []string
		failed    []string
	}{
		"it arrives":                        {http.StatusOK, nil, []string{"sms-unknown-sender SM", ": 200 in ", "invented: notes/7\n", "in every simulator "}, nil},
		"a day that shows it":               {http.StatusOK, nil, []string{"invented: notes/7\n", "in every simulator "}, nil},
		"a URL without a scheme":            {http.StatusOK, map[string]string{"URL": "127.0.0.1:1"}, nil, []string{"URL is http:// or https:// and a host"}},
		"a slash at the end of the base":    {http.StatusForbidden, map[string]string{"PUBLIC_BASE_URL": "https://hooks.example/"}, nil, []string{"has to be exactly https://hooks.example, and"}},
		"a refused signature":               {http.StatusForbidden, nil, []string{": 403 in "}, []string{"the signature was refused: PublicBaseUrl of the stack has to be exactly https://hooks.example, and", "acme-messages"}},
		"an account that was not applied":   {http.StatusNotFound, nil, nil, []string{"/v1/accounts/acme-messages/twilio/messages", "was a tenant with the account acme-messages applied?"}},
		"too many":                          {http.StatusTooManyRequests, nil, nil, []string{"GatewayThrottlesAlarm"}},
		"a failure":                         {http.StatusServiceUnavailable, nil, nil, []string{"status 503", "twilio"}},
		"a sample to a line it has not":     {http.StatusOK, map[string]string{"SAMPLE": "rcs-button"}, nil, []string{"no line like rcs:"}},
		"a sample by the name of its file":  {http.StatusOK, map[string]string{"SAMPLE": "08-stop"}, []string{"stop SM", "in every simulator "}, nil},
		"a sample that is not there":        {http.StatusOK, map[string]string{"SAMPLE": "08-halt"}, nil, []string{`no sample "08-halt"`, "SAMPLE is one of sms-unknown-sender, ", ", stop, ", "make smoke STACK="}},
		"a provider it has no account of":   {http.StatusOK, map[string]string{"PROVIDER": "outreach"}, nil, []string{`the tenant acme has no account of the provider "outreach"`, "PROVIDER is one of twilio", "make smoke STACK="}},
		"a tenant file that is not there":   {http.StatusOK, map[string]string{"TENANT": "/nonexistent/acme.json"}, nil, []string{"/nonexistent/acme.json"}},
		"another token, of the environment": {http.StatusOK, map[string]string{"AUTH_TOKEN": "other"}, []string{"in every simulator "}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := &outside{status: c.status, days: name == "a day that shows it"}
			server := httptest.NewServer(o)
			t.Cleanup(server.Close)
			file := filepath.Join(t.TempDir(), "acme.json")
			if err := os.WriteFile(file, fmt.Appendf(nil, acme, "invented", server.URL), 0o600); err != nil {
				t.Fatal(err)
			}
			variables := map[string]string{"URL": server.URL + "/", "PUBLIC_BASE_URL": "https://hooks.example", "TENANT": file}
			maps.Copy(variables, c.variables)
			var out strings.Builder
			err := operate.Command(t.Context(), &out, root, "smoke", func(name string) string { return variables[name] }, never)
			checkError(t, err, c.failed)
			for _, want := range c.out {
				if !strings.Contains(out.String(), want) {
					t.Errorf("printed %q, without %q", out.String(), want)
				}
			}
			if strings.Contains(out.String(), "s3cret") {
				t.Errorf("printed the token: %q", out.String())
			}
			if o.path == "" {
				return
			}
			if o.form.Get("To") != "+15550100200" || o.form.Get("AccountSid") != "AC00000000000000000000000000000acm" || o.signed == "" {
				t.Errorf("sent %v to %s, signed %q", o.form, o.path, o.signed)
			}
		})
	}
}

// TestSmokeOfALineOfASharedAccount signs with the token that is in the account's own file.
func TestSmokeOfALineOfASharedAccount(t *testing.T) {
	o := &outside{status: http.StatusOK}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	folder := t.TempDir()
	for name, content := range map[string]string{
		"acme.yaml": "tenant: {id: acme, crms: [{kind: invented, baseUrl: '" + server.URL + "'}]}\naccounts: []\nlines: [{account: acme-messages, address: +15550100200}]\n",
		"agency.yaml": "account: {id: acme-messages, provider: twilio, providerAccount: AC00000000000000000000000000000acm, authToken: s3cret-of-acme}\n" +
			"owner: agency\ntenants: [acme]\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	variables := map[string]string{"URL": server.URL, "TENANT": filepath.Join(folder, "acme.yaml")}
	smoke := func() (string, error) {
		var out strings.Builder
		err := operate.Command(t.Context(), &out, root, "smoke", func(name string) string { return variables[name] }, never)
		return out.String(), err
	}
	if out, err := smoke(); err == nil || o.path != "" {
		t.Errorf("without the account: %v, printed %q", err, out)
	}
	variables["ACCOUNT"] = filepath.Join(folder, "agency.yaml")
	if out, err := smoke(); err != nil || !strings.Contains(out, "in every simulator ") || !strings.HasPrefix(o.path, "/v1/accounts/acme-messages/") || o.form.Get("To") != "+15550100200" {
		t.Errorf("%v, printed %q, sent %v to %s", err, out, o.form, o.path)
	}
	variables["ACCOUNT"] = variables["TENANT"]
	if _, err := smoke(); err == nil || !strings.Contains(err.Error(), "is no account's file") {
		t.Errorf("a tenant's file as the account's: %v", err)
	}
}

// TestSmokeOfAnOutreachHasToNameIt: nothing is sent in the name of a sales tool unless somebody asks for it.
func TestSmokeOfAnOutreachHasToNameIt(t *testing.T) {
	variables := map[string]string{"URL": "http://127.0.0.1:1", "TENANT": filepath.Join(root, "events/tenants/demo.json"), "PROVIDER": "outreach"}
	err := operate.Command(t.Context(), io.Discard, root, "smoke", func(name string) string { return variables[name] }, never)
	checkError(t, err, []string{"outreach has no sample that is sent without being named", "SAMPLE is one of outreach"})
}

// TestSmokeOfAnOutreachEndsWhenItIsAccepted: it shows nowhere until the person answers, and what an earlier one left is not its own.
func TestSmokeOfAnOutreachEndsWhenItIsAccepted(t *testing.T) {
	server := httptest.NewServer(&outside{status: http.StatusAccepted})
	t.Cleanup(server.Close)
	demo, err := os.ReadFile(filepath.Join(root, "events/tenants/demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "demo.json")
	here := regexp.MustCompile(`"baseUrl": "[^"]*"`).ReplaceAllString(string(demo), `"baseUrl": "`+server.URL+`"`)
	if err := os.WriteFile(file, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{"URL": server.URL, "TENANT": file, "PROVIDER": "outreach", "SAMPLE": "outreach"}
	var out strings.Builder
	err = operate.Command(t.Context(), &out, root, "smoke", func(name string) string { return variables[name] }, never)
	if err != nil || !strings.HasSuffix(out.String(), "accepted: it is in a CRM once the person answers\n") {
		t.Errorf("%v, printed %q", err, &out)
	}
}

// planOf returns an apply-tenant that plans alone: bindings in force have other addresses than those of the file.
func planOf(bases map[string]string) operate.Invoke {
	return func(_ context.Context, function string, event []byte) ([]byte, error) {
		if function != "apply-tenant" || !strings.HasPrefix(string(event), `{"action":"plan"`) {
			return nil, errors.New("invoked " + function)
		}
		changes := []map[string]string{{"path": "tenant.name", "kind": "changed", "before": "x"}}
		for name, base := range bases {
			changes = append(changes, map[string]string{"path": "tenant.crms[" + name + "].baseUrl", "kind": "changed", "before": base, "after": "y"})
		}
		return json.Marshal(map[string]any{"version": 2, "changes": changes})
	}
}

// TestSmokeLooksIntoWhatIsInForce: make run binds its own simulators, on ports that the file does not know; and a tenant may have
// two CRMs of a kind.
func TestSmokeLooksIntoWhatIsInForce(t *testing.T) {
	const two = `{"name":"first","kind":"invented","baseUrl":"http://127.0.0.1:1"},{"name":"second","kind":"invented","baseUrl":"http://127.0.0.1:1"}`
	for sentence, c := range map[string]struct {
		second string
		out    []string
		failed []string
		sent   bool
	}{
		"both are found":                   {"", []string{"first: notes/7\n", "second: notes/7\n", "in every simulator "}, nil, true},
		"one is none":                      {"http://127.0.0.1:1", nil, []string{"second at http://127.0.0.1:1 is no simulator, and nothing else shows what arrives: ", "is the file applied that TENANT names?"}, false},
		"one is not on this machine":       {"https://crm.example", []string{"second at https://crm.example is not looked into", "first: notes/7\n"}, nil, true},
		"one is in force as the file says": {"-", nil, []string{"second at http://127.0.0.1:1 is no simulator"}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := &outside{status: http.StatusOK}
			server := httptest.NewServer(o)
			t.Cleanup(server.Close)
			bases := map[string]string{"first": server.URL, "second": cmp.Or(c.second, server.URL)}
			if c.second == "-" {
				delete(bases, "second")
			}
			file := filepath.Join(t.TempDir(), "acme.json")
			if err := os.WriteFile(file, []byte(strings.Replace(acme, `{"kind":"%s","baseUrl":"%s"}`, two, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			variables := map[string]string{"ENDPOINT": server.URL, "TENANT": file}
			open := func(context.Context, string, string) (operate.Stack, error) {
				outputs := map[string]string{"GatewayUrl": server.URL, "PublicBaseUrl": "https://hooks.example"}
				return operate.Stack{Invoke: planOf(bases), Outputs: func(context.Context) (map[string]string, error) { return outputs, nil }}, nil
			}
			var out strings.Builder
			err := operate.Command(t.Context(), &out, root, "smoke", func(name string) string { return variables[name] }, open)
			checkError(t, err, c.failed)
			for _, want := range c.out {
				if !strings.Contains(out.String(), want) {
					t.Errorf("printed %q, without %q", out.String(), want)
				}
			}
			if (o.path != "") != c.sent {
				t.Errorf("sent to %q", o.path)
			}
		})
	}
}

// network is whom requests reach, by host. Nobody else answers, ever.
type network map[string]http.Handler

func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	handler := n[r.URL.Host]
	if handler == nil {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// TestSmokeEndsThoughNobodyAnswers: whoever takes a connection and says nothing holds it up for a time that is known.
func TestSmokeEndsThoughNobodyAnswers(t *testing.T) {
	for sentence, c := range map[string]struct {
		silent string // host
		loses  bool
		failed string
		after  time.Duration
	}{
		"the gateway":                          {"gateway.example", false, "the gateway http://gateway.example gave no answer: ", 30 * time.Second},
		"a simulator":                          {"127.0.0.1:9", false, "invented at http://127.0.0.1:9 is no simulator", 2 * time.Second},
		"nothing, but the message never comes": {"", true, "is not in every simulator after 1m20s", 80 * time.Second},
	} {
		t.Run(sentence, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "acme.json")
			if err := os.WriteFile(file, fmt.Appendf(nil, acme, "invented", "http://127.0.0.1:9"), 0o600); err != nil {
				t.Fatal(err)
			}
			variables := map[string]string{"URL": "http://gateway.example", "TENANT": file}
			o := &outside{status: http.StatusOK}
			if c.loses {
				o.status = http.StatusAccepted
			}
			reached := network{"gateway.example": o, "127.0.0.1:9": o}
			delete(reached, c.silent)
			kept := http.DefaultTransport
			t.Cleanup(func() { http.DefaultTransport = kept })
			http.DefaultTransport = reached
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := operate.Command(t.Context(), io.Discard, root, "smoke", func(name string) string { return variables[name] }, never)
				checkError(t, err, []string{c.failed})
				if took := time.Since(began); took != c.after {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

func never(context.Context, string, string) (operate.Stack, error) {
	return operate.Stack{}, errors.New("opened a stack")
}

// TestSmokeOfAStack sends to what the outputs say; an emulator's API has a name that need not resolve.
func TestSmokeOfAStack(t *testing.T) {
	for name, c := range map[string]struct{ gateway, host string }{
		"a stack whose API has a name that resolves": {"", ""},
		"an emulator's": {"http://abc.execute-api.localhost:1", "abc.execute-api.localhost:1"},
	} {
		t.Run(name, func(t *testing.T) {
			host := ""
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				host = r.Host
				w.WriteHeader(http.StatusTeapot)
			}))
			t.Cleanup(server.Close)
			outputs := map[string]string{"GatewayUrl": server.URL, "PublicBaseUrl": "https://hooks.example"}
			if c.gateway != "" {
				outputs["GatewayUrl"] = c.gateway
			} else {
				c.host = strings.TrimPrefix(server.URL, "http://")
			}
			file := filepath.Join(t.TempDir(), "acme.json")
			if err := os.WriteFile(file, fmt.Appendf(nil, acme, "invented", "https://crm.example"), 0o600); err != nil {
				t.Fatal(err)
			}
			variables := map[string]string{"ENDPOINT": server.URL, "TENANT": file}
			open := func(_ context.Context, name, endpoint string) (operate.Stack, error) {
				if name != operate.LocalStack || endpoint != server.URL {
					t.Errorf("opened %s at %s", name, endpoint)
				}
				return operate.Stack{Outputs: func(context.Context) (map[string]string, error) { return outputs, nil }}, nil
			}
			var out strings.Builder
			err := operate.Command(t.Context(), &out, root, "smoke", func(name string) string { return variables[name] }, open)
			checkError(t, err, []string{"status 418"})
			if host != c.host || !strings.Contains(out.String(), "signed for https://hooks.example/v1/") {
				t.Errorf("sent to host %q, want %q; printed %s", host, c.host, &out)
			}
		})
	}
}
