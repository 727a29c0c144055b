package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/fault"
	"signalbox/shared/hosts"
	"signalbox/shared/redrive"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// Asked is what the suite has to be told of a channel whose provider can be asked.
type Asked struct {
	Samples interface { // with an API in several pages of five messages, by the vendor's description
		samples.Channel
		samples.Lister
		Receiver(publicBaseURL string) (adapter.Channel, error)
	}
	Fetcher func(*http.Client) adapter.Fetcher
	Account tenant.Account // its token and the API's URL are the suite's to fill
	Line    string         // an address of it, for SMS
}

// RunFetcher runs the suite of what asks a provider: what is fetched is the event that its webhook would have been, page by page and after a
// failure, and credentials go to nobody else.
func RunFetcher(t *testing.T, a Asked) {
	t.Run("the same events", func(t *testing.T) { a.sameEvents(t) })
	t.Run("in its span", func(t *testing.T) { a.inSpan(t) })
	t.Run("of no use", func(t *testing.T) { a.ofNoUse(t) })
	t.Run("endless", func(t *testing.T) { a.endless(t) })
	t.Run("elsewhere", func(t *testing.T) { a.elsewhere(t) })
	t.Run("schema", schema)
}

// asking is an account that may be asked, and what was said to it.
type asking struct {
	account tenant.Account
	fetcher adapter.Fetcher
	said    []samples.Said
	live    []Case // the webhooks that tell of it
	span    adapter.Span
	clear   []string // what no error may hold
}

// ask makes what was said a while ago, one message before and one after a span of an hour, and five within, and an API that around serves.
func (a Asked) ask(t *testing.T, around func(http.Handler) http.Handler) *asking {
	t.Helper()
	start := time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Second)
	w := &asking{account: a.Account, fetcher: a.Fetcher(hosts.NewClient(hosts.Any)), span: adapter.Span{From: start, To: start.Add(time.Hour)}}
	for i, after := range []time.Duration{-time.Second, 0, 5 * time.Minute, 6 * time.Minute, 7 * time.Minute, time.Hour - time.Second, time.Hour} {
		one := samples.Said{From: "+1555201900" + fmt.Sprint(i%3), To: a.Line, Text: fmt.Sprintf("message %d & more <é>", i), At: start.Add(after)}
		s, ok := a.Samples.New(samples.Load{
			Kind: samples.Message, Account: samples.Account{ID: a.Account.ID, ProviderAccount: a.Account.ProviderAccount},
			Number: fmt.Sprintf("%032x", i+1), Person: one.From, Line: one.To, Text: one.Text, Sent: one.At,
		})
		if !ok {
			t.Fatal("its samples have no message")
		}
		c := Case{Name: s.Name, Path: s.Path, Form: s.Form, JSON: s.JSON, Received: one.At}
		one.ID = a.Samples.Identify(c.Request().Body).ID
		w.said, w.live = append(w.said, one), append(w.live, c)
	}
	api, token := a.Samples.Lists(a.Account.ProviderAccount, w.said)
	if around != nil {
		api = around(api)
	}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	w.account.APIURL, w.account.APIToken = server.URL, secret.Value(token)
	w.clear = append(strings.Split(token, ":"), a.Account.ProviderAccount, server.URL)
	return w
}

// world returns an adapter that lets every webhook of the account in.
func (a Asked) world(t *testing.T, w *asking) *world {
	t.Helper()
	channel, err := a.Samples.Receiver("https://hooks.example.net")
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(Provider{
		Channel: large{channel}, Account: w.account,
		Lines: []tenant.Line{{ID: "asked", TenantID: w.account.TenantID, AccountID: w.account.ID, Address: a.Line, Channels: []canonical.Channel{canonical.SMS}}},
	})
}

// sameEvents checks that a backfill makes the events that the webhooks would have been, but that it flags them, also where the provider fails at
// first.
func (a Asked) sameEvents(t *testing.T) {
	for failing := range 3 {
		var requests atomic.Int64
		w := a.ask(t, func(api http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if int(requests.Add(1)) == failing {
					rw.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				api.ServeHTTP(rw, r)
			})
		})
		live, fetched := a.world(t, w), a.world(t, w)
		for _, c := range w.live[1:6] {
			live.deliver(t, c.Request())
		}
		asks := adapter.NewReparser(fetched.adapter(), fetched.state, fetched.spool).Asks(w.fetcher, fetched)
		for again := range 2 {
			result, err := asks.Handle(t.Context(), redrive.FetchRequest{
				Common:  redrive.Common{Action: redrive.Backfill, By: "ops", Reason: "ticket 8"},
				Account: w.account.ID, From: w.span.From, To: w.span.To,
			})
			if len(result.Problems) > 0 {
				t.Fatal(result.Problems)
			}
			if err == nil != (again > 0 || failing == 0) {
				t.Errorf("with request %d failing, try %d: %v", failing, again, err)
			}
		}
		if diff := cmp.Diff(essence(t, live, false), essence(t, fetched, true)); diff != "" {
			t.Errorf("with request %d failing: -webhooks +fetched:\n%s", failing, diff)
		}
	}
}

// Accounts implements adapter.Accounts.
func (w *world) Accounts(ctx context.Context, _ string) ([]tenant.Account, error) {
	account, err := w.Account(ctx, w.provider.Account.ID)
	return []tenant.Account{account}, err
}

// essence returns what has to be the same of events, in their order, and checks whether they are flagged.
func essence(t *testing.T, w *world, backfilled bool) (all []string) {
	t.Helper()
	for _, m := range w.events.messages {
		var e canonical.Event
		if err := json.Unmarshal(m.Body, &e); err != nil || e.Message == nil {
			t.Fatalf("%v: %s", err, m.Body)
		}
		if e.Flags.Backfilled != backfilled {
			t.Errorf("%s is flagged as backfilled: %t", e.EventID, e.Flags.Backfilled)
		}
		all = append(all, fmt.Sprint(
			m.ID, " ", m.Group, " ", e.ConversationID, " ", e.LineID, " ", e.Type, " ", e.Channel, " ", e.Direction, " ", e.ProviderMessageID, " ",
			e.Sender, " ", e.Recipient, " ", e.Message.Text,
		))
	}
	return all
}

// inSpan checks that what is fetched is of the span, each at its second and in its order, and that of more than is wanted there is none.
func (a Asked) inSpan(t *testing.T) {
	w := a.ask(t, nil)
	found, err := w.fetcher.Fetch(t.Context(), w.account, w.span, 5)
	if err != nil || len(found) != 5 {
		t.Fatalf("%d found, %v; want 5", len(found), err)
	}
	for i, f := range found {
		if want := w.said[i+1].At; !f.At.Equal(want) {
			t.Errorf("message %d is of %v, want %v", i, f.At, want)
		}
	}
	if found, err := w.fetcher.Fetch(t.Context(), w.account, w.span, 4); !errors.Is(err, adapter.ErrMuch) || len(found) > 0 {
		t.Errorf("of more than was wanted: %d found, %v", len(found), err)
	}
}

// ofNoUse checks that an answer that is of no use is a fault of the kind that says what to do, and holds nothing of what was asked.
func (a Asked) ofNoUse(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		url    string
		kind   fault.Kind
		code   string
	}{
		"too many requests":  {status(http.StatusTooManyRequests), "", fault.Throttled, adapter.CodeThrottled},
		"trouble there":      {status(http.StatusBadGateway), "", fault.Retryable, adapter.CodeUnanswered},
		"another token":      {status(http.StatusUnauthorized), "", fault.Blocked, adapter.CodeRefused},
		"nothing there":      {status(http.StatusNotFound), "", fault.Blocked, adapter.CodeMissing},
		"no JSON":            {text("<html>"), "", fault.Retryable, adapter.CodeUnread},
		"another JSON":       {text("[]"), "", fault.Retryable, adapter.CodeUnread},
		"JSON that is cut":   {text(`{"a":`), "", fault.Retryable, adapter.CodeUnread},
		"a host that is not": {nil, "http://127.0.0.1:1", fault.Retryable, adapter.CodeUnanswered},
		"a URL that is none": {nil, "::", fault.Blocked, adapter.CodeRefused},
	} {
		w := a.ask(t, func(api http.Handler) http.Handler {
			if c.answer != nil {
				return c.answer
			}
			return api
		})
		if c.url != "" {
			w.account.APIURL = c.url
		}
		found, err := w.fetcher.Fetch(t.Context(), w.account, w.span, 0)
		if f := fault.Of(err); err == nil || f.Kind != c.kind || f.Code != c.code || len(found) > 0 {
			t.Errorf("%s: %d found, %v; want %s", name, len(found), err, c.code)
		}
		for _, word := range w.clear {
			if err != nil && strings.Contains(err.Error(), word) {
				t.Errorf("%s: the error holds what was asked", name)
			}
		}
	}
	w := a.ask(t, nil)
	w.account.APIToken = "another:token:altogether"
	if _, err := w.fetcher.Fetch(t.Context(), w.account, w.span, 0); err == nil || fault.Of(err).Code != adapter.CodeRefused {
		t.Errorf("with another token: %v", err)
	}
}

// endless checks that a list that has one page for ever is given up, or found out.
func (a Asked) endless(t *testing.T) {
	first := map[string]string{} // page of each list
	requests := 0
	w := a.ask(t, func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			requests++
			if _, known := first[r.URL.Path]; !known {
				first[r.URL.Path] = r.URL.RawQuery
			}
			r.URL.RawQuery = first[r.URL.Path]
			api.ServeHTTP(rw, r)
		})
	})
	_, err := w.fetcher.Fetch(t.Context(), w.account, w.span, 0)
	if err == nil || fault.Of(err).Code != adapter.CodeEndless && fault.Of(err).Code != adapter.CodeUnread {
		t.Errorf("%v after %d requests", err, requests)
	}
}

// elsewhere checks that a redirect is not followed: credentials go where the account's file says.
func (a Asked) elsewhere(t *testing.T) {
	var came atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) }))
	defer other.Close()
	w := a.ask(t, func(http.Handler) http.Handler { return http.RedirectHandler(other.URL, http.StatusTemporaryRedirect) })
	if _, err := w.fetcher.Fetch(t.Context(), w.account, w.span, 0); err == nil || fault.Of(err).Code != adapter.CodeRefused || came.Load() > 0 {
		t.Errorf("%v, %d requests elsewhere", err, came.Load())
	}
}

// schema checks that an account's file, by the schema in the folder above, names no host but the provider's, which a public deployment calls by
// https and its own port, or this machine's, for a simulator.
func schema(t *testing.T) {
	var file struct {
		Properties struct{ APIURL struct{ Pattern string } }
	}
	data, err := os.ReadFile("../account.schema.json")
	if err := errors.Join(err, json.Unmarshal(data, &file)); err != nil {
		t.Fatal(err)
	}
	written := file.Properties.APIURL.Pattern
	pattern, err := regexp.Compile(written)
	host := regexp.MustCompile(`[a-z]+\.com`).FindString(strings.ReplaceAll(written, `\.`, ".")) // the provider's
	if err != nil || host == "" || !pattern.MatchString("http://127.0.0.1:8080") {
		t.Fatalf("the schema takes %q of the provider, or no simulator: %v", host, err)
	}
	for _, url := range []string{
		"", "https://example.net", "https://" + host + ".example.net", "https://example.net/" + host, "https://api." + host + "@example.net", "http://api." + host,
		"https://api." + host + ":8443", "https://api." + host + "/", "https://api" + host, "http://127.0.0.1.example.net", "https://127.0.0.1:8080", "http://127.0.0.1",
	} {
		if pattern.MatchString(url) {
			t.Errorf("the schema takes %s", url)
		}
	}
}
