package relay

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/adapter/bluebubbles/imessage"

	"github.com/google/go-cmp/cmp"
)

func TestFilesAreReadByTheirAddressAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, func(c *Config) {
			c.Media, c.MediaListen, c.Every = "https://files.mac.example", "127.0.0.1:8472", 24*time.Hour
		})
		defer func() { d.stop(); d.silent() }()
		d.wait(time.Second)
		d.mac.written("guid-1", customer, "Here is the leak", func(m map[string]any) {
			m["attachments"] = []any{map[string]any{"originalROWID": 5, "guid": "AT-1 x", "mimeType": "image/jpeg", "transferName": "leak.jpeg", "totalBytes": 9}}
		})
		d.post(d.mac.posts("new-message", "guid-1"))
		_, data, _ := read([]byte(d.sent()[0].body))
		file := imessage.Decode(data).Attachments[0]
		path, ok := strings.CutPrefix(file.URL, "https://files.mac.example")
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
		d.set(func() { d.mac.down = true })
		if status, body := read(http.MethodGet, path); status != http.StatusBadGateway || body != "" {
			t.Errorf("%d %q", status, body)
		}
		d.set(func() { d.mac.down = false })
		d.wait(readable + time.Hour)
		if status, _ := read(http.MethodGet, path); status != http.StatusNotFound {
			t.Errorf("after %v: %d", readable, status)
		}
	})
}

// TestAFileThatBreaksOffIsNotWhole: whoever reads it sees a connection that broke, too.
func TestAFileThatBreaksOffIsNotWhole(t *testing.T) {
	for _, c := range []struct {
		length string // that the server says
		cut    bool
		want   int64
	}{{"16", false, 16}, {"16", true, 16}, {"", false, -1}, {"", true, -1}} {
		mac := newMac()
		mac.length, mac.cut = c.length, c.cut
		r := &Relay{config: Config{Media: "https://files.mac.example", Secret: key}, log: slog.New(slog.DiscardHandler)}
		r.server = server{"http://127.0.0.1:1234", password, &http.Client{Transport: mac}}
		files := httptest.NewServer(http.HandlerFunc(r.ServeFile))
		defer files.Close()
		path := strings.TrimPrefix(r.address("AT-1", time.Now().UnixMilli()), r.config.Media)
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, files.URL+path, nil)
		response, err := http.DefaultClient.Do(request)
		if c.cut && err != nil {
			continue // it broke off before anything was sent
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if (err != nil) != c.cut || !c.cut && string(body) != "the picture AT-1" || response.ContentLength != c.want && c.length != "" {
			t.Errorf("%+v: %q, %v, length %d", c, body, err, response.ContentLength)
		}
	}
}

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
