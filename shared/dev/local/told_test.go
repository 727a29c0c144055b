package local_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"signalbox/shared/consent"
	"signalbox/shared/dev/local"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/redrive"
)

// TestAProviderIsToldWhoMayBeWrittenTo through the stack, with the rights that its functions have: what a person says in plain words, and what an
// operator enters, each once, and what is newest holds.
func TestAProviderIsToldWhoMayBeWrittenTo(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	teller, ok := plugins.Channels()["twilio"].(samples.Teller)
	if !ok {
		t.Fatal("its provider cannot be told")
	}
	api, state := teller.Consents(accountSid, "local-use-only-twilio-auth-token")
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	w := newWorld(t, 0, local.Options{})
	ctx := t.Context()
	file, err := w.Tenant()
	if err != nil {
		t.Fatal(err)
	}
	accounts, _ := file["accounts"].([]any)
	for _, one := range accounts {
		if account, _ := one.(map[string]any); account["id"] == "demo-twilio" {
			account["consentUrl"] = server.URL
		}
	}
	if reasons := w.apply(ctx, file); len(reasons) > 0 {
		t.Fatal(reasons)
	}
	said := w.sample()
	phone, line := said.Form[2][1], said.Form[3][1]
	ask := func(action string, asked consent.Request) (answer struct{ Consent consent.Result }) {
		asked.Tenant = "demo"
		if err := json.Unmarshal(w.invoke(ctx, "ApplyTenant", map[string]any{"action": action, "consent": asked}), &answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	knows := func() string {
		for _, k := range ask(consent.Show, consent.Request{Address: phone}).Consent.Providers {
			if k.Channel == "sms" && k.State != consent.KnowsNothing {
				return k.State
			}
		}
		return ""
	}
	check := func(what, want string) {
		t.Helper()
		w.rest(ctx)
		if got := knows(); got != consent.KnowsLater {
			t.Errorf("%s: before it is told the provider knows %q", what, got)
		}
		w.invoke(ctx, "twilioReparse", redrive.Common{Action: redrive.Again})
		if got := state(phone, line); got != want || knows() != consent.KnowsTold {
			t.Errorf("%s: the provider has %q, want %q; it is shown as %q", what, got, want, knows())
		}
	}
	said.Form[4] = [2]string{"Body", "please stop texting me"}
	w.deliver(ctx, said)
	check("plain words", consent.OptedOut)
	again := w.sample()
	again.Form[2], again.Form[4] = said.Form[2], [2]string{"Body", "START"}
	w.deliver(ctx, again)
	check("a start", consent.OptedIn)
	ask(consent.Enter, consent.Request{By: "ada", Reason: "INC-7", Rows: []consent.Row{{Number: 1, Address: phone, Channel: "sms", State: consent.OptedOut, Source: consent.SourceAgent}}})
	check("an operator", consent.OptedOut)
}
