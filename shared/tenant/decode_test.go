package tenant_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"signalbox/shared/rules"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// demoFile answers the demo tenant's file with old replaced by new, once.
func demoFile(t testing.TB, old, replacement string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../events/tenants/demo.json")
	if err != nil {
		t.Fatal(err)
	}
	if old != "" && !strings.Contains(string(data), old) {
		t.Fatalf("the demo file does not hold %s", old)
	}
	return []byte(strings.Replace(string(data), old, replacement, 1))
}

// demo answers the demo tenant with its first account and that one's lines, which these tests take apart.
func demo(t testing.TB) tenant.File {
	t.Helper()
	f, err := tenant.Decode(demoFile(t, "", ""))
	if err != nil {
		t.Fatal(err)
	}
	f.Accounts = f.Accounts[:1]
	f.Lines = slices.DeleteFunc(f.Lines, func(l tenant.LineContent) bool { return l.Account != f.Accounts[0].ID })
	return f
}

func TestTheDemoTenantSpellsTheDefaultRulesOut(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(rules.Default(), *demo(t).Tenant.Rules); diff != "" {
		t.Error(diff)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		old, replacement string
		want             []string // path and reason
	}{
		"the demo file is fine": {"", "", nil},
		"a name that nobody knows": {`"region"`, `"rigeon": "US", "region"`, []string{
			"tenant.rigeon is not a name known here",
		}},
		"a name in other letters is not the name": {`"authToken"`, `"AuthToken"`, []string{
			"accounts[0].authToken is missing", "accounts[0].AuthToken is not a name known here",
		}},
		"a name that a secret was pasted into is not told": {`"authToken"`, `"hunter2 hunter2"`, []string{
			"accounts[0].authToken is missing", "accounts[0].? is not a name known here",
		}},
		"a name written twice":               {`"region": "US"`, `"region": "US", "region": "DE"`, []string{"tenant.region is written twice"}},
		"a number in place of a string":      {`"US"`, `1`, []string{"tenant.region is a number, not a string"}},
		"a secret that is a number":          {`"local-use-only-hubspot-token"`, `12345`, []string{"tenant.crms[0].token is a number, not a string"}},
		"null in place of an object":         {`"settings": {`, `"settings": null, "ignored": {`, []string{"tenant.crms[0].settings is null, not an object", "tenant.crms[0].ignored is not a name known here"}},
		"a string in place of true or false": {`"known": false`, `"known": "no"`, []string{"tenant.rules.rules[0].when.known is a string, not true or false"}},
		"something behind the file":          {"{\n  \"tenant\"", "{} {\n  \"tenant\"", []string{" the file is not one JSON value"}},
		"a file that ends too soon":          {`"lines": [`, `"lines": `, []string{" the file is not one JSON value"}},
		"a tenant id that is another record's": {`"id": "demo"`, `"id": "account"`, []string{
			"tenant.id is a reserved word",
		}},
		"a tenant id with a slash":                    {`"id": "demo"`, `"id": "demo/x"`, []string{"tenant.id is not 2 to 31 lower-case letters, digits and hyphens, a letter first"}},
		"a region that is no country":                 {`"US"`, `"UK"`, []string{"tenant.region is not a code of ISO 3166-1 alpha-2"}},
		"a region of two codes' ends":                 {`"US"`, `"S "`, []string{"tenant.region is not a code of ISO 3166-1 alpha-2"}},
		"a policy that nobody knows":                  {`"redacted"`, `"some"`, []string{"tenant.rawVendor is not none, redacted or full"}},
		"plain http to another machine":               {"http://127.0.0.1:8092", "http://api.example.com", []string{"tenant.crms[0].baseUrl is http and not on this machine: it must be https"}},
		"plain http to a look-alike":                  {"http://127.0.0.1:8092", "http://127.0.0.1.example.com", []string{"tenant.crms[0].baseUrl is http and not on this machine: it must be https"}},
		"https to another machine":                    {"http://127.0.0.1:8092", "https://api.example.com", nil},
		"http to the sixth protocol's loopback":       {"http://127.0.0.1:8092", "http://[::1]:8092", nil},
		"a URL with a password":                       {"http://127.0.0.1:8092", "https://me:hunter2@api.example.com", []string{"tenant.crms[0].baseUrl holds more than scheme, host and path"}},
		"a URL with a question":                       {"http://127.0.0.1:8092", "https://api.example.com?key=hunter2", []string{"tenant.crms[0].baseUrl holds more than scheme, host and path"}},
		"a URL that is a file's":                      {"http://127.0.0.1:8092", "file:///etc/passwd", []string{"tenant.crms[0].baseUrl is not an absolute URL"}},
		"a token with a line break":                   {"local-use-only-hubspot-token", `hunter2\r\nX-Evil: 1`, []string{"tenant.crms[0].token is not 1 to 4096 printable ASCII characters without blanks, nor a private key in PEM"}},
		"a private key in PEM":                        {"local-use-only-hubspot-token", `-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n`, nil},
		"a private key with more behind it":           {"local-use-only-hubspot-token", `-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\nX-Evil: 1`, []string{"tenant.crms[0].token is not 1 to 4096 printable ASCII characters without blanks, nor a private key in PEM"}},
		"a certificate in place of a key":             {"local-use-only-hubspot-token", `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`, []string{"tenant.crms[0].token is not 1 to 4096 printable ASCII characters without blanks, nor a private key in PEM"}},
		"an empty token":                              {"local-use-only-twilio-auth-token", "", []string{"accounts[0].authToken is not 1 to 4096 printable ASCII characters without blanks"}},
		"the same token twice":                        {"local-use-only-previous-twilio-auth-token", "local-use-only-twilio-auth-token", []string{"accounts[0].previousAuthToken is the same as authToken"}},
		"an outreach account with secrets of its own": {`"accounts": [`, outreachAccount("whsec_bG9jYWwtdXNlLW9ubHktZW5nYWdlLXNlY3JldCE=", "whsec_bG9jYWwtdXNlLW9ubHktZW5nYWdlLXByZXZpb3Vz"), nil},
		"two outreach accounts with one secret": {`"accounts": [`, outreachAccount("whsec_bG9jYWwtdXNlLW9ubHktb3V0cmVhY2gtc2VjcmV0", "whsec_bG9jYWwtdXNlLW9ubHktZW5nYWdlLXByZXZpb3Vz"), []string{
			"accounts[2].authToken is that of an earlier account",
		}},
		"an outreach account with any token": {`"accounts": [`, outreachAccount("hunter2hunter2hunter2hunter2hunter2", "whsec_aHVudGVyMg=="), []string{
			"accounts[0].authToken is not whsec_ and 24 to 64 random bytes in base64, which requests of this provider are signed with",
			"accounts[0].previousAuthToken is not whsec_ and 24 to 64 random bytes in base64, which requests of this provider are signed with",
		}},
		"no previous token": {`,
      "previousAuthToken": "local-use-only-previous-twilio-auth-token"`, "", nil},
		"a line of an account that is not there": {`"account": "demo-twilio"`, `"account": "demo-telnyx"`, []string{"lines[0].account is not the id of an account in this file"}},
		"the same address twice":                 {"rcs:acme_demo_agent", "+15557654321", []string{"lines[1].address is that of an earlier line at the same provider"}},
		"a number without its plus sign":         {"+15557654321", "15557654321", []string{"lines[0].address is not E.164, a short code, an alphanumeric sender, or an identifier that may stand behind a channel's prefix"}},
		"a short code":                           {"+15557654321", "55512", nil},
		"an alphanumeric sender":                 {"+15557654321", "ACME Shop", nil},
		"a WhatsApp address that is no number":   {"rcs:acme_demo_agent", "whatsapp:acme", []string{"lines[1].address is not E.164 behind whatsapp:", "lines[1].address has the prefix of another channel than the line's"}},
		"a channel that nobody knows":            {`["rcs"]`, `["fax"]`, []string{"lines[1].address has the prefix of another channel than the line's", "lines[1].channels[0] is not rcs, imessage, sms, whatsapp or web"}},
		"a line for no channel":                  {`["rcs"]`, `[]`, []string{"lines[1].channels is empty"}},
		"a channel twice":                        {`["rcs"]`, `["rcs", "rcs"]`, []string{"lines[1].channels[1] is written twice"}},
		"a rule that is wrong":                   {`"kind": "set_consent"`, `"kind": "dance"`, []string{"tenant.rules.rules[2].then[0].kind is not ensure_person, log_activity, set_consent, mark_replied, cancel_sequences or raise_status"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tenant.Decode(demoFile(t, tt.old, tt.replacement))
			var got []string
			if refused, ok := errors.AsType[*tenant.InvalidError](err); ok {
				for _, p := range refused.Problems {
					got = append(got, p.Path+" "+p.Reason)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "local-use-only")) {
				t.Errorf("a secret is told: %v", err)
			}
		})
	}
}

// outreachAccount answers the beginning of a list of accounts, the first of which is for the outreach API.
func outreachAccount(current, previous string) string {
	return `"accounts": [{"id": "acme-engage", "provider": "outreach", "providerAccount": "acme-engage", "authToken": "` + current +
		`", "previousAuthToken": "` + previous + `"},`
}

// TestAnOutreachLineServesAnyChannel is what other lines do not: a sales tool also writes mail, and calls.
func TestAnOutreachLineServesAnyChannel(t *testing.T) {
	t.Parallel()
	account := outreachAccount("whsec_bG9jYWwtdXNlLW9ubHktZW5nYWdlLXNlY3JldCE=", "")
	for owner, want := range map[string][]tenant.Problem{
		"acme-engage": {{Path: "lines[0].channels[2]", Reason: "is not rcs, imessage, sms, whatsapp or web"}},
		"demo-twilio": {
			{Path: "lines[0].channels[0]", Reason: "is not rcs, imessage, sms, whatsapp or web"},
			{Path: "lines[0].channels[1]", Reason: "is not rcs, imessage, sms, whatsapp or web"},
			{Path: "lines[0].channels[2]", Reason: "is not rcs, imessage, sms, whatsapp or web"},
		},
	} {
		line := `"lines": [{"id": "mailbox", "account": "` + owner + `", "address": "sales@acme.example", "channels": ["email", "call", "E-Mail"]},`
		file := strings.Replace(string(demoFile(t, `"accounts": [`, account)), `"lines": [`, line, 1)
		_, err := tenant.Decode([]byte(file))
		refused, ok := errors.AsType[*tenant.InvalidError](err)
		if !ok {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, refused.Problems); diff != "" {
			t.Errorf("%s: -want +got:\n%s", owner, diff)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(demoFile(f, "", ""))
	f.Add([]byte(`{"tenant":{"crms":[{}]},"accounts":[{}],"lines":[{}]}`))
	f.Add([]byte(`{"tenant":{"a":{"a":1,"a":2}}} `))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := tenant.Decode(data)
		if err != nil {
			refused, ok := errors.AsType[*tenant.InvalidError](err)
			if !ok || len(refused.Problems) == 0 {
				t.Fatalf("refused without a reason: %v", err)
			}
			return
		}
		if problems := tenant.Validate(file); len(problems) > 0 {
			t.Errorf("accepted with problems: %v", problems)
		}
		encoded, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range file.Accounts {
			if len(a.AuthToken) > 20 && strings.Contains(string(encoded), string(a.AuthToken)) {
				t.Error("a credential is encoded")
			}
		}
	})
}
