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

// demoFile returns the demo tenant's file with old replaced by new, once.
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

// demo returns the demo tenant with its first account and that one's lines, which these tests take apart.
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
	spelled := *demo(t).Tenant.Rules
	spelled.Rules = slices.DeleteFunc(slices.Clone(spelled.Rules), func(r rules.Rule) bool { return r.ID == "call-for-help" }) // which asks for work
	if diff := cmp.Diff(rules.Default(), spelled); diff != "" {
		t.Error(diff)
	}
}

func TestSyntax(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 100_000)
	for name, tt := range map[string]struct {
		file string
		want []string // path and reason
	}{
		"the demo file":                {string(demoFile(t, "", "")), nil},
		"a name written twice":         {string(demoFile(t, `"region": "US"`, `"region": "US", "region": "DE"`)), []string{"tenant.region is written twice"}},
		"one in another place":         {`{"a":[{"b":1,"b":2}],"b":3}`, []string{"a[0].b is written twice"}},
		"a secret in place of a name":  {`{"hunter2 hunter2":1,"hunter2 hunter2":2}`, []string{"? is written twice"}},
		"something behind the file":    {`{} {}`, []string{" the file is not one JSON value: look near byte 4"}},
		"a file that ends too soon":    {`{"lines": `, []string{" the file is not one JSON value: look near byte 10"}},
		"nothing":                      {``, []string{" the file is not one JSON value: look near byte 0"}},
		"brackets that are not closed": {deep, []string{" the file is nested deeper than 32 levels"}},
		"brackets that are":            {deep + strings.Repeat("]", 100_000), []string{" the file is nested deeper than 32 levels"}},
		"objects in objects":           {strings.Repeat(`{"a":`, 100_000), []string{" the file is nested deeper than 32 levels"}},
		"what is not UTF-8":            {"{\"a\":\"\xff\"}", []string{" the file is not in UTF-8"}},
		"a file that is too large":     {strings.Repeat(" ", tenant.MaxFile+1), []string{" the file is larger than 1048576 bytes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range tenant.Syntax([]byte(tt.file)) {
				got = append(got, p.Path+" "+p.Reason)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if _, err := tenant.Decode([]byte(tt.file)); (err == nil) != (tt.want == nil) {
				t.Errorf("decoded: %v", err)
			}
		})
	}
}

// TestANameThatMayBeASecretIsNotTold: what people mistype is told, what machines make is not.
func TestANameThatMayBeASecretIsNotTold(t *testing.T) {
	t.Parallel()
	for name, told := range map[string]bool{
		"providerAcount": true, "authToken": true, "AuthToken": true, "authtoken": true, "base_url": true, "base-url": true, "baseURL": true,
		"accountID": true, "crms": true, "$schema": true, "previousAuthToken": true,
		"0123456789abcdef0123456789abcdef": false, "deadbeefdeadbeefdeadbeefdeadbeef": false, "a3f0": false, "AC00000000000000000000000000000de0": false,
		"bG9jYWwtdXNlLW9ubHk=": false, "MfKQzrTwjUPDILPZIo": false, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": false, "pat-na1-x": false,
		"+15557654321": false, "ada@acme.example": false, "hunter2 hunter2": false, "nämlich": false, "": false, "DEADBEEF": false,
	} {
		want := "accounts[0].?"
		if told {
			want = "accounts[0]." + name
		}
		if got := tenant.Join("accounts[0]", name); got != want {
			t.Errorf("%q is told as %s", name, got)
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
