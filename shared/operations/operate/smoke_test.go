package operate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

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
}

func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch r.URL.Path {
	case "/_simulator":
		_, _ = io.WriteString(w, `{"objects":["notes"],"messages":"notes","key":"key","ended":"ended"}`)
	case "/_simulator/records":
		_ = json.NewEncoder(w).Encode(o.crmHeld)
	default:
		body, _ := io.ReadAll(r.Body)
		o.form, _ = url.ParseQuery(string(body))
		o.path, o.signed = r.URL.Path, r.Header.Get("X-Twilio-Signature")
		if o.status == http.StatusOK {
			key := canonical.MessageKey("acme", "twilio", "acme-messages", o.form.Get("MessageSid"))
			o.crmHeld = append(o.crmHeld, map[string]any{"id": "7", "properties": map[string]string{"key": key}})
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
		"a refused signature":               {http.StatusForbidden, nil, []string{": 403 in "}, []string{"the signature was refused: PublicBaseUrl of the stack has to be exactly https://hooks.example, and", "acme-messages"}},
		"an account that was not applied":   {http.StatusNotFound, nil, nil, []string{"/v1/accounts/acme-messages/twilio/messages", "was a tenant with the account acme-messages applied?"}},
		"too many":                          {http.StatusTooManyRequests, nil, nil, []string{"GatewayThrottlesAlarm"}},
		"a failure":                         {http.StatusServiceUnavailable, nil, nil, []string{"status 503", "twilio"}},
		"a sample to a line it has not":     {http.StatusOK, map[string]string{"SAMPLE": "rcs-button"}, nil, []string{"no line like rcs:"}},
		"a provider it has no account of":   {http.StatusOK, map[string]string{"PROVIDER": "outreach"}, nil, []string{"no sample for the tenant acme", "make smoke STACK="}},
		"a tenant file that is not there":   {http.StatusOK, map[string]string{"TENANT": "/nonexistent/acme.json"}, nil, []string{"/nonexistent/acme.json"}},
		"another token, of the environment": {http.StatusOK, map[string]string{"AUTH_TOKEN": "other"}, []string{"in every simulator "}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := &outside{status: c.status}
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
			variables := map[string]string{"ENDPOINT": server.URL, "TENANT": filepath.Join(root, "events/tenants/demo.json")}
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
