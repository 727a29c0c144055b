package samples_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
)

func TestAFormIsSentInItsOrder(t *testing.T) {
	client, sample := demo(t), samples.Sample{Path: "/v1/accounts/demo-twilio/twilio/messages", Form: [][2]string{{"To", "+1"}, {"Body", "a b&c"}, {"Empty", ""}}}
	request, err := client.Request(t.Context(), sample)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(request.Body); err != nil || string(got) != "To=%2B1&Body=a+b%26c&Empty=" {
		t.Errorf("body %s, %v", got, err)
	}
}

func demo(t *testing.T) *samples.Client {
	t.Helper()
	client, err := samples.NewClient(root, plugins.Channels(), samples.Target{Gateway: "http://127.0.0.1:1", Host: "api.example", PublicBaseURL: "https://hooks.example"})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

const root = "../../.."

// TestANewSampleIsToALineOfItsAccount: whoever owns a line is looked up by the account, too.
func TestANewSampleIsToALineOfItsAccount(t *testing.T) {
	var tenant samples.Tenant
	const file = `{"accounts":[{"id":"first","provider":"other"},{"id":"silent","provider":"known"},{"id":"second","provider":"known"}],"lines":[
		{"account":"first","address":"+15550100"},{"account":"second","address":"rcs:agent"},{"account":"second","address":"+15550101"}]}`
	if err := json.Unmarshal([]byte(file), &tenant); err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		provider, line, want string
	}{
		"the first number of the first account that has one": {"known", "", "second +15550101"},
		"the first account's is that account's":              {"other", "", "first +15550100"},
		"a line that is asked for":                           {"known", "+15550102", "silent +15550102"},
		"no account's channel sends such ones":               {"nobody", "", ""},
	} {
		client := samples.NewTenantClient(map[string]samples.Channel{c.provider: naming{}}, samples.Target{}, tenant)
		if got := client.New(samples.Load{Line: c.line}); got.Name != c.want {
			t.Errorf("%s: %q, want %q", sentence, got.Name, c.want)
		}
	}
}

// TestASampleIsSentToATenantsOwnNumber: however its provider writes it.
func TestASampleIsSentToATenantsOwnNumber(t *testing.T) {
	theirs, err := samples.ReadTenant(filepath.Join(root, samples.DemoTenant))
	if err != nil {
		t.Fatal(err)
	}
	const number, demos = "+15557640001", "1555765" // as the demo tenant's numbers begin, and nobody else's
	sent, numbers := 0, map[string]bool{}           // accounts that have one
	for i, l := range theirs.Lines {
		if strings.HasPrefix(l.Address, "+") {
			theirs.Lines[i].Address, numbers[l.Account] = number, true
		}
	}
	for _, a := range theirs.Accounts {
		s, err := samples.Choose(root, plugins.Channels(), theirs, a.Provider, "", strings.Repeat("0", 32))
		if err != nil || !numbers[a.ID] {
			continue // none is sent without being named, or it is to an address of another sort
		}
		text := fmt.Sprint(s.Form, string(s.JSON))
		if strings.Contains(text, demos) {
			t.Errorf("%s is sent to another number: %s", a.Provider, text)
		}
		if strings.Contains(text, number[1:]) {
			sent++
		}
	}
	if sent < 5 {
		t.Errorf("only %d name the number", sent)
	}
}

// naming is a channel whose samples are named after their account and line.
type naming struct{ samples.Channel }

func (naming) New(l samples.Load) (samples.Sample, bool) {
	return samples.Sample{Name: l.Account.ID + " " + l.Line}, true
}

// TestEverySampleCanBeSent wants of every file what a client needs to sign it and to find what becomes of it.
func TestEverySampleCanBeSent(t *testing.T) {
	client := demo(t)
	all, err := samples.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		request, err := client.Request(t.Context(), s)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		if request.Host != "api.example" || request.URL.String() != "http://127.0.0.1:1"+s.Path || len(request.Header) < 2 {
			t.Errorf("%s goes to %s as %s with %v", s.Name, request.URL, request.Host, request.Header)
		}
		if client.ID(s) == "" || client.EventID(s) == "" || client.MessageKey(s) == "" {
			t.Errorf("%s has no id", s.Name)
		}
	}
	if len(all) < 10 {
		t.Errorf("only %d samples", len(all))
	}
}

func TestASampleThatNobodyCanSign(t *testing.T) {
	client := demo(t)
	for path, want := range map[string]string{
		"/v1/accounts/demo-twilio/nobody/messages": `"nobody" is no channel`,
		"/v1/accounts/other/twilio/messages":       "the tenant demo has no account other",
		"/":                                        "has no account ",
	} {
		if _, err := client.Request(t.Context(), samples.Sample{Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", path, err, want)
		}
	}
}

// TestAnEnvelopeIsSignedForTheAccountItIsSentTo is what failed of every tenant but the demo's, where a signature names the account.
func TestAnEnvelopeIsSignedForTheAccountItIsSentTo(t *testing.T) {
	tenant := samples.Tenant{Accounts: []samples.Account{{ID: "acme", Provider: "known", ProviderAccount: "AC1", AuthToken: "token"}}}
	client := samples.NewTenantClient(map[string]samples.Channel{"known": enveloping{}}, samples.Target{}, tenant)
	request, err := client.Request(t.Context(), samples.Sample{Path: "/v1/accounts/acme/known/messages", JSON: json.RawMessage(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil || string(body) != "({})" || request.Header.Get("Signature") != "AC1 token ({})" {
		t.Errorf("%s is sent as of %s: %v", body, request.Header.Get("Signature"), err)
	}
}

// enveloping is a channel that puts what is said into brackets.
type enveloping struct{ samples.Channel }

func (enveloping) Wrap(said []byte) []byte { return []byte("(" + string(said) + ")") }

func (enveloping) SignFor(account samples.Account, _ string, body []byte, _ time.Time) http.Header {
	return http.Header{"Signature": {account.ProviderAccount + " " + string(account.AuthToken) + " " + string(body)}}
}
