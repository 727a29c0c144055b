package maptest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"signalbox/shared/dev/maptest"

	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write what is printed into shared/docs/mapping.md")

const page = "../../docs/mapping.md"

// run returns what is printed for the event of testdata and a tenant's file.
func run(t *testing.T, file, crm string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	var err error
	synctest.Test(t, func(t *testing.T) { err = maptest.Run(t.Context(), &out, "testdata/event.json", file, crm) })
	return out.String(), err
}

// acme writes the tenant's file of testdata with more settings of a CRM, and its rules if there are any.
func acme(t *testing.T, crm string, settings map[string]any, rules ...any) string {
	t.Helper()
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, one := range file["tenant"].(map[string]any)["crms"].([]any) {
		if bound := one.(map[string]any); bound["name"] == crm {
			maps.Copy(bound["settings"].(map[string]any), settings)
		}
	}
	if len(rules) > 0 {
		file["tenant"].(map[string]any)["rules"] = map[string]any{"rules": rules}
	}
	if data, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "acme.json")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// example is a mapping of the page, what may stand in between, and what is printed of it.
var example = regexp.MustCompile("(?s)```yaml\n# (\\w+)\n(.*?)```(.*?)```text\n(.*?)```")

// TestTheExamplesOfThePageAreWhatTheyAreSaidToBe tries each mapping of the page.
func TestTheExamplesOfThePageAreWhatTheyAreSaidToBe(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	written := example.ReplaceAllStringFunc(string(text), func(block string) string {
		found++
		parts := example.FindStringSubmatch(block)
		var settings map[string]any
		if err := yaml.Unmarshal([]byte(parts[2]), &settings); err != nil {
			t.Fatal(err)
		}
		out, err := run(t, acme(t, parts[1], settings), parts[1])
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(out, "\n\n== ")
		said := ""
		for line := range strings.Lines(first) {
			if strings.HasPrefix(line, "- ") {
				said += strings.TrimRight(line, "\n") + "\n"
			}
		}
		if said != parts[4] && !*update {
			t.Errorf("the page says\n%sand it is\n%s", parts[4], said)
		}
		return strings.TrimSuffix(block, parts[4]+"```") + said + "```"
	})
	if found < 2 {
		t.Errorf("%d examples are looked at", found)
	}
	if *update {
		if err := os.WriteFile(page, []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheRequestsOfProduction: a mapped field is in the requests of the record that it is of, once with the record and once with each
// write, and no credential is.
func TestTheRequestsOfProduction(t *testing.T) {
	for crm, tt := range map[string]struct {
		fields string
		once   string // in the requests of the first message alone
		always string
	}{
		"hubspot":    {`{"version": 1, "person": [{"to": "campaign", "value": "sea"}, {"to": "newest", "from": "event.channel", "write": "always"}], "activity": [{"to": "audit", "from": "metadata.rawVendor"}]}`, `"campaign": "sea"`, `"newest": "whatsapp"`},
		"salesforce": {`{"version": 1, "person": [{"to": "Campaign__c", "value": "sea"}, {"to": "Newest__c", "from": "event.channel", "write": "always"}], "activity": [{"to": "Audit__c", "from": "metadata.rawVendor"}]}`, `"Campaign__c": "sea"`, `"Newest__c": "whatsapp"`},
		"dynamics":   {`{"version": 1, "person": [{"to": "acme_campaign", "value": "sea"}, {"to": "acme_newest", "from": "event.channel", "write": "always"}], "activity": [{"to": "acme_audit", "from": "metadata.rawVendor"}]}`, `"acme_campaign": "sea"`, `"acme_newest": "whatsapp"`},
	} {
		var fields any
		if err := json.Unmarshal([]byte(tt.fields), &fields); err != nil {
			t.Fatal(err)
		}
		out, err := run(t, acme(t, crm, map[string]any{"fields": fields}), crm)
		if err != nil {
			t.Fatal(err)
		}
		first, second, ok := strings.Cut(out, "== "+crm+", of a person whom the CRM holds")
		if !ok || !strings.Contains(first, tt.once) || strings.Contains(second, tt.once) || !strings.Contains(second, tt.always) {
			t.Errorf("%s is sent\n%s", crm, out)
		}
		if strings.Count(out, `NumMedia\":\"0\"`) < 2 {
			t.Errorf("what the provider sent is not in what %s is sent", crm)
		}
		for _, secret := range []string{"local-use-only", "PRIVATE KEY", "assertion", "Bearer", "multipart"} { // the last is a batch that nobody can read
			if strings.Contains(out, secret) {
				t.Errorf("%s: %q is printed", crm, secret)
			}
		}
		if strings.Contains(out, "it ends with") {
			t.Errorf("%s refuses:\n%s", crm, out)
		}
	}
}

// TestTheWorkThatRulesAskFor is in the requests of each message, of somebody new and of somebody known, or said to be left and why.
func TestTheWorkThatRulesAskFor(t *testing.T) {
	hubspot := []string{`"subject": "A room to find"`, `"hs_task_subject": "Find a room"`, `"hs_lead_status": "IN_PROGRESS"`, `"msg_automation": "Room_Asked"`}
	salesforce := []string{`"Subject": "A room to find"`, `"Subject": "Find a room"`, `"Status": "Working - Contacted"`, `actions/custom/flow/Room_Asked`}
	before := map[string]any{"package": 4}
	for name, tt := range map[string]struct {
		crm      string
		settings map[string]any
		status   string
		want     []string
		left     string // what is left, and why
	}{
		"hubspot":                        {"hubspot", nil, "IN_PROGRESS", hubspot, ""},
		"a portal of the package before": {"hubspot", before, "IN_PROGRESS", hubspot[1:2], "open_case work_package, set_status work_package, start_automation work_package"},
		"a status that is none":          {"hubspot", nil, "GOAT", hubspot[:2], "set_status hubspot_invalid_data"},
		"salesforce":                     {"salesforce", nil, "Working - Contacted", salesforce, ""},
		"an org of the package before":   {"salesforce", before, "Working - Contacted", []string{salesforce[1], salesforce[3]}, "open_case work_package, set_status work_package"},
		"dynamics":                       {"dynamics", nil, "2", []string{`"subject": "Find a room"`, `"statuscode": 2`, `"msg_name": "Room_Asked"`}, "open_case dynamics_case_of_lead"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := run(t, acme(t, tt.crm, tt.settings, asking(tt.crm, tt.status)), tt.crm)
			if err != nil {
				t.Fatal(err)
			}
			first, second, _ := strings.Cut(out, "== "+tt.crm+", of a person whom the CRM holds")
			for _, part := range []string{first, second} {
				for _, want := range tt.want {
					if n := strings.Count(part, want); n != 1 {
						t.Errorf("%s is sent %d times:\n%s", want, n, part)
					}
				}
				var left []string
				for _, found := range regexp.MustCompile(`- (\w+) is left undone: (\w+)`).FindAllStringSubmatch(part, -1) {
					left = append(left, found[1]+" "+found[2])
				}
				if got := strings.Join(left, ", "); got != tt.left {
					t.Errorf("left is %q, want %q", got, tt.left)
				}
			}
		})
	}
}

// asking returns a rule that asks a CRM for work of each kind.
func asking(crm, status string) map[string]any {
	var then []any
	for kind, value := range map[string]map[string]string{
		"ensure_person": {"source": "messaging"}, "log_activity": {}, "open_case": {"subject": "A room to find"}, "create_task": {"subject": "Find a room"},
		"set_status": {"to": status}, "start_automation": {"name": "Room_Asked", "input.recordId": "$person"},
	} {
		then = append(then, map[string]any{"crm": crm, "kind": kind, "value": value})
	}
	return map[string]any{"id": "all", "when": map[string]any{"types": []string{"message"}}, "then": then}
}

// TestNamesOfTheTenantsChoice: properties that are not called as in the package are there.
func TestNamesOfTheTenantsChoice(t *testing.T) {
	out, err := run(t, acme(t, "hubspot", map[string]any{"properties": map[string]any{"senderKey": "acme_key", "channel": "acme_channel"}}), "hubspot")
	if err != nil || strings.Contains(out, "it ends with") || !strings.Contains(out, `"acme_channel": "whatsapp"`) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestWhatCannotBeTried is told, with what to do.
func TestWhatCannotBeTried(t *testing.T) {
	bad := acme(t, "hubspot", map[string]any{"fields": map[string]any{"version": 1, "person": []any{map[string]any{"to": "firstname", "from": "event.mesage"}}}})
	for name, tt := range map[string]struct{ file, crm, want string }{
		"no file":              {"", "", "TENANT   a tenant file"},
		"a CRM that is none":   {acme(t, "", nil), "goat", "CRM=goat is none of the tenant's, which are hubspot, salesforce, dynamics"},
		"a file with mistakes": {bad, "", "tenant.crms[0].settings.fields.person[0].to is not the internal name of a property"},
	} {
		if _, err := run(t, tt.file, tt.crm); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
