package outreach

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
	"signalbox/shared/webhook"
)

const page = "../../../shared/docs/outreach.md"

// TestTheCommandsOfThePageAreAccepted runs what the page tells newcomers to type, as it stands but for the address.
func TestTheCommandsOfThePageAreAccepted(t *testing.T) {
	for _, program := range []string{"sh", "openssl", "curl", "od", "tr"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: the commands of %s were not run, for %s is not there", page, program)
		}
	}
	text := readPage(t)
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(text)
	line := regexp.MustCompile(`(?m)^url=.*$`)
	found := regexp.MustCompile(`(?m)^secret=(\S+)$`).FindStringSubmatch(text)
	if block == nil || found == nil || len(line.FindAllString(block[1], -1)) != 1 {
		t.Fatalf("%s has no commands, or they are written otherwise", page)
	}
	channel, answers := &Channel{}, (&Channel{}).Describe().Responses
	received := make(chan webhook.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		received <- webhook.Request{Method: r.Method, Path: r.URL.Path, Header: r.Header, Body: body, Received: time.Now()}
		w.WriteHeader(answers[Messages].Status)
		_, _ = w.Write(answers[Messages].Body)
	}))
	defer server.Close()
	const path = "/v1/accounts/demo-outreach/outreach/messages"
	if !strings.HasSuffix(line.FindString(block[1]), path) {
		t.Errorf("the commands post to %s", line.FindString(block[1]))
	}
	command := exec.CommandContext(t.Context(), "sh", "-eu", "-c", line.ReplaceAllLiteralString(block[1], "url="+server.URL+path))
	output, err := command.CombinedOutput()
	if err != nil || string(output) != `{"status":"accepted"}202`+"\n" {
		t.Fatalf("%v: %s", err, output)
	}
	r := <-received
	sent := channel.Decode(adapter.Webhook{Request: r, Provider: Provider, Kind: Messages})
	if err := sent.Verify(secret.Versions{secret.Value(found[1])}); err != nil {
		t.Error(err)
	}
	if parsed, err := sent.Parse(); err != nil || r.Method != http.MethodPost {
		t.Errorf("%s becomes %v: %v", r.Method, parsed, err)
	}
}

// TestThePageSaysWhatIsAnswered compares the answers that the page shows with those that are given, and its statuses for repeats.
func TestThePageSaysWhatIsAnswered(t *testing.T) {
	text := readPage(t)
	shown := regexp.MustCompile(`(?s)For example:\n\n(.*?)\n\nAnswers`).FindStringSubmatch(text)
	_, err := parse(with(t, "to", `{"phone":"552010001"}`))
	told, _ := (&Channel{}).Refuse(fault.Of(err))
	var want, got any
	if shown == nil || json.Unmarshal([]byte(shown[1]), &want) != nil || json.Unmarshal(told.Body, &got) != nil {
		t.Fatalf("no example can be read in %s", page)
	}
	same := func(a, b any) bool {
		x, err1 := json.Marshal(a)
		y, err2 := json.Marshal(b)
		return err1 == nil && err2 == nil && string(x) == string(y)
	}
	if !same(want, got) {
		t.Errorf("the page shows %s, and it is answered %s", shown[1], told.Body)
	}
	about := (&Channel{}).Describe()
	if !strings.Contains(text, "| 202 | `"+string(about.Responses[Messages].Body)+"` |") {
		t.Errorf("the page does not show %s", about.Responses[Messages].Body)
	}
	var statuses []string
	for _, status := range about.Redelivery.On {
		encoded, err := json.Marshal(status)
		if err != nil {
			t.Fatal(err)
		}
		statuses = append(statuses, string(encoded))
	}
	if !strings.Contains(text, "| "+strings.Join(statuses, ", ")+", or no answer |") {
		t.Errorf("the page does not say that %v are repeated", statuses)
	}
}

func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheSchemaTakesTheKeysThatSign: any other token would be refused at every request.
func TestTheSchemaTakesTheKeysThatSign(t *testing.T) {
	var schema struct {
		Defs struct{ Key struct{ Pattern string } } `json:"$defs"`
	}
	data, err := os.ReadFile("account.schema.json")
	if err := errors.Join(err, json.Unmarshal(data, &schema)); err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(schema.Defs.Key.Pattern)
	for size := range 70 {
		token := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, size))
		if _, want := standardwebhooks.Key(secret.Value(token)); pattern.MatchString(token) != want {
			t.Errorf("the schema takes a key of %d bytes: %t", size, !want)
		}
	}
	if pattern.MatchString("a token") || pattern.MatchString("whsec_"+strings.Repeat("A", 33)) || !pattern.MatchString("") {
		t.Error("the schema takes what is no key, or a token that is left empty")
	}
}
