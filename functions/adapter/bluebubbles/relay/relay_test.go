package relay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/bluebubbles"
	"signalbox/functions/adapter/bluebubbles/imessage"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
	signalbox "signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

const (
	key      = secret.Value("whsec_bG9jYWwtdXNlLW9ubHktYWdlbnRzLW1hYy0wMDAx")
	hidden   = "3f9a1c0d5e7b42868a9b0c1d2e3f4a5b"
	customer = "iMessage;-;+15552010551"
	friend   = "iMessage;-;+15552010599"
)

// desk is a relay with the Mac that it runs on and the endpoint that it sends to, in memory but for the journal.
type desk struct {
	t      *testing.T
	mac    *mac
	relay  *Relay
	stop   func()
	config Config
	logs   *bytes.Buffer

	mu      sync.Mutex
	got     []got
	answers []int // the next ones; then 204
	gone    bool  // the endpoint is not reached
	retry   string
}

// got is a request that came to the endpoint.
type got struct {
	id, body string
	at       time.Time
	status   int
}

// RoundTrip implements http.RoundTripper.
func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host == "127.0.0.1:1234" {
		return d.mac.RoundTrip(r)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		return nil, errRefused
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := standardwebhooks.Verify(r.Header, body, time.Now(), secret.Versions{key}); err != nil {
		d.t.Errorf("not authentic: %v", err)
	}
	if r.URL.String() != d.config.Endpoint || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		d.t.Errorf("%s %s of type %s", r.Method, r.URL, r.Header.Get("Content-Type"))
	}
	status := http.StatusNoContent
	if len(d.answers) > 0 {
		status, d.answers = d.answers[0], d.answers[1:]
	}
	d.got = append(d.got, got{r.Header.Get(standardwebhooks.HeaderID), string(body), time.Now(), status})
	w := httptest.NewRecorder()
	if d.retry != "" {
		w.Header().Set("Retry-After", d.retry)
	}
	w.WriteHeader(status)
	return w.Result(), nil
}

func newDesk(t *testing.T, change ...func(*Config)) *desk {
	t.Helper()
	d := &desk{t: t, mac: newMac(), logs: &bytes.Buffer{}, config: Config{
		Endpoint: "https://hooks.example/v1/accounts/demo-bluebubbles/bluebubbles/messages", Secret: key,
		Server: "http://127.0.0.1:1234", Password: password, Listen: "127.0.0.1:0", Path: hidden, Folder: filepath.Join(t.TempDir(), "queue"),
		Handles: []string{"+1 (555) 201-0551", "Ines.Example@Mail.Example"}, Every: time.Minute, Lookback: 24 * time.Hour,
	}}
	for _, f := range change {
		f(&d.config)
	}
	d.start()
	return d
}

// start starts the relay; the desk's tests stop it.
func (d *desk) start() {
	d.t.Helper()
	if problems := d.config.check(); len(problems) > 0 {
		d.t.Fatal(problems)
	}
	r, err := New(d.config, d, slog.New(slog.NewJSONHandler(d.logs, nil)))
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	d.relay, d.stop = r, func() {
		cancel()
		<-done
		if err := r.Close(); err != nil {
			d.t.Error(err)
		}
	}
	synctest.Wait()
}

// post posts a webhook as the server does and returns the status.
func (d *desk) post(body []byte) int {
	w := httptest.NewRecorder()
	d.relay.ServeHTTP(w, request(d.t, http.MethodPost, "/"+hidden, string(body)))
	synctest.Wait()
	return w.Code
}

func request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
}

// accepted returns what the endpoint accepted: of each request its type, guid and text, or the changes that it tells.
func (d *desk) accepted() (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, g := range d.got {
		if g.status/100 != 2 {
			continue
		}
		kind, data, _ := read([]byte(g.body))
		m := imessage.Decode(data)
		_, group := m.Chats[0].Of()
		all = append(all, strings.TrimSpace(kind+" "+m.GUID+" "+m.Text+" "+m.State(group)))
	}
	return all
}

func (d *desk) want(want ...string) {
	d.t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, d.accepted()); diff != "" {
		d.t.Errorf("accepted -want +got:\n%s", diff)
	}
}

// silent checks that nothing in the log is anything of a message, a person or a secret.
func (d *desk) silent() {
	d.t.Helper()
	for _, word := range []string{"5552010", password, "s3rver", "whsec", hidden, "secret words", "guid-", "mail.example"} {
		if strings.Contains(strings.ToLower(d.logs.String()), word) {
			d.t.Errorf("%q is in the log: %s", word, d.logs)
		}
	}
}

func delivered(at time.Time) func(map[string]any) {
	return func(m map[string]any) {
		m["isFromMe"], m["isDelivered"], m["dateDelivered"] = true, true, at.UnixMilli()
	}
}

func mine(m map[string]any) { m["isFromMe"], m["isDelivered"], m["handle"] = true, false, nil }

// TestPrivateChatsStayOnTheMac holds what the relay is for: of whom nobody named nothing leaves, not even that there is anybody.
func TestPrivateChatsStayOnTheMac(t *testing.T) {
	const shop, family, mixed = "iMessage;+;chat100", "iMessage;+;chat200", "iMessage;+;chat300"
	cases := map[string]struct {
		chat    string
		handles []string
		groups  []string
		leaves  bool
	}{
		"somebody who is named":                         {chat: customer, handles: []string{"+15552010551"}, leaves: true},
		"named by a number as people write it":          {chat: customer, handles: []string{"+1 555-201.0551"}, leaves: true},
		"named, by SMS":                                 {chat: "SMS;-;+15552010551", handles: []string{"+15552010551"}, leaves: true},
		"named, and the Mac names no service":           {chat: "any;-;+15552010551", handles: []string{"+15552010551"}, leaves: true},
		"named by an e-mail address, in other letters":  {chat: "iMessage;-;INES.EXAMPLE@mail.example", handles: []string{"ines.example@Mail.example"}, leaves: true},
		"somebody who is not":                           {chat: friend, handles: []string{"+15552010551"}},
		"nobody is named":                               {chat: customer},
		"a number that begins alike":                    {chat: "iMessage;-;+155520105511", handles: []string{"+15552010551"}},
		"a group, by its guid":                          {chat: mixed, groups: []string{mixed}, leaves: true},
		"a group, by its guid with another service":     {chat: "any;+;chat300", groups: []string{mixed}, leaves: true},
		"a group of people who are all named":           {chat: shop, handles: []string{"+15552010551", "+15552010552"}, leaves: true},
		"a group with somebody who is not":              {chat: mixed, handles: []string{"+15552010551", "+15552010552"}},
		"a group that nobody knows who is in":           {chat: family, handles: []string{"+15552010551", "+15552010552"}},
		"a group whose name is a number that is named":  {chat: "iMessage;+;+15552010551", handles: []string{"+15552010551"}},
		"a person whose address is the name of a group": {chat: "iMessage;-;chat300", groups: []string{mixed}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, func(to *Config) { to.Handles, to.Groups = c.handles, c.groups })
				defer func() { d.stop(); d.silent() }()
				d.mac.group(shop, "+15552010551", "+15552010552")
				d.mac.group(mixed, "+15552010551", "+15552010599")
				d.mac.group("any;+;chat300", "+15552010551", "+15552010599")
				time.Sleep(time.Second)
				d.mac.written("guid-1", c.chat, "secret words")
				d.post(d.mac.posts("new-message", "guid-1"))
				d.mac.changed("guid-1", func(m map[string]any) { m["dateEdited"], m["text"] = time.Now().UnixMilli(), "secret words, corrected" })
				d.post(d.mac.posts("updated-message", "guid-1"))
				d.post([]byte(`{"type":"typing-indicator","data":{"display":true,"guid":"` + c.chat + `"}}`))
				time.Sleep(5 * time.Minute) // it is asked for several times, too
				synctest.Wait()
				if n := len(d.accepted()); n > 0 != c.leaves || c.leaves && n != 2 {
					t.Errorf("%d requests left the Mac: %v", n, d.accepted())
				}
				kept, err := os.ReadFile(filepath.Join(d.config.Folder, "journal"))
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(kept), "guid-1") != c.leaves {
					t.Errorf("the journal holds %s", kept)
				}
			})
		})
	}
}

// TestWhatTheServerPostedIsSentAsItIs: byte for byte, by an id that is made of what it tells.
func TestWhatTheServerPostedIsSentAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer d.stop()
		time.Sleep(time.Second)
		d.mac.written("guid-1", customer, "Is it free?")
		body := d.mac.posts("new-message", "guid-1")
		if status := d.post(body); status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
		d.post(body)                                     // the server announces its own sends twice
		time.Sleep(3 * time.Minute)                      // and it is asked for
		d.post(d.mac.posts("updated-message", "guid-1")) // that it was delivered to the Mac is nothing to tell
		if len(d.got) != 1 || d.got[0].body != string(body) || d.got[0].id != name("guid-1", "") {
			t.Errorf("sent: %v", d.got)
		}
	})
}

// TestUpdatesAreOfTheirChat: the server posts them without it.
func TestUpdatesAreOfTheirChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer d.stop()
		time.Sleep(time.Second)
		d.mac.written("guid-1", customer, "It is.", mine)
		d.post(d.mac.posts("new-message", "guid-1"))
		asked := len(d.mac.asked)
		d.mac.changed("guid-1", delivered(time.Now()))
		d.post(d.mac.posts("updated-message", "guid-1"))
		d.mac.changed("guid-1", func(m map[string]any) { m["dateRead"] = time.Now().UnixMilli() })
		d.post(d.mac.posts("updated-message", "guid-1"))
		if len(d.mac.asked) != asked {
			t.Errorf("the server was asked for %v, which the relay knows", d.mac.asked[asked:])
		}
		d.want("new-message guid-1 It is.", "updated-message guid-1 It is. |delivered0", "updated-message guid-1 It is. |delivered0|read0")

		d.mac.written("guid-2", customer, "And this?", mine, delivered(time.Now())) // the server told of it while the relay was away
		d.post(d.mac.posts("updated-message", "guid-2"))
		d.want(
			"new-message guid-1 It is.", "updated-message guid-1 It is. |delivered0", "updated-message guid-1 It is. |delivered0|read0",
			"updated-message guid-2 And this? |delivered0", "new-message guid-2 And this? |delivered0",
		)
	})
}

// TestAGapIsCaughtUp: what was written, and what became of what was written before, while the relay was not there.
func TestAGapIsCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		time.Sleep(time.Second)
		d.mac.written("guid-1", customer, "Is it free?")
		d.post(d.mac.posts("new-message", "guid-1"))
		d.mac.written("guid-2", customer, "It is.", mine)
		d.post(d.mac.posts("new-message", "guid-2"))
		d.want("new-message guid-1 Is it free?", "new-message guid-2 It is.")
		d.stop()

		const many = 2*page + 3
		time.Sleep(time.Hour)
		edited := time.Now().UnixMilli()
		d.mac.changed("guid-1", func(m map[string]any) { m["dateEdited"], m["text"] = time.Now().UnixMilli(), "Is it still free?" })
		d.mac.changed("guid-2", delivered(time.Now()))
		for i := range many {
			d.mac.written(fmt.Sprintf("guid-gap-%04d", i), customer, "message")
			d.mac.written(fmt.Sprintf("guid-private-%04d", i), friend, "secret words")
			time.Sleep(time.Second)
		}
		time.Sleep(48 * time.Hour)
		d.got = nil
		d.start()
		defer d.stop()
		got := d.accepted()
		if len(got) != many+2 || got[0] != "updated-message guid-1 Is it still free? |edited"+strconv.FormatInt(edited, 10) {
			t.Fatalf("%d are told: %v", len(got), got[:min(5, len(got))])
		}
		if got[1] != "updated-message guid-2 It is. |delivered0" || !slices.IsSorted(got[2:]) || got[many+1] != fmt.Sprintf("new-message guid-gap-%04d message", many-1) {
			t.Errorf("%v", got[:5])
		}
		ids := map[string]bool{}
		for _, g := range d.got {
			ids[g.id] = true
		}
		if len(ids) != many+2 || !ids[name("guid-gap-0000", "")] {
			t.Errorf("%d ids of %d", len(ids), many+2)
		}
		d.got = nil
		d.post(d.mac.posts("new-message", "guid-gap-0001")) // what was asked for and what is posted is one event
		time.Sleep(10 * time.Minute)
		d.want()
	})
}

// TestNothingIsLost: what is not accepted is sent again, at growing intervals, signed anew, also after the relay was killed.
func TestNothingIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.answers = []int{503, 429, 403, 404, 500}
		time.Sleep(time.Second)
		d.mac.written("guid-1", customer, "first")
		d.post(d.mac.posts("new-message", "guid-1"))
		d.mac.written("guid-2", customer, "second")
		d.post(d.mac.posts("new-message", "guid-2"))
		time.Sleep(2 * time.Minute)
		d.want("new-message guid-1 first", "new-message guid-2 second")
		for i := 1; i < 6; i++ {
			if d.got[i].id != d.got[0].id || d.got[i].body != d.got[0].body {
				t.Errorf("attempt %d is of something else", i)
			}
			pause := leastPause << (i - 1)
			if waited := d.got[i].at.Sub(d.got[i-1].at); waited < pause/2 || waited > pause {
				t.Errorf("attempt %d was after %v, want up to %v", i, waited, pause)
			}
		}

		d.gone = true
		d.mac.written("guid-3", customer, "third")
		d.post(d.mac.posts("new-message", "guid-3"))
		time.Sleep(time.Minute)
		d.stop()
		d.gone = false
		time.Sleep(time.Hour)
		d.start()
		d.want("new-message guid-1 first", "new-message guid-2 second", "new-message guid-3 third")

		d.retry, d.answers = "40", []int{429}
		began := time.Now()
		d.mac.written("guid-4", customer, "fourth")
		d.post(d.mac.posts("new-message", "guid-4"))
		d.retry = ""
		time.Sleep(time.Minute)
		if last := d.got[len(d.got)-1]; last.status != 204 || last.at.Sub(began) != 40*time.Second {
			t.Errorf("the last attempt was after %v: %d", last.at.Sub(began), last.status)
		}
		d.answers = []int{413}
		d.mac.written("guid-5", customer, "too large")
		d.post(d.mac.posts("new-message", "guid-5"))
		d.mac.written("guid-6", customer, "sixth")
		d.post(d.mac.posts("new-message", "guid-6"))
		d.stop()
		d.silent()
		if got := d.accepted(); got[len(got)-1] != "new-message guid-6 sixth" {
			t.Errorf("what can never be accepted holds up the rest: %v", got)
		}
	})
}

// TestWhatWasSaidBeforeSomebodyWasNamedStaysOnTheMac, also where it is new to the relay, and what waits of somebody who is named no more.
func TestWhatWasSaidBeforeSomebodyWasNamedStaysOnTheMac(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		time.Sleep(time.Second)
		d.mac.written("guid-1", friend, "before")
		time.Sleep(time.Hour)
		d.stop()
		d.config.Handles = append(d.config.Handles, "+15552010599")
		d.start()
		d.mac.changed("guid-1", func(m map[string]any) { m["dateEdited"], m["text"] = time.Now().UnixMilli(), "before, corrected" })
		d.post(d.mac.posts("updated-message", "guid-1"))
		time.Sleep(time.Minute)
		d.mac.written("guid-2", friend, "after")
		d.post(d.mac.posts("new-message", "guid-2"))
		d.want("new-message guid-2 after")

		d.gone = true
		d.mac.written("guid-3", friend, "waits")
		d.post(d.mac.posts("new-message", "guid-3"))
		d.stop()
		d.gone, d.config.Handles = false, d.config.Handles[:2]
		d.start()
		defer d.stop()
		time.Sleep(time.Hour)
		d.want("new-message guid-2 after")
	})
}

// TestAServerThatFailsIsAskedAgain, and one chat that it cannot tell of holds up no other.
func TestAServerThatFailsIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer func() { d.stop(); d.silent() }()
		time.Sleep(time.Second)
		d.mac.down = true
		d.mac.written("guid-1", customer, "It is.", mine, delivered(time.Now()))
		if status := d.post(d.mac.posts("updated-message", "guid-1")); status != http.StatusServiceUnavailable {
			t.Errorf("status %d of what is asked for later", status)
		}
		d.want()
		d.mac.down, d.mac.broken = false, "chat/"
		d.mac.group("iMessage;+;chat100", "+15552010551", "ines.example@mail.example")
		d.mac.written("guid-2", "iMessage;+;chat100", "Both of us?")
		d.mac.written("guid-3", customer, "Hello?")
		time.Sleep(time.Minute)
		d.want("new-message guid-1 It is. |delivered0", "new-message guid-3 Hello?")
		position := d.relay.journal.position()
		d.mac.broken = ""
		time.Sleep(time.Minute)
		d.want("new-message guid-1 It is. |delivered0", "new-message guid-3 Hello?", "new-message guid-2 Both of us?")
		if d.relay.journal.position() <= position {
			t.Error("the position does not move on")
		}
	})
}

// TestWhoTakesPartInAGroupIsAdded where the server leaves it out of what would be long.
func TestWhoTakesPartInAGroupIsAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer d.stop()
		time.Sleep(time.Second)
		d.mac.group("iMessage;+;chat100", "+15552010551", "ines.example@mail.example")
		d.mac.written("guid-1", "iMessage;+;chat100", "Both <of> us?")
		d.post(d.mac.posts("new-message", "guid-1"))
		if len(d.got) != 1 {
			t.Fatalf("%v", d.got)
		}
		_, data, _ := read([]byte(d.got[0].body))
		if m := imessage.Decode(data); m.Text != "Both <of> us?" || len(m.Chats) != 1 || m.Chats[0].GUID != "iMessage;+;chat100" || len(m.Chats[0].Participants) != 2 {
			t.Errorf("%+v", m)
		}
	})
}

// TestFilesAreReadByTheirAddressAlone: what was not forwarded cannot be read, nor the server's password.
func TestFilesAreReadByTheirAddressAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, func(c *Config) {
			c.Media, c.MediaListen, c.Every = "https://files.mac.example/agent/", "127.0.0.1:8472", 24*time.Hour
		})
		defer func() { d.stop(); d.silent() }()
		time.Sleep(time.Second)
		d.mac.written("guid-1", customer, "Here is the leak", func(m map[string]any) {
			m["attachments"] = []any{map[string]any{"originalROWID": 5, "guid": "AT-1 x", "mimeType": "image/jpeg", "transferName": "leak.jpeg", "totalBytes": 9}}
		})
		d.post(d.mac.posts("new-message", "guid-1"))
		_, data, _ := read([]byte(d.got[0].body))
		file := imessage.Decode(data).Attachments[0]
		path, ok := strings.CutPrefix(file.URL, "https://files.mac.example/agent")
		if !ok || file.TransferName != "leak.jpeg" || strings.Contains(file.URL, password) {
			t.Fatalf("%+v", file)
		}
		read := func(method, path string) (int, string) {
			w := httptest.NewRecorder()
			d.relay.ServeFile(w, request(t, method, path, ""))
			return w.Code, w.Body.String()
		}
		if status, body := read(http.MethodGet, path); status != http.StatusOK || body != "the picture AT-1 x" {
			t.Errorf("%d %q", status, body)
		}
		parts := strings.Split(path, "/")
		for name, other := range map[string]string{
			"another file":    "/" + parts[1] + "/" + parts[2] + "/AT-2",
			"another time":    "/9999999999/" + parts[2] + "/" + parts[3],
			"another proof":   "/" + parts[1] + "/" + strings.Repeat("0", len(parts[2])) + "/" + parts[3],
			"nothing":         "/",
			"the secret path": "/" + hidden,
		} {
			if status, body := read(http.MethodGet, other); status != http.StatusNotFound {
				t.Errorf("%s: %d %q", name, status, body)
			}
		}
		if status, _ := read(http.MethodPost, path); status != http.StatusNotFound {
			t.Errorf("POST: %d", status)
		}
		d.mac.down = true
		if status, body := read(http.MethodGet, path); status != http.StatusBadGateway || body != "" {
			t.Errorf("%d %q", status, body)
		}
		d.mac.down = false
		time.Sleep(readable + time.Hour)
		if status, _ := read(http.MethodGet, path); status != http.StatusNotFound {
			t.Errorf("after %v: %d", readable, status)
		}
	})
}

// TestAGuessedPathIsNothing: the answer is that of a server that has nothing at all, to the byte.
func TestAGuessedPathIsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		defer d.stop()
		nothing := httptest.NewRecorder()
		http.NewServeMux().ServeHTTP(nothing, request(t, http.MethodPost, "/anything", ""))
		for name, r := range map[string]*http.Request{
			"another path":        request(t, http.MethodPost, "/"+strings.Repeat("0", len(hidden)), "{}"),
			"a part of it":        request(t, http.MethodPost, "/"+hidden[:31], "{}"),
			"a longer one":        request(t, http.MethodPost, "/"+hidden+"/", "{}"),
			"none":                request(t, http.MethodPost, "/", "{}"),
			"the right one, read": request(t, http.MethodGet, "/"+hidden, ""),
		} {
			w := httptest.NewRecorder()
			d.relay.ServeHTTP(w, r)
			if diff := cmp.Diff(nothing.Result().Header, w.Result().Header); w.Code != nothing.Code || w.Body.String() != nothing.Body.String() || diff != "" {
				t.Errorf("%s: %d %q %s", name, w.Code, w.Body, diff)
			}
		}
		if status := d.post(bytes.Repeat([]byte(" "), maxWebhook+1)); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a body that is too large: %d", status)
		}
		if status := d.post([]byte("{")); status != http.StatusServiceUnavailable {
			t.Errorf("no JSON: %d", status)
		}
		d.want()
	})
}

// TestAKillLosesNothing: a line that was not written whole did not happen, and one that cannot be read costs no other.
func TestAKillLosesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(journal string) string
		want   []string
		logged bool
	}{
		"in the middle of a line": {func(s string) string { return s + `{"put":{"ids":["bb_1"],"gu` }, []string{"new-message guid-1 first", "new-message guid-2 second"}, false},
		"a line of a disk that fails": {
			func(s string) string {
				lines := strings.SplitAfter(s, "\n")
				at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"put"`) })
				lines[at] = strings.Repeat("\x00", 80) + "\n"
				return strings.Join(lines, "")
			},
			[]string{"new-message guid-2 second", "new-message guid-1 first"},
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				time.Sleep(time.Second)
				d.gone = true
				d.mac.written("guid-1", customer, "first")
				d.post(d.mac.posts("new-message", "guid-1"))
				time.Sleep(time.Second)
				d.mac.written("guid-2", customer, "second")
				d.post(d.mac.posts("new-message", "guid-2"))
				d.stop()
				file := filepath.Join(d.config.Folder, "journal")
				kept, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(c.damage(string(kept))), 0o600); err != nil {
					t.Fatal(err)
				}
				d.gone = false
				d.start()
				defer d.stop()
				d.want(c.want...)
				if logged := strings.Contains(d.logs.String(), "lines of the journal"); logged != c.logged {
					t.Errorf("logged: %t: %s", logged, d.logs)
				}
				if about, err := os.Stat(file); err != nil || about.Mode().Perm() != 0o600 {
					t.Errorf("%v: others may read it", about.Mode())
				}
			})
		})
	}
}

// TestTheJournalStaysSmall: it is written anew without what is done, and what was said long ago is forgotten.
func TestTheJournalStaysSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, func(c *Config) { c.Every = 24 * time.Hour })
		const many = 1500
		for i := range many {
			time.Sleep(10 * time.Minute)
			guid := fmt.Sprintf("guid-%d", i)
			d.mac.written(guid, customer, "message")
			d.post(d.mac.posts("new-message", guid))
		}
		d.stop()
		d.start()
		d.stop()
		kept, err := os.ReadFile(filepath.Join(d.config.Folder, "journal"))
		if err != nil {
			t.Fatal(err)
		}
		week := int(keep / (10 * time.Minute))
		if n := strings.Count(string(kept), "\n"); n > week+10 || n < week {
			t.Errorf("%d lines of %d messages in a week", n, week)
		}
		if len(d.accepted()) != many {
			t.Errorf("%d were accepted", len(d.accepted()))
		}
	})
}

// TestWhatLeavesIsReadByTheChannel, and is the same event whether it was posted or asked for.
func TestWhatLeavesIsReadByTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := func(asked bool) (all []string) {
			d := newDesk(t)
			time.Sleep(time.Second)
			tell := func(kind, guid string) {
				if !asked {
					d.post(d.mac.posts(kind, guid))
				} else {
					time.Sleep(time.Minute)
				}
			}
			d.mac.group("any;+;chat100", "+15552010551", "ines.example@mail.example")
			d.mac.written("guid-1", customer, "Is it free?")
			tell("new-message", "guid-1")
			d.mac.written("guid-2", "any;+;chat100", "It is.", mine)
			tell("new-message", "guid-2")
			d.mac.written("guid-3", customer, "Loved “It is.”", func(m map[string]any) {
				m["associatedMessageGuid"], m["associatedMessageType"] = "p:0/guid-2", "love"
			})
			tell("new-message", "guid-3")
			d.mac.changed("guid-1", func(m map[string]any) { m["dateEdited"], m["text"] = int64(946688401000), "Is it still free?" })
			tell("updated-message", "guid-1")
			d.mac.changed("guid-2", delivered(time.Now()))
			tell("updated-message", "guid-2")
			d.mac.changed("guid-1", func(m map[string]any) { m["dateEdited"], m["text"], m["partCount"] = int64(946688402000), nil, 0 })
			tell("updated-message", "guid-1")
			d.stop()
			for _, g := range d.got {
				r := adapter.Webhook{
					Request:  signalbox.Request{Body: []byte(g.body), Received: time.Now()},
					Provider: "bluebubbles", Kind: "messages", AccountID: "demo-bluebubbles", ProviderAccount: "+15557654355",
				}
				parsed, err := (&bluebubbles.Channel{}).Decode(r).Parse()
				if err != nil {
					t.Fatalf("%v: %s", err, g.body)
				}
				for _, p := range parsed {
					all = append(all, strings.Join([]string{p.Kind, p.Key, p.Person, p.Side, string(p.Event.Direction), string(p.Event.Channel)}, " "))
				}
			}
			return all
		}
		posted, asked := events(false), events(true)
		if diff := cmp.Diff(posted, asked); diff != "" {
			t.Errorf("-posted +asked:\n%s", diff)
		}
		want := []string{
			"message guid-1 +15552010551 +15557654355 inbound imessage",
			"message guid-2 imessage:demo-bluebubbles:chat100 chat100 outbound imessage",
			"reaction guid-3 +15552010551 +15557654355 inbound imessage",
			"edit guid-1|946688401000 +15552010551 +15557654355 inbound imessage",
			"receipt guid-2|delivered imessage:demo-bluebubbles:chat100 chat100 status imessage",
			"retract guid-1|retracted +15552010551 +15557654355 inbound imessage",
		}
		if diff := cmp.Diff(want, posted); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
