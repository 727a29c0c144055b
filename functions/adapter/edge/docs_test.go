package edge

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
	"signalbox/shared/webhook"
)

func page(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks returns the bodies that the page shows.
func blocks(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(page(t), -1) {
		all = append(all, block[1])
	}
	return all
}

func TestTheExamplesOfThePageAreAccepted(t *testing.T) {
	all := blocks(t)
	for _, body := range all {
		if _, answer := told(mediaJSON, body); answer.Status != http.StatusAccepted {
			t.Errorf("answered %d %s:\n%s", answer.Status, answer.Body, body)
		}
		form := mediaJSON
		if body[0] == '[' {
			form += "; batch"
		}
		if !valid(t, form, []byte(body)) {
			t.Errorf("the schema refuses\n%s", body)
		}
	}
	if len(all) < 5 {
		t.Errorf("%d examples were found", len(all))
	}
}

// TestTheCommandsOfThePageAreAccepted runs what the page tells newcomers to type, as it stands but for the address.
func TestTheCommandsOfThePageAreAccepted(t *testing.T) {
	for _, program := range []string{"sh", "openssl", "curl", "od", "tr"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: the commands of the page were not run, for %s is not there", program)
		}
	}
	text := page(t)
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(text)
	line := regexp.MustCompile(`(?m)^url=.*$`)
	key := regexp.MustCompile(`(?m)^secret=(\S+)$`).FindStringSubmatch(text)
	if block == nil || key == nil || len(line.FindAllString(block[1], -1)) != 1 {
		t.Fatal("the page has no commands, or they are written otherwise")
	}
	const path = "/v1/accounts/demo-edge/edge/events"
	if !strings.HasSuffix(line.FindString(block[1]), path) {
		t.Errorf("the commands post to %s", line.FindString(block[1]))
	}
	received := make(chan webhook.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		received <- webhook.Request{Method: r.Method, Path: r.URL.Path, Header: r.Header, Body: body, Received: time.Now()}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	command := exec.CommandContext(t.Context(), "sh", "-eu", "-c", line.ReplaceAllLiteralString(block[1], "url="+server.URL+path))
	if output, err := command.CombinedOutput(); err != nil || string(output) != "202\n" {
		t.Fatalf("%v: %s", err, output)
	}
	r := <-received
	sent := (&Channel{}).Decode(adapter.Webhook{Request: r, Provider: Provider, Kind: Events, AccountID: "demo-edge"})
	if err := sent.Verify(secret.Versions{secret.Value(key[1])}); err != nil {
		t.Error(err)
	}
	if parsed, err := sent.Parse(); err != nil || len(parsed) != 1 || parsed[0].Err != nil || r.Method != http.MethodPost {
		t.Errorf("%s becomes %v: %v", r.Method, parsed, err)
	}
}

// TestThePageShowsTheResponses compares those on the page with those that are given, and its statuses for repeats.
func TestThePageShowsTheResponses(t *testing.T) {
	_, one := told(mediaJSON, event(t, `{"sender":{"phone":"5"}}`))
	_, batch := told(mediaJSON, "["+event(t, `{}`)+","+event(t, `{"eventId":"evt-2","recipient":{}}`)+"]")
	text := page(t)
	for _, given := range []webhook.Response{one, batch} {
		opening := string(given.Body[:len(`{"status":"partl`)])
		_, shown, ok := strings.Cut(text, "    "+opening)
		shown, _, _ = strings.Cut(opening+shown, "\n\n")
		var want, got any
		if err := json.Unmarshal([]byte(shown), &want); !ok || err != nil {
			t.Fatalf("the page shows no answer like %s: %v", given.Body, err)
		}
		if err := json.Unmarshal(given.Body, &got); err != nil {
			t.Fatal(err)
		}
		if same(want) != same(got) {
			t.Errorf("the page shows %s, and it is answered %s", same(want), same(got))
		}
	}
	var statuses []string
	for _, status := range (&Channel{}).Describe().Redelivery.On {
		statuses = append(statuses, strconv.Itoa(status))
	}
	if !strings.Contains(text, "| "+strings.Join(statuses, ", ")+", or no answer |") {
		t.Errorf("the page does not say that %v are repeated", statuses)
	}
}

// same returns an answer without what differs from one request to another: ids of events, and which of the codes it is.
func same(v any) string {
	encoded, _ := json.Marshal(v) // it was decoded
	text := regexp.MustCompile(`"eventId":"[^"]*"`).ReplaceAllString(string(encoded), `"eventId":""`)
	return regexp.MustCompile(`"error":"[^"]*"`).ReplaceAllString(text, `"error":""`)
}

// TestTheSchemaTakesTheKeysThatSign: any other key would be refused at every request.
func TestTheSchemaTakesTheKeysThatSign(t *testing.T) {
	var about struct {
		Defs struct{ Key struct{ Pattern string } } `json:"$defs"`
	}
	data, err := os.ReadFile("account.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &about); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(about.Defs.Key.Pattern)
	for _, prefix := range []string{"whsec_", "whpk_", "whsk_", ""} {
		for size := range 70 {
			key := secret.Value(prefix + encode(size))
			if _, want := standardwebhooks.Identify(key); pattern.MatchString(string(key)) != want && key != "" {
				t.Errorf("the schema takes %s and %d bytes: %t", prefix, size, !want)
			}
		}
	}
}

// encode returns so many bytes in base64.
func encode(size int) string { return base64.StdEncoding.EncodeToString(make([]byte, size)) }

// TestTheDoorTakesRichContent sends the examples of the page about it, and whatever the schema accepts with other values in their places. Each
// after the first says what differs from that one.
func TestTheDoorTakesRichContent(t *testing.T) {
	text, err := os.ReadFile("../../../shared/docs/rich-content.md")
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	examples := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1)
	for i, example := range examples {
		sent := maps.Clone(whole)
		if err := json.Unmarshal(example[1], &sent); err != nil {
			t.Fatal(err)
		}
		maps.DeleteFunc(sent, func(_ string, member any) bool { return member == nil })
		if i == 0 {
			whole = maps.Clone(sent)
		}
		body, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		if _, answer := told(mediaJSON, string(body)); answer.Status != http.StatusAccepted || !valid(t, mediaJSON, body) {
			t.Errorf("answered %d %s, and by the schema it is valid: %t\n%s", answer.Status, answer.Body, valid(t, mediaJSON, body), example[1])
		}
		everywhere("$.message", sent["message"], func(what string) {
			changed, err := json.Marshal(sent)
			if err != nil {
				t.Fatal(err)
			}
			if valid(t, mediaJSON, changed) {
				check(t, mediaJSON, what, changed)
			}
		})
	}
	if len(examples) < 15 {
		t.Errorf("%d examples", len(examples))
	}
}
