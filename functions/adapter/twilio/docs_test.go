package twilio

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

const page = "README.md"

func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheURLsOfThePageWork: each leads to a kind of webhook, each kind has one, the overrides are ones that Twilio knows, and what
// it signs, which is the URL without them, is accepted.
func TestTheURLsOfThePageWork(t *testing.T) {
	channel, err := New(publicURL)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, found := range regexp.MustCompile("`<base>([^`]+)`").FindAllStringSubmatch(readPage(t), -1) {
		u, err := url.Parse(publicURL + strings.ReplaceAll(found[1], "<account>", "demo-twilio"))
		if err != nil {
			t.Fatal(err)
		}
		kind, ok := strings.CutPrefix(u.Path, "/v1/accounts/demo-twilio/twilio/")
		if _, known := channel.Describe().Responses[kind]; !ok || !known {
			t.Errorf("%s is no webhook of the channel", u)
		}
		kinds[kind]++
		overrides, err := url.ParseQuery(u.Fragment)
		retries, err2 := strconv.Atoi(overrides.Get("rc"))
		if err != nil || err2 != nil || retries < 1 || retries > 5 || len(overrides) != 2 {
			t.Errorf("%s has no retry count that Twilio takes", u)
		}
		for policy := range strings.SplitSeq(overrides.Get("rp"), ",") {
			if !slices.Contains([]string{"ct", "rt", "4xx", "5xx", "all"}, policy) {
				t.Errorf("%s has the retry policy %q", u, policy)
			}
		}
		r := webhook.Request{Method: http.MethodPost, Path: u.Path, Body: []byte("AccountSid=AC1"), Header: http.Header{}}
		u.Fragment = ""
		r.Header.Set(header, reference("token", u.String(), r))
		if err := channel.Decode(adapter.Webhook{Request: r}).Verify(secret.Versions{"token"}); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
	if kinds[Messages] != 2 || kinds[Status] != 1 {
		t.Errorf("the page has these URLs: %v; a message's and its fallback's, and a status's are wanted", kinds)
	}
}

// TestTheFallbackURLsRepeatIsTheSameEvent: it has the message's fields, and two of its own.
func TestTheFallbackURLsRepeatIsTheSameEvent(t *testing.T) {
	p := provider(t)
	var ids []string
	for _, name := range []string{"sms", "fallback-url"} {
		p.Sample = sample(t, name)
		events := adaptertest.Events(t, p)
		if len(events) != 1 {
			t.Fatalf("%s: %d events", name, len(events))
		}
		ids = append(ids, string(events[0].EventID)+" "+string(events[0].ThreadID))
	}
	if ids[0] != ids[1] {
		t.Errorf("the first is %s, the fallback's %s", ids[0], ids[1])
	}
}

// TestTheCommandsOfThePageAreAccepted runs what the page tells newcomers to type, as it stands but for the addresses.
func TestTheCommandsOfThePageAreAccepted(t *testing.T) {
	for _, program := range []string{"sh", "openssl", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: the commands of %s were not run, for %s is not there", page, program)
		}
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(readPage(t))
	token := regexp.MustCompile(`(?m)^token=(\S+)$`).FindStringSubmatch(readPage(t))
	gateway, public := regexp.MustCompile(`(?m)^gateway=.*$`), regexp.MustCompile(`(?m)^public=.*$`)
	if block == nil || token == nil || !gateway.MatchString(block[1]) || !public.MatchString(block[1]) {
		t.Fatalf("%s has no commands, or they are written otherwise", page)
	}
	channel, err := New(publicURL)
	if err != nil {
		t.Fatal(err)
	}
	answer := channel.Describe().Responses[Messages]
	received := make(chan webhook.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		received <- webhook.Request{Method: r.Method, Path: r.URL.Path, RawQuery: r.URL.RawQuery, Header: r.Header, Body: bytes.Clone(body)}
		w.WriteHeader(answer.Status)
		_, _ = w.Write(answer.Body)
	}))
	defer server.Close()
	commands := public.ReplaceAllLiteralString(gateway.ReplaceAllLiteralString(block[1], "gateway="+server.URL), "public="+publicURL)
	output, err := exec.CommandContext(t.Context(), "sh", "-eu", "-c", commands).CombinedOutput()
	if err != nil || string(output) != "<Response/>200\n" {
		t.Fatalf("%v: %s", err, output)
	}
	r := <-received
	if err := channel.Decode(adapter.Webhook{Request: r}).Verify(secret.Versions{secret.Value(token[1])}); err != nil {
		t.Error(err)
	}
	w := adapter.Webhook{Request: r, Provider: Provider, Kind: Messages, ProviderAccount: "AC00000000000000000000000000000de0"}
	if parsed, err := channel.Decode(w).Parse(); err != nil || len(parsed) != 1 || parsed[0].Event.Message.Text != "Do you deliver?" {
		t.Errorf("%s becomes %v: %v", r.Method, parsed, err)
	}
}

// TestTheSchemaSendsTheTokenToTwilioAlone, or to this machine, which a deployment with public hosts refuses before.
func TestTheSchemaSendsTheTokenToTwilioAlone(t *testing.T) {
	var schema struct {
		Properties struct{ APIURL struct{ Pattern string } }
	}
	data, err := os.ReadFile("account.schema.json")
	if err := errors.Join(err, json.Unmarshal(data, &schema)); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(schema.Properties.APIURL.Pattern)
	for url, want := range map[string]bool{
		"https://api.twilio.com": true, "https://api.dublin.ie1.twilio.com": true, "https://api.us1.twilio.com": true, "http://127.0.0.1:8080": true,
		"https://twilio.com": false,
	} {
		if pattern.MatchString(url) != want {
			t.Errorf("the schema takes %s: %t", url, !want)
		}
	}
}
