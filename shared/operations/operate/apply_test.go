package operate_test

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/shared/operations/operate"

	gocmp "github.com/google/go-cmp/cmp"
)

const tenantFile = `{"tenant":{"id":"acme"},"accounts":[{"authToken":"s3cret-of-acme"}]}`

func TestApply(t *testing.T) {
	const request = `{"action":"apply","file":` + tenantFile + `}`
	for name, c := range map[string]struct {
		name         string // of the file
		action, file string
		answer       string
		failure      error
		want         string // the request
		out          string
		failed       []string // each in the error
	}{
		"a file that is applied": {
			action: "apply", file: tenantFile, answer: `{"version":2,"changes":[{"path":"tenant.name","kind":"changed","before":"Acme","after":"Acme Inc"}]}`, want: request,
			out: "acme.json: version 2 is in force, changes: 1\n~ tenant.name: Acme -> Acme Inc\n",
		},
		"a plan": {
			action: "plan", file: tenantFile, want: strings.Replace(request, "apply", "plan", 1),
			answer: `{"version":3,"changes":[{"path":"accounts[x].authToken","kind":"changed"},{"path":"lines[a].address","kind":"added","after":"+15550001111"},` +
				`{"path":"lines[b].address","kind":"removed","before":"+15550002222"},{"path":"tenant.crms[h].settings.leads","kind":"added"},` +
				`{"path":"tenant.rules","kind":"changed","before":"a\u001b[2J","after":"b"}]}`,
			out: "acme.json: version 3 would come into force, changes: 5\n~ accounts[x].authToken: changed\n+ lines[a].address: +15550001111\n" +
				"- lines[b].address: +15550002222\n+ tenant.crms[h].settings.leads: added\n~ tenant.rules: \"a\\x1b[2J\" -> b\n",
		},
		"a plan of what is in force": {
			action: "plan", file: tenantFile, answer: `{"version":1,"changes":[]}`, want: strings.Replace(request, "apply", "plan", 1),
			out: "acme.json: nothing changes, version 1 is in force\n",
		},
		"a file in YAML": {
			name: "acme.yaml", action: "apply", file: "# Acme\ntenant: {id: acme}\naccounts:\n  - authToken: s3cret-of-acme\n", answer: `{"version":1,"changes":[]}`, want: request,
			out: "acme.yaml: nothing changes, version 1 is in force\n",
		},
		"a file in YAML that is refused": {
			name: "acme.yaml", action: "apply", file: "# Acme\ntenant: {id: acme}\naccounts:\n  - authToken: s3cret-of-acme\n", want: request,
			answer: `{"problems":[{"path":"accounts[0].authToken","reason":"is a number, not a string"},{"path":"accounts[0].id","reason":"is missing"},{"path":"lines","reason":"is missing"}]}`,
			failed: []string{"acme.yaml:4: accounts[0].authToken is a number, not a string: put it in quotes\n", "acme.yaml:4: accounts[0].id is missing\n", "acme.yaml:2: lines is missing\n", "was refused"},
		},
		"a file that is refused": {
			action: "apply", file: tenantFile, answer: `{"problems":[{"path":"tenant.crms[0].kind","reason":"is not one of these"}]}`, want: request,
			failed: []string{"acme.json:1: tenant.crms[0].kind is not one of these", "was refused"},
		},
		"a function that fails":        {action: "apply", file: tenantFile, failure: errors.New("the function failed: store_throttled"), want: request, failed: []string{"store_throttled"}},
		"an answer that is none":       {action: "apply", file: tenantFile, answer: `null`, want: request, failed: []string{"neither"}},
		"an answer that is no JSON":    {action: "apply", file: tenantFile, answer: `<html>`, want: request, failed: []string{"no JSON"}},
		"another action":               {action: "aply", file: tenantFile, failed: []string{"ACTION is plan or apply", "TENANT=<file>"}},
		"a file that is cut":           {action: "apply", file: "{\n  \"tenant\": {", failed: []string{"acme.json:2:", "unexpected end"}},
		"a file with a comma too many": {action: "apply", file: "{\n \"a\": 1,,\n}", failed: []string{"acme.json:2:9: "}},
		"a file that is nested without end": {
			action: "apply", file: strings.Repeat("[", 200_000), failed: []string{"acme.json:1:", "this is not JSON: nested too deep"},
		},
		"a file that begins with a byte order mark": {
			action: "apply", file: "\ufeff" + tenantFile, failed: []string{"acme.json: begins with a byte order mark; save it as UTF-8 without one"},
		},
		"a file whose secret has no quotes": {action: "apply", file: `{"authToken":s3cret-of-acme}`, failed: []string{"acme.json:1:14: "}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), cmp.Or(c.name, "acme.json"))
			if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			asked := ""
			err := operate.Apply(t.Context(), &out, c.action, path, func(_ context.Context, function string, event []byte) ([]byte, error) {
				if function != "apply-tenant" {
					t.Errorf("invoked %s", function)
				}
				asked = string(event)
				return []byte(c.answer), c.failure
			})
			if diff := gocmp.Diff(c.want, asked); diff != "" {
				t.Errorf("asked (-want +got): %s", diff)
			}
			if diff := gocmp.Diff(c.out, strings.TrimPrefix(out.String(), filepath.Dir(path)+"/")); diff != "" {
				t.Errorf("printed (-want +got): %s", diff)
			}
			checkError(t, err, c.failed)
		})
	}
}

// checkError wants an error that holds every one of some words, and no secret; nil for no words.
func checkError(t *testing.T, err error, words []string) {
	t.Helper()
	if (err == nil) != (len(words) == 0) {
		t.Fatalf("error %v, want one of %q", err, words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
	if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "'s'")) {
		t.Errorf("error %q tells of a credential", err)
	}
}

func TestApplyNeedsAFile(t *testing.T) {
	never := func(context.Context, string, []byte) ([]byte, error) {
		t.Error("something was invoked")
		return nil, nil
	}
	apply := func(path string) error { return operate.Apply(t.Context(), &strings.Builder{}, "apply", path, never) }
	err := apply("")
	if usage, ok := errors.AsType[*operate.UsageError](err); !ok || !strings.Contains(usage.Error(), "TENANT is not set") {
		t.Errorf("no file: %v", err)
	}
	if err := apply(filepath.Join(t.TempDir(), "none.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestWhichStackIsMeant(t *testing.T) {
	for name, c := range map[string]struct {
		variables map[string]string
		want      string
	}{
		"a stack":                   {map[string]string{"STACK": "signalbox-dev"}, "signalbox-dev"},
		"the local cloud":           {map[string]string{"ENDPOINT": "http://127.0.0.1:4566"}, operate.LocalStack},
		"a stack of an emulator":    {map[string]string{"STACK": "mine", "ENDPOINT": "http://127.0.0.1:4566"}, "mine"},
		"nobody knows which":        {nil, ""},
		"an empty name is not said": {map[string]string{"STACK": ""}, ""},
	} {
		got, err := operate.StackName(func(variable string) string { return c.variables[variable] }, "usage")
		if usage, ok := errors.AsType[*operate.UsageError](err); got != c.want || (c.want == "") != ok || ok && !strings.Contains(usage.Error(), "STACK=signalbox-dev\nusage") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
