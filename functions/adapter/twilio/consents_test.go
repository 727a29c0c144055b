package twilio

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/twilio/twiliotest"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/fault"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// toldTo starts the API and returns the account that may call it.
func toldTo(t *testing.T, api *twiliotest.Consents) tenant.Account {
	t.Helper()
	api.Account, api.Token = apiAccount, "api-token"
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return tenant.Account{ID: "demo-twilio", Provider: Provider, ProviderAccount: apiAccount, APIToken: "api-token", ConsentURL: server.URL}
}

func wordOf(address, sender, state, source string) consent.Word {
	return consent.Word{
		Tenant: "demo", Account: "demo-twilio", Digest: "digest of " + address, Line: sender, Sender: sender, Channel: canonical.SMS, State: state, Source: source,
		At: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC), EventID: "e1", Address: address,
	}
}

// TestTwilioIsToldOfEachWordForItself: in its words, with one id a word on every repeat, and what it does not take costs the others nothing.
func TestTwilioIsToldOfEachWordForItself(t *testing.T) {
	api := &twiliotest.Consents{}
	account := toldTo(t, api)
	const pool = "MG00000000000000000000000000000de0"
	words := []consent.Word{
		wordOf("+15552010001", "+15557654321", consent.OptedOut, consent.SourcePhrase),
		wordOf("+15552010002", pool, consent.OptedIn, consent.SourceForm),
		wordOf("+15552010003", "rcs:acme_demo_agent", consent.OptedOut, consent.SourceAgent),
		wordOf("demo:visitor", pool, consent.OptedOut, consent.SourceImport),
		wordOf("+15552010004", pool, consent.OptedOut, consent.SourceAgent),
	}
	api.Break("+15552010004", "INTERNAL_SERVER_ERROR")
	for range 2 {
		refused, err := NewConsents(http.DefaultClient).Tell(t.Context(), account, words)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, err := range refused {
			if err == nil {
				got = append(got, "")
				continue
			}
			got = append(got, fmt.Sprint(fault.Of(err).Kind, " ", fault.Of(err).Code))
		}
		if diff := cmp.Diff([]string{"", "", "permanent invalid_sender_id", "permanent contact_no_number", "retryable " + adapter.CodeUnanswered}, got); diff != "" {
			t.Error(diff)
		}
	}
	items, requests := api.Items()
	if len(items) != 4 || requests != 2 || !cmp.Equal(items[:2], items[2:]) {
		t.Fatalf("%d requests, %v", requests, items)
	}
	id := items[0]["correlation_id"]
	want := map[string]string{
		"contact_id": "+15552010001", "sender_id": "+15557654321", "status": "opt-out", "source": "opt-out-message", "date_of_consent": "2026-11-27T12:00:00Z", "correlation_id": id,
	}
	if diff := cmp.Diff(want, items[0]); diff != "" || len(id) != 32 || items[1]["correlation_id"] == id || items[1]["source"] != "website" || items[1]["status"] != "opt-in" {
		t.Errorf("%s\n%v", diff, items[1])
	}
}

// TestAnAnswerOfTwiliosThatTellsNothing is of all words: they are told again.
func TestAnAnswerOfTwiliosThatTellsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		kind   fault.Kind
		code   string
	}{
		"too many requests":          {http.StatusTooManyRequests, fault.Throttled, adapter.CodeThrottled},
		"a failure":                  {http.StatusInternalServerError, fault.Retryable, adapter.CodeUnanswered},
		"not there now":              {http.StatusServiceUnavailable, fault.Retryable, adapter.CodeUnanswered},
		"an account not in the list": {http.StatusForbidden, fault.Blocked, adapter.CodeRefused},
		"a wrong token":              {http.StatusUnauthorized, fault.Blocked, adapter.CodeRefused},
		"no such place":              {http.StatusNotFound, fault.Blocked, adapter.CodeMissing},
	} {
		t.Run(name, func(t *testing.T) {
			api := &twiliotest.Consents{}
			account := toldTo(t, api)
			api.Fail(c.status)
			_, err := NewConsents(http.DefaultClient).Tell(t.Context(), account, []consent.Word{wordOf("+15552010001", "+15557654321", consent.OptedOut, "")})
			if sorted := fault.Of(err); sorted == nil || sorted.Kind != c.kind || sorted.Code != c.code || strings.Contains(err.Error(), "1555") {
				t.Errorf("%v, want %v %s", err, c.kind, c.code)
			}
		})
	}
	t.Run("an item is not in it", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"items":[{"correlation_id":"another","error_code":0}]}`))
		}))
		defer server.Close()
		refused, err := NewConsents(http.DefaultClient).Tell(t.Context(), tenant.Account{ConsentURL: server.URL}, []consent.Word{wordOf("+15552010001", "+15557654321", consent.OptedOut, "")})
		if err != nil || fault.Of(refused[0]).Kind != fault.Retryable {
			t.Errorf("%v, %v", refused, err)
		}
	})
}

// TestTheSchemaSendsConsentToTwilioAlone, or to this machine.
func TestTheSchemaSendsConsentToTwilioAlone(t *testing.T) {
	var schema struct {
		Properties struct{ ConsentURL struct{ Pattern string } }
	}
	data, err := os.ReadFile("account.schema.json")
	if err := errors.Join(err, json.Unmarshal(data, &schema)); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(schema.Properties.ConsentURL.Pattern)
	for url, want := range map[string]bool{
		"https://accounts.twilio.com": true, "http://127.0.0.1:8080": true,
		"http://accounts.twilio.com": false, "https://api.twilio.com": false, "https://accounts.twilio.com.example.net": false, "https://accounts.twilio.com/v1": false, "https://example.net": false,
	} {
		if pattern.MatchString(url) != want {
			t.Errorf("the schema takes %s: %t", url, !want)
		}
	}
}
