package edge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/functions/adapter/edge/client"
	"signalbox/functions/adapter/edge/edgetest"
	"signalbox/functions/adapter/edge/session"
	"signalbox/shared/secret"
)

// site is the tenant's: a page with the widget, and a server that knows the visitor by a cookie, mints sessions and has colleagues who reply.
type site struct {
	t      *testing.T
	built  string // where the client is
	door   string // its URL
	client *client.Client
	events *edgetest.Door
	down   atomic.Bool
}

// page is a site's, as strict as pages are. The style is the page's own: the widget needs none.
const sitePage = `<!doctype html>
<html lang="en" dir="%s"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Acme</title><script src="/widget.js" defer></script></head>
<body><main><h1>Acme</h1><p>We deliver on weekdays. <a href="#prices">Prices</a></p><h2 id="prices">Prices</h2><p>Ask us.</p></main>
<signalbox-chat %s name="Acme" endpoint="%s" session="/session?seconds=%s"></signalbox-chat></body></html>`

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch r.Method + " " + r.URL.Path {
	case "GET /":
		http.SetCookie(w, &http.Cookie{Name: "visitor", Value: query.Get("visitor"), HttpOnly: true, SameSite: http.SameSiteLaxMode})
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self' "+s.door+
			"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'")
		dir, open := "ltr", ""
		if query.Get("dir") != "" {
			dir = "rtl"
		}
		if query.Get("open") != "" {
			open = "open"
		}
		_, _ = fmt.Fprintf(w, sitePage, dir, open, s.door, query.Get("seconds"))
	case "GET /widget.js":
		w.Header().Set("Content-Type", "text/javascript")
		http.ServeFile(w, r, filepath.Join(s.built, "dist", "widget.js"))
	case "POST /session":
		s.session(w, r)
	case "POST /reply":
		s.reply(w, r)
	case "GET /told":
		var told []string
		for _, e := range s.events.Events() {
			if e.Sender.ID != "web:"+edgetest.Account+":"+query.Get("visitor") {
				continue
			}
			text := e.Message.Text
			if e.Message.Postback != nil {
				text += " [" + e.Message.Postback.Payload + "]"
			}
			told = append(told, text)
		}
		_ = json.NewEncoder(w).Encode(told)
	case "POST /fail":
		s.down.Store(query.Get("n") != "0")
	default:
		http.NotFound(w, r)
	}
}

func (s *site) session(w http.ResponseWriter, r *http.Request) {
	visitor, err := r.Cookie("visitor")
	if err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	life := session.MaxLife
	if seconds, err := strconv.Atoi(r.URL.Query().Get("seconds")); err == nil {
		life = time.Duration(seconds) * time.Second
	}
	claims := session.Claims{Account: edgetest.Account, Visitor: visitor.Value, Line: edgetest.Chat, Origin: "http://" + r.Host}
	token, err := session.Mint(edgetest.Secret, claims, time.Now(), life)
	if err != nil {
		s.t.Error(err)
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
}

func (s *site) reply(w http.ResponseWriter, r *http.Request) {
	message, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	request, err := client.NewRequest(map[string]any{
		"eventId": "reply " + strconv.FormatInt(time.Now().UnixNano(), 10), "channel": "web", "direction": "outbound",
		"sender":    map[string]any{"channelAddress": edgetest.Chat, "displayName": "Grace"},
		"recipient": map[string]any{"id": r.URL.Query().Get("visitor")}, "actor": map[string]any{"kind": "agent", "via": "rep-7"},
		"message": json.RawMessage(message),
	})
	if err == nil {
		_, err = s.client.Send(r.Context(), request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// TestInABrowser runs the tests of client-ts that need a door: the widget in Chromium, and the client for TypeScript. What it needs is built by
// the target widget-test, which says where it is.
func TestInABrowser(t *testing.T) {
	built, chromium := os.Getenv("SIGNALBOX_CLIENT_TS"), os.Getenv("CHROMIUM")
	if built == "" || chromium == "" {
		t.Skip("SKIPPED: make widget-test runs the widget in a browser")
	}
	const private = secret.Value("whsk_ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0Dn8WKhC+xVmv6hleTc6EtpVo1dLLCWPrRGwGheKxfy8A==")
	s := &site{t: t, built: built, events: edgetest.New(edgetest.Secret, "whpk_5/FioQvsVZr+oZXk3OhLaVaNXSywlj60RsBoXisX8vA=")}
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() && r.Header.Get("Origin") != "" && r.Method != http.MethodOptions {
			w.WriteHeader(http.StatusServiceUnavailable) // the gateway's own, which no page may read
			return
		}
		s.events.ServeHTTP(w, r)
	}))
	defer door.Close()
	s.door = door.URL
	var err error
	if s.client, err = client.New(client.Options{URL: door.URL, Account: edgetest.Account, Key: edgetest.Secret}); err != nil {
		t.Fatal(err)
	}
	pages := httptest.NewServer(s)
	defer pages.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "node", "--test", "dist/test/browser/")
	command.Dir = built
	command.Env = append(os.Environ(), "DOOR="+door.URL, "SITE="+pages.URL, "ACCOUNT="+edgetest.Account, "KEYS="+string(edgetest.Secret)+" "+string(private))
	output, err := command.CombinedOutput()
	t.Logf("%s", output)
	if err != nil {
		t.Fatal(err)
	}
}
