package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/edge/client"
	"signalbox/functions/adapter/edge/edgetest"
	"signalbox/functions/adapter/edge/session"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"

	"github.com/google/go-cmp/cmp"
)

// The pair of Ed25519 keys of the published vectors.
const (
	publicKey  = secret.Value("whpk_5/FioQvsVZr+oZXk3OhLaVaNXSywlj60RsBoXisX8vA=")
	privateKey = secret.Value("whsk_ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0Dn8WKhC+xVmv6hleTc6EtpVo1dLLCWPrRGwGheKxfy8A==")
)

// wire is the way to a door, and what went over it.
type wire struct {
	door   *edgetest.Door
	answer func(n int) *answer // of the nth request, in place of the door's; nil for the door's
	after  bool                // the door takes it first: the answer is lost
	sent   []*http.Request
	at     []time.Time
}

// errCut is no answer.
var errCut = errors.New("cut")

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	w.sent, w.at = append(w.sent, r), append(w.at, time.Now())
	if w.answer != nil && !w.after {
		if a := w.answer(len(w.sent)); a != nil {
			recorder.Header().Set("Retry-After", a.retryAfter)
			recorder.WriteHeader(a.status)
			return recorder.Result(), nil
		}
	}
	w.door.ServeHTTP(recorder, r)
	if w.answer != nil && w.after && w.answer(len(w.sent)) != nil {
		return nil, errCut
	}
	return recorder.Result(), nil
}

// answer is one in place of the door's.
type answer struct {
	status     int
	retryAfter string
}

func status(code int, retryAfter string) *answer { return &answer{code, retryAfter} }

func newClient(t testing.TB, w *wire, key secret.Value) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{URL: "https://hooks.example", Account: edgetest.Account, Key: key, HTTP: &http.Client{Transport: w}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// event returns an event of a person whose id is the event's.
func event(id string) map[string]any {
	return map[string]any{
		"eventId": id, "channel": "sms", "direction": "inbound", "sender": map[string]any{"phone": "+15552010001"},
		"recipient": map[string]any{"phone": edgetest.Phone}, "message": map[string]any{"text": id},
	}
}

func request(t testing.TB, events ...any) client.Request {
	t.Helper()
	r, err := client.NewRequest(events...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSend: the door takes what is signed by either kind of key, and a verdict comes back for each event.
func TestSend(t *testing.T) {
	for name, keys := range map[string][2]secret.Value{"a secret": {edgetest.Secret, edgetest.Secret}, "a pair": {publicKey, privateKey}} {
		t.Run(name, func(t *testing.T) {
			w := &wire{door: edgetest.New(keys[0])}
			c := newClient(t, w, keys[1])
			verdicts, err := c.Send(t.Context(), request(t, event("1")))
			if err != nil || len(verdicts) != 1 || verdicts[0].Status != "accepted" || verdicts[0].EventID != string(w.door.Events()[0].EventID) {
				t.Errorf("%+v, %v", verdicts, err)
			}
			wrong := event("3")
			wrong["sender"] = map[string]any{"phone": "5"}
			verdicts, err = c.Send(t.Context(), request(t, event("2"), wrong))
			if err != nil || len(verdicts) != 2 || verdicts[1].Problems[0].Path != "$[1].sender.phone" {
				t.Errorf("%+v, %v", verdicts, err)
			}
			_, err = c.Send(t.Context(), request(t, wrong))
			refused, ok := errors.AsType[*client.RefusedError](err)
			if !ok || refused.Status != 400 || refused.Code != "event_refused" || !strings.Contains(err.Error(), "$.sender.phone must be E.164") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestEveryCanonicalEventCanBeSent: an event of this module's own type goes through as it is.
func TestEveryCanonicalEventCanBeSent(t *testing.T) {
	w := &wire{door: edgetest.New()}
	e := canonical.Event{EventID: "1", ConversationID: "ticket 7", Channel: canonical.SMS, Direction: canonical.Inbound, Sender: canonical.Participant{Phone: "+15552010001"}, Recipient: canonical.Participant{Phone: edgetest.Phone}, Message: &canonical.Message{Text: "Hello"}, Timestamp: time.Now()}
	if _, err := newClient(t, w, edgetest.Secret).Send(t.Context(), request(t, e)); err != nil {
		t.Error(err)
	}
}

// TestARequestIsRepeated: the same id and body, signed anew, with growing pauses or those that are asked for, until the door has it once.
func TestARequestIsRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(n int) *answer
		after  bool
		least  []time.Duration // of each pause
		most   []time.Duration
	}{
		"when it is told to":              {answers(503, 500, 429), false, []time.Duration{time.Second / 2, time.Second, 2 * time.Second}, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}},
		"when the answer was lost":        {answers(503, 503), true, []time.Duration{time.Second / 2, time.Second}, []time.Duration{time.Second, 2 * time.Second}},
		"after the seconds asked for":     {after("90"), false, []time.Duration{90 * time.Second}, []time.Duration{91 * time.Second}},
		"after a time that is asked for":  {after(time.Date(2000, 1, 1, 0, 5, 0, 0, time.UTC).Format(http.TimeFormat)), false, []time.Duration{300 * time.Second}, []time.Duration{301 * time.Second}},
		"after no more than an hour":      {after("999999999"), false, []time.Duration{time.Hour}, []time.Duration{time.Hour}},
		"though what is asked is no time": {after("soon"), false, []time.Duration{0}, []time.Duration{time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{door: edgetest.New(), answer: c.answer, after: c.after}
				if _, err := newClient(t, w, edgetest.Secret).Send(t.Context(), request(t, event("1"))); err != nil {
					t.Fatal(err)
				}
				if len(w.sent) != len(c.least)+1 || len(w.door.Events()) != 1 {
					t.Fatalf("sent %d times, %d events", len(w.sent), len(w.door.Events()))
				}
				for i, least := range c.least {
					if pause := w.at[i+1].Sub(w.at[i]); pause < least || pause > c.most[i] {
						t.Errorf("pause %d is %s, want %s to %s", i, pause, least, c.most[i])
					}
					one, two := w.sent[i].Header, w.sent[i+1].Header
					if one.Get("Webhook-Id") != two.Get("Webhook-Id") || one.Get("Webhook-Id") == "" {
						t.Error("a repeat has another id")
					}
					if fresh := one.Get("Webhook-Timestamp") != two.Get("Webhook-Timestamp"); !fresh && w.at[i+1].Unix() != w.at[i].Unix() {
						t.Error("a repeat is not signed anew")
					}
				}
			})
		})
	}
}

// answers returns responses of these statuses to the first requests, and leaves the others to the door.
func answers(statuses ...int) func(int) *answer {
	return func(n int) *answer {
		if n > len(statuses) {
			return nil
		}
		return status(statuses[n-1], "")
	}
}

func after(wait string) func(int) *answer {
	return func(n int) *answer {
		if n > 1 {
			return nil
		}
		return status(429, wait)
	}
}

// TestWhatIsRepeatedIsWhatThePolicySays compares with the door's own, and that nothing else is.
func TestWhatIsRepeatedIsWhatThePolicySays(t *testing.T) {
	policy := adapter.RepeatedByPrograms().On
	for code := 200; code < 600; code++ {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{door: edgetest.New(), answer: answers(code)}
			_, err := newClient(t, w, edgetest.Secret).Send(t.Context(), request(t, event("1")))
			if again := len(w.sent) > 1; again != slices.Contains(policy, code) {
				t.Errorf("%d is repeated: %t (%v)", code, again, err)
			}
			if refused := code >= 300 && !slices.Contains(policy, code); refused != (err != nil) {
				t.Errorf("%d: %v", code, err)
			}
		})
	}
}

// TestSendGivesUp after a day, and as soon as its caller does.
func TestSendGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{door: edgetest.New(), answer: func(int) *answer { return status(503, "") }}
		started := time.Now()
		_, err := newClient(t, w, edgetest.Secret).Send(t.Context(), request(t, event("1")))
		if took := time.Since(started); !errors.Is(err, context.DeadlineExceeded) || took != client.Patience || len(w.sent) < 90 || len(w.sent) > 220 {
			t.Errorf("%v after %s and %d times", err, took, len(w.sent))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := newClient(t, w, edgetest.Secret).Send(ctx, request(t, event("1"))); !strings.Contains(err.Error(), "answered 503") {
			t.Error(err)
		}
	})
}

// TestAQueueKeepsTheOrder: what is added while nothing goes is sent afterwards, each once, in the order it was added.
func TestAQueueKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		w := &wire{door: edgetest.New(), answer: func(int) *answer {
			if !up.Load() {
				return status(503, "")
			}
			return nil
		}}
		var refused []string
		q, err := newClient(t, w, edgetest.Secret).Queue(client.QueueOptions{Most: 4, Refused: func(r client.Request, _ []client.Verdict, err error) {
			refused = append(refused, fmt.Sprint(err != nil))
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- q.Run(ctx) }()
		add(t, q, event("1"), event("2"), map[string]any{"eventId": "wrong"}, event("3"))
		if err := q.Add(request(t, event("4"))); !errors.Is(err, client.ErrFull) {
			t.Errorf("the fifth of four: %v", err)
		}
		time.Sleep(72 * time.Hour)
		up.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := texts(w.door); got != "1 2 3" || q.Len() != 0 || len(refused) != 1 {
			t.Errorf("the door has %s, %d wait, %d were refused", got, q.Len(), len(refused))
		}
		add(t, q, event("5"))
		synctest.Wait()
		if got := texts(w.door); got != "1 2 3 5" {
			t.Errorf("what is added later: %s", got)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestAQueueIsNotEmptiedByAWrongKey: that is put right, and then everything is sent.
func TestAQueueIsNotEmptiedByAWrongKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var right atomic.Bool
		w := &wire{door: edgetest.New(), answer: func(n int) *answer {
			if !right.Load() {
				return status([]int{403, 404, 302}[n%3], "")
			}
			return nil
		}}
		var blocked atomic.Int32
		q, err := newClient(t, w, edgetest.Secret).Queue(client.QueueOptions{Blocked: func(error) { blocked.Add(1) }})
		if err != nil {
			t.Fatal(err)
		}
		add(t, q, event("1"), event("2"))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		go func() { _ = q.Run(ctx) }()
		time.Sleep(time.Hour)
		right.Store(true)
		time.Sleep(time.Hour)
		if got := texts(w.door); got != "1 2" || blocked.Load() < 3 {
			t.Errorf("the door has %s, told %d times", got, blocked.Load())
		}
		<-ctx.Done()
		synctest.Wait()
	})
}

// TestAQueueInAFolderSurvives: another process finds what was added, in order, and sends it under the same ids.
func TestAQueueInAFolderSurvives(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "outbox")
	w := &wire{door: edgetest.New()}
	open := func() *client.Queue {
		q, err := newClient(t, w, edgetest.Secret).Queue(client.QueueOptions{Folder: folder})
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	add(t, open(), event("1"), event("2"), event("3"))
	if err := os.WriteFile(filepath.Join(folder, "new-12345"), []byte("{"), 0o600); err != nil { // a process died there
		t.Fatal(err)
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	for _, f := range files[:3] {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		q := open()
		if q.Len() != 3 {
			t.Fatalf("%d wait", q.Len())
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- q.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	if got := texts(w.door); got != "1 2 3" || open().Len() != 0 {
		t.Errorf("sent %s, %d wait", got, open().Len())
	}
	if err := os.WriteFile(filepath.Join(folder, "000000000009.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newClient(t, w, edgetest.Secret).Queue(client.QueueOptions{Folder: folder}); err == nil {
		t.Error("a file that is spoiled is passed over")
	}
}

func add(t *testing.T, q *client.Queue, events ...any) {
	t.Helper()
	for _, e := range events {
		if err := q.Add(request(t, e)); err != nil {
			t.Fatal(err)
		}
	}
}

func texts(d *edgetest.Door) string {
	var all []string
	for _, e := range d.Events() {
		all = append(all, e.Message.Text)
	}
	return strings.Join(all, " ")
}

// TestSession: a backend's page of sessions is one call.
func TestSession(t *testing.T) {
	token, err := newClient(t, &wire{}, edgetest.Secret).Session("visitor-42", "Ada", edgetest.Chat, "https://acme.example")
	if err != nil {
		t.Fatal(err)
	}
	claims, err := session.Verify(token, edgetest.Account, time.Now(), secret.Versions{edgetest.Secret})
	if err != nil || claims.Visitor != "visitor-42" || claims.Expires-claims.Issued != 900 {
		t.Errorf("%+v, %v", claims, err)
	}
}

// TestSignaturesAndSessionsAreThoseOfOthers compares with what other implementations made, the client for TypeScript among them.
func TestSignaturesAndSessionsAreThoseOfOthers(t *testing.T) {
	var signed []struct {
		Key                 secret.Value
		ID, Body, Signature string
		Timestamp           int64
	}
	read(t, "signatures", &signed)
	for _, c := range signed {
		if got := standardwebhooks.Sign(c.Key, c.ID, time.Unix(c.Timestamp, 0), []byte(c.Body)).Get("Webhook-Signature"); got != c.Signature {
			t.Errorf("%s is signed %s, want %s", c.ID, got, c.Signature)
		}
	}
	var sessions []struct {
		Key, Verify secret.Value
		Session     struct{ Account, Visitor, Name, Line, Origin string }
		Now         int64
		Token       string
	}
	read(t, "sessions", &sessions)
	for _, c := range sessions {
		said := session.Claims{Account: c.Session.Account, Visitor: c.Session.Visitor, Name: c.Session.Name, Line: c.Session.Line, Origin: c.Session.Origin}
		token, err := session.Mint(c.Key, said, time.Unix(c.Now, 0), session.MaxLife)
		if err != nil || token != c.Token {
			t.Errorf("minted %s, %v, want %s", token, err, c.Token)
		}
		if _, err := session.Verify(c.Token, c.Session.Account, time.Unix(c.Now, 0), secret.Versions{c.Verify}); err != nil {
			t.Error(err)
		}
	}
}

// read reads a file of testdata.
func read(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".json")
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]client.Options{
		"no URL":             {Account: "a", Key: edgetest.Secret},
		"a slash at the end": {URL: "https://hooks.example/", Account: "a", Key: edgetest.Secret},
		"no account":         {URL: "https://hooks.example", Key: edgetest.Secret},
		"a path":             {URL: "https://hooks.example", Account: "a/b", Key: edgetest.Secret},
		"a public key":       {URL: "https://hooks.example", Account: "a", Key: publicKey},
	} {
		if _, err := client.New(o); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := client.NewRequest(); err == nil {
		t.Error("a request of no event")
	}
}

// TestExtract compares with the cases that every client has, and asks the door.
func TestExtract(t *testing.T) {
	var cases []struct {
		Name, By   string
		Seen       map[string]any
		Permission client.Permission
		Event      map[string]any
	}
	read(t, "extractions", &cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			got, err := client.Extract(c.Seen, c.By, c.Permission)
			if (err != nil) != (c.Event == nil) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Event, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if text, _ := json.Marshal(got); strings.Contains(string(text), "never") {
				t.Errorf("left the device: %s", text)
			}
			if err != nil {
				return
			}
			w := &wire{door: edgetest.New()}
			if _, err := newClient(t, w, edgetest.Secret).Send(t.Context(), request(t, got)); err != nil {
				t.Error(err)
			}
		})
	}
}
