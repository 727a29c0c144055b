package salesforce_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"

	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// demoCRM returns the private key and the settings of the demo tenant's binding.
func demoCRM(t *testing.T) (key string, settings json.RawMessage) {
	t.Helper()
	data, err := os.ReadFile("../../../events/tenants/demo.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tenant struct {
			CRMs []struct {
				Kind, Token string
				Settings    json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, crm := range file.Tenant.CRMs {
		if crm.Kind == "salesforce" {
			return crm.Token, crm.Settings
		}
	}
	t.Fatal("the demo tenant has no key")
	return "", nil
}

// TestTheDemoKeyIsStrictPEM: RFC 7468's strict form has no header, nothing around it, and lines of 64 characters. Some readers,
// OpenSSL among them, take nothing else.
func TestTheDemoKeyIsStrictPEM(t *testing.T) {
	key, _ := demoCRM(t)
	block, rest := pem.Decode([]byte(key))
	if block == nil || len(rest) > 0 || len(block.Headers) > 0 || string(pem.EncodeToMemory(block)) != key {
		t.Fatalf("headers %v, after it %q", block.Headers, rest)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if private, ok := parsed.(*rsa.PrivateKey); !ok || private.Validate() != nil {
		t.Errorf("not a valid RSA key")
	}
	if !strings.Contains(key, "INVENTED") {
		t.Error("nobody sees that the key is invented")
	}
}

func TestOpenSSLTakesTheDemoKey(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	command := exec.CommandContext(t.Context(), openssl, "pkey", "-check", "-noout")
	key, _ := demoCRM(t)
	command.Stdin = strings.NewReader(key)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestTheDemoOrgLetsInTheDemoTenantAlone: what the local runtime hands to the simulator is the key and the settings of the
// tenant's file.
func TestTheDemoOrgLetsInTheDemoTenantAlone(t *testing.T) {
	demo, settings := demoCRM(t)
	app, err := simulator.NewApp(demo, settings)
	if err != nil {
		t.Fatal(err)
	}
	var s salesforce.Settings
	if err := json.Unmarshal(settings, &s); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key, client, user string
		code              string
	}{
		"the demo tenant": {demo, s.ClientID, s.Username, ""},
		"another key":     {key, s.ClientID, s.Username, "salesforce_invalid_grant"},
		"another client":  {demo, "other", s.Username, "salesforce_invalid_client"},
		"another user":    {demo, s.ClientID, "other@acme.example", "salesforce_invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org := simulator.New(simulator.Options{Apps: []simulator.App{app}})
				b := salesforce.Binding{
					BaseURL: "https://acme.my.salesforce.example", ClientID: c.client, Username: c.user, Key: secret.Value(c.key),
					Capabilities: salesforce.Capabilities{Leads: true},
				}
				crm := newPlace().crm(b, simulatortest.Transport(org), slog.New(slog.DiscardHandler))
				_, errs := connectortest.Carry(t.Context(), crm, newcomer(1))
				if f := fault.Of(errs[0]); c.code == "" && errs[0] != nil || c.code != "" && (f == nil || f.Code != c.code) {
					t.Errorf("%v, want %q", errs[0], c.code)
				}
			})
		})
	}
}

func TestAnAppThatCannotBe(t *testing.T) {
	demo, settings := demoCRM(t)
	for name, c := range map[string]struct {
		key      string
		settings json.RawMessage
	}{"no key": {"", settings}, "a token": {"secret", settings}, "settings that are no JSON": {demo, json.RawMessage("{")}} {
		if _, err := simulator.NewApp(c.key, c.settings); err == nil {
			t.Errorf("%s: an app", name)
		}
	}
}
