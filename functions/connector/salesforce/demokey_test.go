package salesforce_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// demoKey returns the private key of the demo tenant.
func demoKey(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../../events/tenants/demo.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tenant struct {
			CRMs []struct{ Kind, Token string }
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, crm := range file.Tenant.CRMs {
		if crm.Kind == "salesforce" {
			return crm.Token
		}
	}
	t.Fatal("the demo tenant has no key")
	return ""
}

// TestTheDemoKeyIsStrictPEM: RFC 7468's strict form has no header, nothing around it, and lines of 64 characters. Some readers,
// OpenSSL among them, take nothing else.
func TestTheDemoKeyIsStrictPEM(t *testing.T) {
	key := demoKey(t)
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
	command.Stdin = bytes.NewReader([]byte(demoKey(t)))
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
