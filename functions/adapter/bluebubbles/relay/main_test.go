package relay

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
)

// TestMainForwards runs the program on real sockets: what the server posts comes out signed, and the end is orderly.
func TestMainForwards(t *testing.T) {
	mac := newMac()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mac.mu.Lock()
		defer mac.mu.Unlock()
		mac.serve(w, r)
	}))
	defer server.Close()
	got := make(chan string, 1)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || standardwebhooks.Verify(r.Header, body, time.Now(), secret.Versions{key}) != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		got <- string(body)
	}))
	defer endpoint.Close()
	listen, files := free(t), free(t)
	config := told(t, map[string]any{
		"endpoint": endpoint.URL + "/v1/accounts/anna-mac/bluebubbles/messages", "server": server.URL, "listen": listen,
		"media": "https://files.mac.example", "media-listen": files, "folder": filepath.Join(t.TempDir(), "queue"),
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log := &output{runs: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- Main(ctx, []string{"-config", config}, nothing, log) }()
	<-log.runs
	mac.written("guid-1", customer, "Is it free?")
	body := mac.posts("new-message", "guid-1")
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+listen+"/"+hidden, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(post)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if sent := <-got; response.StatusCode != http.StatusNoContent || !strings.Contains(sent, "Is it free?") { // posted, or asked for a moment before
		t.Errorf("%d, %s", response.StatusCode, sent)
	}
	if err := Main(ctx, []string{"-config", config}, nothing, io.Discard); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a second one at the same address: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, word := range []string{"5552010", password, hidden, "guid-1"} {
		if strings.Contains(log.String(), word) {
			t.Errorf("%s is in the log: %s", word, log.String())
		}
	}
}

// free returns an address that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// output is a log that several write to. It says when the relay runs.
type output struct {
	mu   sync.Mutex
	all  bytes.Buffer
	runs chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if bytes.Contains(p, []byte("relay runs")) {
		close(o.runs)
	}
	return o.all.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}
