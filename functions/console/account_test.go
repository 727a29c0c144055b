package console_test

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"signalbox/functions/console"
	"signalbox/shared/hosts"
	"signalbox/shared/tenant"
	"signalbox/shared/tenant/tenantfile"

	"github.com/google/go-cmp/cmp"
)

// sharedAccount returns the example of an account's file, filled in, with old replaced, once.
func sharedAccount(t testing.TB, old, replacement string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../events/tenants/shared-account.yaml")
	if err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer(
		"REPLACE: the AccountSid, AC and 32 digits", "AC00000000000000000000000000000001", "REPLACE: the account's primary auth token", "local-use-only-agency-token",
	).Replace(string(data))
	if !strings.Contains(filled, old) || strings.Contains(filled, "REPLACE") {
		t.Fatalf("the example does not hold %q, or is not filled in", old)
	}
	file, err := tenantfile.Parse("shared-account.yaml", []byte(strings.Replace(filled, old, replacement, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return file.JSON
}

func told(problems []tenant.Problem) (lines []string) {
	for _, p := range problems {
		lines = append(lines, p.Path+" "+p.Reason)
	}
	return lines
}

func TestAnAccountsFile(t *testing.T) {
	t.Parallel()
	const anID = "2 to 31 lower-case letters, digits and hyphens, a letter first, and none of account, line, tenants, spool, bytes, due"
	for name, tt := range map[string]struct {
		old, replacement string
		want             []string // path and reason
	}{
		"the example":         {"", "", nil},
		"nobody for now":      {"[acme, globex]", "[]", nil},
		"a schema for JSON":   {"owner:", "$schema: ../schema/account.json\nowner:", nil},
		"no owner":            {"owner: agency\n", "", []string{"owner is missing: 2 to 31 lower-case letters, digits and hyphens, a letter first: the tenant, or another name of your own, that credentials and dead letters belong to"}},
		"no account":          {"\naccount:", "\nacount:", []string{"account is missing: an object: credentials at one provider", "acount is not a name known here, which are $schema, account, owner, tenants"}},
		"an owner that is no": {"owner: agency", "owner: tenants", []string{"owner is not " + anID}},
		"a tenant that is no": {"globex", "Globex Inc", []string{"tenants[1] is not " + anID}},
		"a tenant twice":      {"globex", "acme", []string{"tenants is not a list of at most 1000 different tenants: who may have lines of this account"}},
		"a provider that this deployment has not": {"provider: twilio", "provider: twlio", []string{
			"account.provider is no provider of this deployment, which has " + strings.Join(providers(t), ", "),
		}},
		"what only the provider knows": {"AC00000000000000000000000000000001", "agency", []string{
			"account.providerAccount is not the SID of an account: AC and 32 hexadecimal digits in small letters",
		}},
		"lines in it": {"owner:", "lines: []\nowner:", []string{"lines is not a name known here, which are $schema, account, owner, tenants"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, told(plan(t, hosts.Public, sharedAccount(t, tt.old, tt.replacement)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestALineOfASharedAccountIsCheckedByItsProvider, which the tenant's file does not name.
func TestALineOfASharedAccountIsCheckedByItsProvider(t *testing.T) {
	t.Parallel()
	all := tenants(t, hosts.Any, io.Discard)
	apply := func(action string, file []byte) console.Result {
		t.Helper()
		answer, err := all.Apply(t.Context(), console.Request{Action: action, File: file})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	file := func(id, channels string) []byte { // the demo tenant's, with one line and no account
		var f map[string]any
		if err := json.Unmarshal(demoFile(t, `"id": "demo"`, `"id": "`+id+`"`), &f); err != nil {
			t.Fatal(err)
		}
		f["accounts"] = []any{}
		f["lines"] = []any{map[string]any{"id": "ours", "account": "agency-twilio", "address": "+15550001111", "channels": strings.Fields(channels)}}
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if got := apply("apply", sharedAccount(t, "", "")); got.Version != 1 {
		t.Fatalf("%+v", got)
	}
	for name, tt := range map[string]struct {
		file []byte
		want []string
	}{
		"a channel that the provider has":      {file("acme", "sms rcs"), nil},
		"a channel that nobody knows":          {file("acme", "fax"), []string{"lines[0].channels[0] is not rcs, imessage, sms, whatsapp or web"}},
		"a tenant whom the file does not name": {file("initech", "sms rcs"), []string{"lines[0].account is not the id of an account in this file, nor of one with a file of its own that names this tenant"}},
	} {
		if diff := cmp.Diff(tt.want, told(apply("plan", tt.file).Problems)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if got := apply("apply", file("acme", "sms rcs")); got.Version != 1 {
		t.Errorf("%+v", got)
	}
	want := []string{"tenants does not name acme, which has lines of this account: take those out of its file first"}
	if diff := cmp.Diff(want, told(apply("apply", sharedAccount(t, "acme, ", "")).Problems)); diff != "" {
		t.Error(diff)
	}
}
