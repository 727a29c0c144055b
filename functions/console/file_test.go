package console_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signalbox/functions"
	"signalbox/functions/console"
	"signalbox/shared/hosts"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/secret"
	"signalbox/shared/secret/memsecret"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/tenant/tenantfile"

	"github.com/google/go-cmp/cmp"
)

// tenants returns what applies files in a deployment as template.yaml has it, with nothing in force.
func tenants(t testing.TB, policy hosts.Policy, log io.Writer) *console.Tenants {
	t.Helper()
	return tenantsOver(t, memstore.New(), policy, log)
}

func tenantsOver(t testing.TB, s tenant.Store, policy hosts.Policy, log io.Writer) *console.Tenants {
	t.Helper()
	deployment := console.Deployment{CRMs: []string{"dynamics", "hubspot", "salesforce"}, Providers: providers(t), Schemas: functions.Schemas(), Hosts: policy}
	all, err := console.NewTenants(s, keyring.NewBox(memkeys.New(), rand.NewChaCha8([32]byte{})), tenant.NewPeppers(memsecret.New(map[string]secret.Versions{"pepper": {"local use only"}}), "pepper"), deployment,
		telemetry.NewLogger(log, telemetry.Identity{}), telemetry.NewMeter(io.Discard, telemetry.Identity{}))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// channelsOf returns the channels of the demo tenant's lines.
func channelsOf(t *testing.T) []string {
	t.Helper()
	var file struct{ Lines []struct{ Channels []string } }
	if err := json.Unmarshal(demoFile(t, "", ""), &file); err != nil {
		t.Fatal(err)
	}
	var channels []string
	for _, l := range file.Lines {
		channels = append(channels, l.Channels...)
	}
	slices.Sort(channels)
	return slices.Compact(channels)
}

// ofEachLine returns a refusal of every line of the demo tenant's file.
func ofEachLine(t *testing.T, refusal string) (all []string) {
	t.Helper()
	data, err := os.ReadFile("../../events/tenants/demo.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Lines []json.RawMessage }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for i := range file.Lines {
		all = append(all, fmt.Sprintf("lines[%d].%s", i, refusal))
	}
	return all
}

// providers returns those that there are, by name.
func providers(t testing.TB) (names []string) {
	t.Helper()
	files, err := fs.Glob(functions.Schemas(), "adapter/*/account.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		names = append(names, path.Base(path.Dir(file)))
	}
	return names
}

// plan returns why a file is refused.
func plan(t testing.TB, policy hosts.Policy, file []byte) []tenant.Problem {
	t.Helper()
	answer, err := tenants(t, policy, io.Discard).Apply(t.Context(), console.Request{Action: console.ActionPlan, File: file})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Problems
}

// demoFile returns the demo tenant's file with old replaced, once.
func demoFile(t testing.TB, old, replacement string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../events/tenants/demo.json")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("the demo file does not hold %s", old)
	}
	return []byte(strings.Replace(string(data), old, replacement, 1))
}

// TestTheExampleFile is refused for what has to be replaced in it, and for nothing else, each by its path: first for what its schema
// says, then for the rest. A deployment with public hosts accepts it once all of that is done.
func TestTheExampleFile(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../events/tenants/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	key := strings.ReplaceAll(regexp.MustCompile(`-----BEGIN PRIVATE KEY-----[^"]*`).FindString(string(demoFile(t, "", ""))), `\n`, "\n        ")
	order := [][2]string{ // paths in the order of the file, and values
		{"tenant.crms[0].token", "pat-na1-00000000-0000-0000-0000-000000000000"},
		{"tenant.crms[1].baseUrl", "https://acme.my.salesforce.com"},
		{"tenant.crms[1].token", key},
		{"tenant.crms[1].settings.clientId", "3MVG9"},
		{"tenant.crms[1].settings.username", "signalbox@acme.example"},
		{"tenant.crms[2].baseUrl", "https://acme.crm.dynamics.com"},
		{"tenant.crms[2].token", "8Q~the-value-of-a-secret"},
		{"tenant.crms[2].settings.tenantId", "00000000-0000-4000-8000-000000000001"},
		{"tenant.crms[2].settings.clientId", "00000000-0000-4000-8000-000000000002"},
		{"accounts[0].providerAccount", "AC00000000000000000000000000000001"},
		{"accounts[0].authToken", "0123456789abcdef0123456789abcdef"},
		{"lines[0].address", "+12025550123"},
	}
	places, done := regexp.MustCompile(`"(?:https://)?REPLACE: [^"]*"|(?m:^        REPLACE$)`), map[string]bool{}
	for {
		next := -1
		filled := places.ReplaceAllStringFunc(string(data), func(place string) string {
			next++
			switch value := order[next][1]; {
			case !done[order[next][0]]:
				return place
			case value == key:
				return "        " + key
			default:
				return `"` + value + `"`
			}
		})
		if next != len(order)-1 {
			t.Fatalf("%d places are to be replaced, want %d", next+1, len(order))
		}
		file, err := tenantfile.Parse("example.yaml", []byte(filled))
		if err != nil {
			t.Fatal(err)
		}
		problems := plan(t, hosts.Public, file.JSON)
		if len(problems) == 0 {
			break
		}
		for _, p := range problems {
			if done[p.Path] || !slices.ContainsFunc(order, func(o [2]string) bool { return o[0] == p.Path }) {
				t.Fatalf("refused for %v", p)
			}
		}
		for _, p := range problems {
			done[p.Path] = true
		}
	}
	if len(done) != len(order) {
		t.Errorf("it is accepted with only these replaced: %v", done)
	}
}

// leads is what the demo file says of them.
const leads = `"leads": { "dailyCap": 1000000, "people": [{ "name": "ana", "users": { "hubspot": "4711", "salesforce": "005000000000007AAA", "dynamics": "00000000-0000-4000-8000-000000000007" } }] }`

func TestATenantsFile(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		old, replacement string
		want             []string // path and reason
	}{
		"the demo file is fine": {"", "", nil},
		"a name that nobody knows": {`"region"`, `"rigeon": "US", "region"`, []string{
			"tenant.rigeon is not a name known here, which are consent, crms, id, leads, name, rawVendor, region, rules, timeline, zone",
		}},
		"a name in other letters is not the name": {`"authToken"`, `"AuthToken"`, []string{
			"accounts[0].AuthToken is not a name known here, which are apiToken, apiUrl, authToken, consentUrl, handshakeToken, id, previousAuthToken, provider, providerAccount", "accounts[0].authToken is missing: 1 to 4096 printable ASCII characters without blanks",
		}},
		"a name that a secret was pasted into is not told": {`"authToken"`, `"hunter2 hunter2"`, []string{
			"accounts[0].? is not a name known here, which are apiToken, apiUrl, authToken, consentUrl, handshakeToken, id, previousAuthToken, provider, providerAccount", "accounts[0].authToken is missing: 1 to 4096 printable ASCII characters without blanks",
		}},
		"a provider that is not told": {`"id": "demo-telnyx",`, `"id": "demo-telnyx", "consentUrl": "https://accounts.twilio.com",`, []string{
			"accounts[4].consentUrl is of providers that are told who may be written to, which telnyx is not: leave it out",
		}},
		"a name written twice":          {`"region": "US"`, `"region": "US", "region": "DE"`, []string{"tenant.region is written twice"}},
		"a number in place of a string": {`"US"`, `1`, []string{"tenant.region is a number, not a string"}},
		"a secret that is a number":     {`"local-use-only-hubspot-token"`, `12345`, []string{"tenant.crms[0].token is a number, not a string"}},
		"a tier that there is none of":  {`"settings": {`, `"tiers": {"messages": "hourly"}, "settings": {`, []string{"tenant.crms[0].tiers.messages is not live, at once, or batch, at the next full hour; live if left out"}},
		"receipts of messages to come": {`"settings": {`, `"tiers": {"messages": "batch", "receipts": "live"}, "settings": {`, []string{
			"tenant.crms[0].tiers.receipts is live while messages are batch: there would be nothing yet that they are about",
		}},
		"a limit of too few requests":        {`"settings": {`, `"limits": {"daily": 9}, "settings": {`, []string{"tenant.crms[0].limits.daily is not a whole number from 100: the requests of a day in the tenant's zone"}},
		"null in place of an object":         {`"settings": {`, `"settings": null, "ignored": {`, []string{"tenant.crms[0].ignored is not a name known here, which are apiVersion, baseUrl, kind, limits, name, settings, tiers, token", "tenant.crms[0].settings is null, not an object"}},
		"a string in place of true or false": {`"known": false`, `"known": "no"`, []string{"tenant.rules.rules[0].when.known is a string, not true or false"}},
		"a tenant id that is another record's": {`"id": "demo"`, `"id": "account"`, []string{
			"tenant.id is not 2 to 31 lower-case letters, digits and hyphens, a letter first, and none of account, line, tenants, spool, bytes, due",
		}},
		"a tenant id that is what waits for its time": {`"id": "demo"`, `"id": "due"`, []string{
			"tenant.id is not 2 to 31 lower-case letters, digits and hyphens, a letter first, and none of account, line, tenants, spool, bytes, due",
		}},
		"a tenant id with a slash":                    {`"id": "demo"`, `"id": "demo/x"`, []string{"tenant.id is not 2 to 31 lower-case letters, digits and hyphens, a letter first, and none of account, line, tenants, spool, bytes, due"}},
		"a region that is no country":                 {`"US"`, `"UK"`, []string{"tenant.region is not a code of ISO 3166-1 alpha-2, such as US or GB: what national numbers are read with"}},
		"a region of two codes' ends":                 {`"US"`, `"S "`, []string{"tenant.region is not a code of ISO 3166-1 alpha-2, such as US or GB: what national numbers are read with"}},
		"a policy that nobody knows":                  {`"redacted"`, `"some"`, []string{"tenant.rawVendor is not none, redacted or full: how much of what a provider sent is kept"}},
		"a token with a line break":                   {"local-use-only-hubspot-token", `hunter2\r\nX-Evil: 1`, []string{"tenant.crms[0].token is not an access token: printable ASCII characters without blanks, and no private key"}},
		"a private key with more behind it":           {"local-use-only-hubspot-token", `-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\nX-Evil: 1`, []string{"tenant.crms[0].token is not an access token: printable ASCII characters without blanks, and no private key"}},
		"a certificate in place of a key":             {"local-use-only-hubspot-token", `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`, []string{"tenant.crms[0].token is not an access token: printable ASCII characters without blanks, and no private key"}},
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
		"an outreach account that is called as its key is": {`"accounts": [`, strings.Replace(outreachAccount("whsec_bG9jYWwtdXNlLW9ubHktZW5nYWdlLXNlY3JldCE=", ""),
			`"providerAccount": "acme-engage"`, `"providerAccount": "whsec_bG9jYWwtdXNlLW9ubHktZW5nYWdlLXNlY3JldCE="`, 1), []string{
			"accounts[0].providerAccount is not a name that you give the account, and no signing key",
		}},
		"no previous token": {`,
      "previousAuthToken": "local-use-only-previous-twilio-auth-token"`, "", nil},
		"a line of an account that is not there": {`"account": "demo-twilio"`, `"account": "demo-nobody"`, []string{"lines[0].account is not the id of an account in this file, nor of one with a file of its own that names this tenant"}},
		"the same address twice":                 {"rcs:acme_demo_agent", "+15557654321", []string{"lines[1].address is that of an earlier line at the same provider"}},
		"a number without its plus sign":         {"+15557654321", "15557654321", []string{"lines[0].address is not E.164 with its plus, a short code, an alphanumeric sender, an identifier of 15 digits or more, or one that may stand behind a channel's prefix"}},
		"a number's id at Meta":                  {`"address": "+15557654330"`, `"address": "106540352242922"`, nil},
		"a short code":                           {"+15557654321", "55512", nil},
		"an alphanumeric sender":                 {"+15557654321", "ACME Shop", nil},
		"a WhatsApp address that is no number":   {"rcs:acme_demo_agent", "whatsapp:acme", []string{"lines[1].address is not E.164 behind whatsapp:", "lines[1].address has the prefix of another channel than the line's"}},
		"a channel that nobody knows":            {`["rcs"]`, `["fax"]`, []string{"lines[1].channels[0] is not rcs, imessage, sms, whatsapp or web"}},
		"a rule for the channel of no line":      {`"known": false`, `"channels": ["smss"]`, []string{"tenant.rules.rules[0].when.channels[0] is not one of " + fmt.Sprint(channelsOf(t))}},
		"a line for no channel":                  {`["rcs"]`, `[]`, []string{"lines[1].channels is not a list of one or more different channels"}},
		"a channel twice":                        {`["rcs"]`, `["rcs", "rcs"]`, []string{"lines[1].channels is not a list of one or more different channels"}},
		"colleagues":                             {`"leads": {`, `"leads": { "staff": ["+12025550123"],`, nil},
		"a colleague whose number has no plus sign": {`"leads": {`, `"leads": { "staff": ["12025550123"],`, []string{
			"tenant.leads.staff[0] is not a number in E.164, such as +12025550123",
		}},
		"days that are shown whole": {`"granularity": "message"`, `"granularity": "day", "sealAfter": "240h", "words": "digest"`, nil},
		"a granularity that is none": {`"granularity": "message"`, `"granularity": "week"`, []string{
			"tenant.timeline.granularity is not day, session, message or summary: what one activity shows; day by default",
		}},
		"a duration in days": {`"granularity": "message"`, `"close": "3d"`, []string{
			"tenant.timeline.close is not a duration in hours, minutes and seconds, such as 72h or 1h30m",
		}},
		"a window of an hour": {`"granularity": "message"`, `"window": "1h"`, []string{
			"tenant.timeline.window is not a duration from 0s to 15m, such as 90m or 72h",
		}},
		"a line's own timeline": {`"channels": ["rcs"]`, `"channels": ["rcs"], "timeline": {"granularity": "day"}`, nil},
		"a zone":                {`"region"`, `"zone": "America/New_York", "region"`, nil},
		"a zone that is none": {`"region"`, `"zone": "Eastern Time", "region"`, []string{
			"tenant.zone is not a time zone of the IANA database, such as America/New_York",
		}},
		"the zone of whoever reads it": {`"region"`, `"zone": "Local", "region"`, []string{
			"tenant.zone is not a time zone of the IANA database, such as America/New_York",
		}},
		"people who have leads": {leads, `"leads": {"holidays": ["2026-12-25"], "people": [
			{"name": "ana", "users": {"salesforce": "005000000000007AAA", "hubspot": "4711"}, "hours": [{"days": ["mon"], "from": "09:00", "to": "24:00"}]}
		]}`, nil},
		"people as nobody can be": {leads, `"leads": {"holidays": ["Christmas"], "people": [
			{"name": "Ana", "users": {"salesforce": "4711", "hubspot": "ana@acme.example"}, "hours": [{"days": ["monday"], "from": "24:00", "to": "9am"}]}, {"name": "bo"}
		]}`, []string{
			"tenant.leads.holidays[0] is not a date, such as 2026-12-25",
			"tenant.leads.people[0].hours[0].days[0] is not mon, tue, wed, thu, fri, sat or sun",
			"tenant.leads.people[0].hours[0].from is not the first minute, 00:00 to 23:59",
			"tenant.leads.people[0].hours[0].to is not the first minute after it, 00:00 to 24:00; one that is not after from is on the next day",
			"tenant.leads.people[0].name is not 1 to 31 lower-case letters, digits and hyphens: what lines call them",
			"tenant.leads.people[0].users.hubspot is not the id of a user in this CRM",
			"tenant.leads.people[1].users is missing: an object: the name of a CRM, and the id of their user there",
			"tenant.leads.people[0].users.hubspot is not the id of an owner, which is digits alone and not that of the user",
			"tenant.leads.people[0].users.salesforce is not the id of a user or of a queue for leads, which begins with 005 or 00G",
		}},
		"people of a CRM that is not there, and twice": {leads, `"leads": {"people": [
			{"name": "ana", "users": {"zoho": "1"}}, {"name": "ana", "users": {}}
		]}`, []string{
			"tenant.leads.people[0].users.zoho is not the name of a CRM in this file",
			"tenant.leads.people[1].name is the name of an earlier person",
		}},
		"a line that gives leads to nobody": {`"channels": ["rcs"]`, `"channels": ["rcs"], "leads": {"assign": "owner", "people": ["cy"]}`, []string{
			"lines[1].leads.owner is missing: the name of one of tenant.leads.people, who gets the leads",
			"lines[1].leads.people[0] is not the name of one of tenant.leads.people",
		}},
		"a line that gives leads in turn to nobody": {`"channels": ["rcs"]`, `"channels": ["rcs"], "leads": {"assign": "turn", "owner": "bo"}`, []string{
			"lines[1].leads.owner is not the name of one of tenant.leads.people",
			"lines[1].leads.people is missing: names of tenant.leads.people, who get the leads in turn",
		}},
		"a rule that is wrong": {`"kind": "set_consent"`, `"kind": "dance"`, []string{"tenant.rules.rules[3].then[0].kind is not ensure_person, log_activity, set_consent, mark_replied, cancel_sequences, raise_status, open_case, create_task, set_status or start_automation"}},
		"a line that tells of who waits, and is answered by nobody": {`"channels": ["rcs"]`, `"channels": ["rcs"], "leads": {"waitMinutes": 30, "hours": [{"days": ["mon"], "from": "09:00", "to": "17:00"}]}`, []string{
			"lines[1].leads.owner is missing: the name of one of tenant.leads.people, who is told that somebody waits",
		}},
		"leads of a line whose address is an earlier one's": {`"id": "demo-outreach-number",`, `"id": "demo-outreach-number", "leads": {"assign": "crm"},`, []string{
			"lines[2].leads is of a line with the address of lines[0], whose leads hold: it belongs there",
		}},
		"a wait and hours that are none": {`"channels": ["rcs"]`, `"channels": ["rcs"], "leads": {"waitMinutes": 0, "hours": [{"days": [], "from": "9", "to": "17:00"}]}`, []string{
			"lines[1].leads.hours[0].days is not a list of one or more different days",
			"lines[1].leads.hours[0].from is not the first minute, 00:00 to 23:59",
			"lines[1].leads.waitMinutes is not 1 to 10080 minutes of the line's hours: how long somebody may wait for an answer until their owner is told; never if left out",
		}},
		"consent of a brand, and no brand": {`"region": "US"`, `"region": "US", "consent": {"scope": "brand"}`, ofEachLine(t, "brand is missing, and tenant.consent.scope is brand")},
		"a channel in two families": {`"region": "US"`, `"region": "US", "consent": {"families": [["sms", "rcs"], ["whatsapp", "rcs"]]}`, []string{
			"tenant.consent.families[1][1] is in a family already",
		}},
		"a family of one": {`"region": "US"`, `"region": "US", "consent": {"families": [["sms"]]}`, []string{"tenant.consent.families[0] is not a list of two or more channels"}},
		"a day that is none": {`"region": "US"`, `"region": "US", "consent": {"revokeAll": "2027-02-31"}`, []string{
			"tenant.consent.revokeAll is not a day like 2027-01-31",
		}},
		"every setting of consent": {`"region": "US"`, `"region": "US", "consent": {"scope": "line", "families": [["sms", "whatsapp"]], "revokeAll": "2026-12-01"}`, nil},
		"who answers":              {`["rcs"]`, `["rcs"], "brand": "acme", "answers": {"stop": "provider", "help": "nobody"}`, nil},
		"somebody else answers":    {`["rcs"]`, `["rcs"], "answers": {"stop": "twilio"}`, []string{"lines[1].answers.stop is not provider, us or nobody"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range plan(t, hosts.Any, demoFile(t, tt.old, tt.replacement)) {
				got = append(got, p.Path+" "+p.Reason)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if told := strings.Join(got, " "); strings.Contains(told, "hunter2") || strings.Contains(told, "local-use-only") {
				t.Errorf("a secret is told: %s", told)
			}
		})
	}
}

// TestASettingOfACRMIsChecked is what made a connector deliver nothing, and say nothing for minutes.
func TestASettingOfACRMIsChecked(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ old, replacement, want string }{
		"a wrong type":                    {`"leads": true,`, `"leads": "yes",`, "tenant.crms[0].settings.leads is a string, not true or false"},
		"a wrong type below":              {`"senderKey": "msg_sender_key"`, `"senderKey": 7`, "tenant.crms[0].settings.properties.senderKey is a number, not a string"},
		"a name that is no property's":    {`"senderKey": "msg_sender_key"`, `"senderKey": "Sender Key"`, "tenant.crms[0].settings.properties.senderKey is not the internal name of a property: 1 to 100 lower-case letters, digits and underscores, a letter first"},
		"a name that nobody knows":        {`"leads": true,`, `"lead": true,`, "tenant.crms[0].settings.lead is not a name known here, which are engagementUpsert, fields, leadType, leads, package, portalId, properties"},
		"a name that is missing":          {`"clientId": "demo-consumer-key",`, ``, "tenant.crms[1].settings.clientId is missing: the consumer key of the external client app: 1 to 512 printable ASCII characters without blanks"},
		"an address where credentials go": {`"clientId": "demo-consumer-key",`, `"clientId": "demo-consumer-key", "loginUrl": "https://me:hunter2@login.example.com",`, "tenant.crms[1].settings.loginUrl holds more than scheme, host and path"},
		"another CRM's":                   {`"kind": "hubspot"`, `"kind": "salesforce"`, ""}, // several
		"no settings where they are needed": {`"settings": {
          "clientId"`, `"other": {
          "clientId"`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := plan(t, hosts.Any, demoFile(t, tt.old, tt.replacement))
			if len(got) == 0 || tt.want != "" && (len(got) != 1 || got[0].Path+" "+got[0].Reason != tt.want) {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
}

// tinyKey is an RSA key of 512 bits, PKCS #8, which package crypto/rsa does not make.
const tinyKey = "MIIBVAIBADANBgkqhkiG9w0BAQEFAASCAT4wggE6AgEAAkEAvsy3O+ta21uCvPB2FrFPu+VE6ImATE5AAgOEu6OVGmBbfYg1SU4AqOizH6HRcVSaNFAOtYS+Se80iZunYZ8KxwIDAQABAkAYM612a0cuFfCCeNnx" +
	"zPH5On7AJFji1PYnizy19G0AWEoMSbIdkCXcp+tXztOrT9yTVSikpg3HAH9x29YW0QMZAiEA/TL8bHWR0FSC99rXbw/1kqw182B8MP+yGoYO+Ca5nu0CIQDA6QaVRJ86b8ANvxqHg9htZV+M8P1EjNcQRYjt2Ocm" +
	"AwIgUQ4laMMqbrrfQmE4XkGJp+6hRsw4daclaQBJgn9DJPECIQCNrxicrUfdXZJLBl7vxRBCWMAy/hSmMmMKmmeVeUdcDQIgU5lw6DLBcm9p6fK7sDNj5YSGZcPLAgyjnL4+HUlYcNI="

// TestWhatBelongsToAnotherCRMOrProviderIsRefused is what was accepted, and then kept from working for as long as it was in force.
func TestWhatBelongsToAnotherCRMOrProviderIsRefused(t *testing.T) {
	t.Parallel()
	key := regexp.MustCompile(`"(-----BEGIN PRIVATE KEY-----[^"]*)"`).FindStringSubmatch(string(demoFile(t, "", "")))[1]
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.NewChaCha8([32]byte{}))
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(label string, key []byte) string {
		return strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: key})), "\n", `\n`)
	}
	tiny, err := base64.StdEncoding.DecodeString(tinyKey)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(nil, 1024)
	if err != nil {
		t.Fatal(err)
	}
	const (
		noToken   = "tenant.crms[0].token is not an access token: printable ASCII characters without blanks, and no private key"
		noKey     = "tenant.crms[1].token is not a whole RSA private key in PEM, PKCS #8 or PKCS #1, of 2048 bits or more, that is not encrypted"
		noAccount = "accounts[0].providerAccount is not the SID of an account: AC and 32 hexadecimal digits in small letters"
	)
	for name, tt := range map[string]struct{ old, replacement, want string }{
		"a private key for a token":             {"local-use-only-hubspot-token", key, noToken},
		"a token for a private key":             {key, "hunter2", noKey},
		"a key of another kind":                 {key, encode("PRIVATE KEY", encoded), noKey},
		"a key in its older form":               {key, strings.ReplaceAll(key, "PRIVATE KEY", "RSA PRIVATE KEY"), ""},
		"a key that is too small to sign":       {key, encode("PRIVATE KEY", tiny), noKey},
		"a key that is smaller than RS256 asks": {key, encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small)), noKey},
		"a key of another label":                {key, strings.ReplaceAll(key, "PRIVATE KEY", "FOO PRIVATE KEY"), noKey},
		"a key that is called encrypted":        {key, strings.ReplaceAll(key, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), noKey},
		"a private key without its first line":  {key, key[len(`-----BEGIN PRIVATE KEY-----\n`):], noKey},
		"a version of the other CRM":            {"2026-03", "v66.0", "tenant.crms[0].apiVersion is not a version of this API: 2026-03, 2026-09 or v3"},
		"and the other way":                     {"v66.0", "2026-03", "tenant.crms[1].apiVersion is not a version of this API, v50.0 to v99.0"},
		"a provider that nobody serves":         {`"provider": "twilio"`, `"provider": "twillio"`, "accounts[0].provider is no provider of this deployment, which has " + strings.Join(providers(t), ", ")},
		"an odd name of one":                    {`"provider": "twilio"`, `"provider": "../twilio"`, "accounts[0].provider is no provider of this deployment, which has " + strings.Join(providers(t), ", ")},
		"the account of another provider":       {"AC00000000000000000000000000000de0", "acme", noAccount},
		"an account cut short":                  {"AC00000000000000000000000000000de0", "AC00000000000000000000000000000de", noAccount},
		"the SID of a key":                      {"AC00000000000000000000000000000de0", "SK00000000000000000000000000000de0", noAccount},
		"a SID for an auth token":               {`"local-use-only-twilio-auth-token"`, `"AC00000000000000000000000000000de0"`, "accounts[0].authToken is not an auth token, which is neither a SID nor a signing key"},
		"a signing key for an auth token":       {`"local-use-only-previous-twilio-auth-token"`, `"whsec_aHVudGVyMg=="`, "accounts[0].previousAuthToken is not an auth token, which is neither a SID nor a signing key"},
		"half of a private key":                 {key, key[:400] + key[800:], noKey},
		"a key that is none":                    {key, `-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n`, noKey},
		"the address of the other CRM":          {"http://127.0.0.1:8092", "https://acme.my.salesforce.com", "tenant.crms[0].baseUrl is an address of another CRM, salesforce"},
		"and that for this one":                 {"http://127.0.0.1:8091", "https://api.hubapi.com", "tenant.crms[1].baseUrl is an address of another CRM, hubspot"},
		"in capitals, with a port":              {"http://127.0.0.1:8091", "https://API.HubAPI.com:443", "tenant.crms[1].baseUrl is an address of another CRM, hubspot"},
		"the address of the org's pages":        {"http://127.0.0.1:8091", "https://acme.lightning.force.com", "tenant.crms[1].baseUrl is not an address of the org's API, such as https://acme.my.salesforce.com, and none of its pages"},
		"the address of the portal's pages":     {"http://127.0.0.1:8092", "https://app-eu1.hubspot.com", "tenant.crms[0].baseUrl is not an address of the API, such as https://api.hubapi.com, and none of the portal's pages"},
		"a CRM's own address":                   {"http://127.0.0.1:8091", "https://acme--dev.sandbox.my.salesforce.com", ""},
		"a proxy that is called like another":   {"http://127.0.0.1:8092", "https://my.salesforce.com.proxy.example.com", ""},
		"a host that ends like another":         {"http://127.0.0.1:8092", "https://notsalesforce.com", ""},
		"an account in capitals":                {"AC00000000000000000000000000000de0", "AC00000000000000000000000000000DE0", noAccount},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range plan(t, hosts.Any, demoFile(t, tt.old, tt.replacement)) {
				got = append(got, p.Path+" "+p.Reason)
			}
			if all := strings.Join(got, "; "); all != tt.want {
				t.Errorf("got %q, want %q", all, tt.want)
			}
		})
	}
}

// TestAHostThatIsNotPublicIsRefused wherever a file names one, with what to do about it.
func TestAHostThatIsNotPublicIsRefused(t *testing.T) {
	t.Parallel()
	public := strings.NewReplacer("http://127.0.0.1:8092", "https://api.example.com", "http://127.0.0.1:8091", "https://acme.example.com", "http://127.0.0.1:8093", "https://acme.crm4.example.com")
	file := public.Replace(string(demoFile(t, "", "")))
	if got := plan(t, hosts.Public, []byte(file)); len(got) > 0 {
		t.Fatalf("a file with public hosts: %v", got)
	}
	for _, host := range []string{
		"https://127.0.0.1", "https://10.0.0.1", "https://169.254.169.254", "https://[fd00:ec2::254]", "https://[::ffff:127.0.0.1]",
		"https://localhost", "https://crm.internal", "http://api.example.com", "https://api.example.com:0", "https://api.example.com:70000", "https://2130706433",
	} {
		for path, changed := range map[string]string{
			"tenant.crms[0].baseUrl":           strings.Replace(file, "https://api.example.com", host, 1),
			"tenant.crms[1].settings.loginUrl": strings.Replace(file, `"clientId"`, `"loginUrl": "`+host+`", "clientId"`, 1),
		} {
			if got := plan(t, hosts.Public, []byte(changed)); len(got) != 1 || got[0].Path != path || got[0].Reason != hosts.Public.Check(host) {
				t.Errorf("%s as %s: %v", host, path, got)
			}
		}
	}
}

// TestWhatIsNoFileIsRefused: whatever is sent instead of one, the answer says what is wrong.
func TestWhatIsNoFileIsRefused(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"nothing": "", "null": "null", "a number": "7", "a list": "[]", "an empty object": "{}", "cut": `{"tenant":{"crms":[`,
		"brackets": strings.Repeat("[", 100_000), "objects": strings.Repeat(`{"tenant":`, 100_000), "no UTF-8": "{\"tenant\":\"\xff\"}",
		"lists for objects": `{"tenant":[],"accounts":{},"lines":{}}`, "null for objects": `{"tenant":null,"accounts":null,"lines":null}`,
		"crms that are none": `{"tenant":{"crms":[null,7,[],{"kind":{}},{"kind":"hubspot","settings":[]}]},"accounts":[null],"lines":[7]}`,
	} {
		if got := plan(t, hosts.Any, []byte(file)); len(got) == 0 {
			t.Errorf("%s is accepted", name)
		}
	}
}

// outreachAccount returns the beginning of a list of accounts, the first of which is for the outreach API.
func outreachAccount(current, previous string) string {
	return `"accounts": [{"id": "acme-engage", "provider": "outreach", "providerAccount": "acme-engage", "authToken": "` + current +
		`", "previousAuthToken": "` + previous + `"},`
}

// TestAnOutreachLineServesAnyChannel is what other lines do not: a sales tool also writes mail, and calls.
func TestAnOutreachLineServesAnyChannel(t *testing.T) {
	t.Parallel()
	account := outreachAccount("whsec_bG9jYWwtdXNlLW9ubHktZW5nYWdlLXNlY3JldCE=", "")
	for owner, want := range map[string][]tenant.Problem{
		"acme-engage": {{Path: "lines[0].channels[2]", Reason: "is not a channel's name, 2 to 20 lower-case letters, such as sms, email or call"}},
		"demo-twilio": {
			{Path: "lines[0].channels[0]", Reason: "is not rcs, imessage, sms, whatsapp or web"},
			{Path: "lines[0].channels[1]", Reason: "is not rcs, imessage, sms, whatsapp or web"},
			{Path: "lines[0].channels[2]", Reason: "is not rcs, imessage, sms, whatsapp or web"},
		},
	} {
		line := `"lines": [{"id": "mailbox", "account": "` + owner + `", "address": "sales@acme.example", "channels": ["email", "call", "E-Mail"]},`
		file := strings.Replace(string(demoFile(t, `"accounts": [`, account)), `"lines": [`, line, 1)
		if diff := cmp.Diff(want, plan(t, hosts.Any, []byte(file))); diff != "" {
			t.Errorf("%s: -want +got:\n%s", owner, diff)
		}
	}
}

// BenchmarkStart is what compiling the schemas adds to the start of the function that applies files.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		tenants(b, hosts.Public, io.Discard)
	}
}
