package relay

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/adapter/bluebubbles/imessage"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"

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

// sent returns what came to the endpoint.
func (d *desk) sent() []got {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.got)
}

// set changes how the endpoint and the server behave.
func (d *desk) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mac.mu.Lock()
	defer d.mac.mu.Unlock()
	change()
}

// wait lets time pass, and what is to happen by then happen.
func (d *desk) wait(how time.Duration) {
	time.Sleep(how)
	synctest.Wait()
}

func request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
}

// accepted returns what the endpoint accepted: of each request its type, guid and text, or the changes that it tells.
func (d *desk) accepted() (all []string) {
	for _, g := range d.sent() {
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
// TestWhatTheServerPostedIsSentAsItIs: byte for byte, by an id that is made of what it tells.
// TestUpdatesAreOfTheirChat: the server posts them without it.
// TestAGapIsCaughtUp: what was written, and what became of what was written before, while the relay was not there.
// TestNothingIsLost: what is not accepted is sent again, at growing intervals, signed anew, also after the relay was killed.
// TestWhatWasSaidBeforeSomebodyWasNamedStaysOnTheMac, also where it is new to the relay, and what waits of somebody who is named no more.
// TestAServerThatFailsIsAskedAgain, and one chat that it cannot tell of holds up no other.
// TestWhoTakesPartInAGroupIsAdded where the server leaves it out of what would be long.
// TestFilesAreReadByTheirAddressAlone: what was not forwarded cannot be read, nor the server's password.
// TestAGuessedPathIsNothing: the answer is that of a server that has nothing at all, to the byte.
// TestAKillLosesNothing: a line that was not written whole did not happen, and one that cannot be read costs no other.
// TestTheJournalStaysSmall: it is written anew without what is done, and what was said long ago is forgotten.
// TestWhatLeavesIsReadByTheChannel, and is the same event whether it was posted or asked for.
