package edge_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/adapter/edge/edgetest"
	"signalbox/functions/adapter/edge/session"
	"signalbox/shared/canonical"
	"signalbox/shared/redrive"
	"signalbox/shared/standardwebhooks"
	"signalbox/shared/webhook"
)

const (
	origin  = "https://acme.example"
	events  = "/v1/accounts/" + edgetest.Account + "/edge/events"
	replies = "/v1/accounts/" + edgetest.Account + "/edge/replies"
	hello   = `{"eventId":"m1","message":{"text":"Hello"}}`
)

func token(t testing.TB, change func(*session.Claims)) string {
	t.Helper()
	c := session.Claims{Account: edgetest.Account, Visitor: "visitor-42", Name: "Ada", Line: edgetest.Chat, Origin: origin}
	if change != nil {
		change(&c)
	}
	out, err := session.Mint(edgetest.Secret, c, time.Now(), session.MaxLife)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// page returns a request of a page.
func page(method, path, token, body string) webhook.Request {
	path, query, _ := strings.Cut(path, "?")
	return webhook.Request{
		Method: method, Path: path, RawQuery: query, Body: []byte(body), Received: time.Now(),
		Header: http.Header{"Authorization": {"Bearer " + token}, "Origin": {origin}, "Content-Type": {"application/json"}, "Webhook-Id": {"r1"}},
	}
}

// program returns a request of a program.
func program(id, body string) webhook.Request {
	header := standardwebhooks.Sign(edgetest.Secret, id, time.Now(), []byte(body))
	header.Set("Content-Type", "application/json")
	return webhook.Request{Method: http.MethodPost, Path: events, Header: header, Body: []byte(body), Received: time.Now()}
}

// TestWhoAPageSpeaksFor: whose an event is comes from the session, and what else a page says of it is not read.
func TestWhoAPageSpeaksFor(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(*session.Claims)
		request  func(*webhook.Request)
		body     string
		status   int
		problems string
	}{
		"its visitor":                   {nil, nil, hello, 202, ""},
		"its visitor, by name":          {nil, nil, `{"eventId":"m1","sender":{"id":"visitor-42"},"recipient":{"channelAddress":"` + edgetest.Chat + `"},"channel":"web","direction":"inbound","message":{"text":"Hello"}}`, 202, ""},
		"its line, in full":             {nil, nil, `{"eventId":"m1","recipient":{"channelAddress":"web:` + edgetest.Chat + `"},"message":{"text":"Hello"}}`, 202, ""},
		"without an id of the request":  {nil, func(r *webhook.Request) { r.Header.Del("Webhook-Id") }, hello, 400, "$ required"},
		"with a session that is broken": {nil, func(r *webhook.Request) { r.Header.Set("Authorization", "Bearer x") }, hello, 403, ""},
		"several messages":              {nil, nil, "[" + hello + `,{"eventId":"m2","message":{"text":"Still there?"}}]`, 202, ""},
		"a stop":                        {nil, nil, `{"eventId":"m1","type":"consent","consent":{"state":"opted_out"}}`, 202, ""},
		"another visitor":               {nil, nil, `{"eventId":"m1","sender":{"id":"visitor-43"},"message":{"text":"Hello"}}`, 403, ""},
		"another visitor, among others": {nil, nil, "[" + hello + `,{"eventId":"m2","sender":{"id":"visitor-43"},"message":{"text":"Hello"}}]`, 403, ""},
		"another line":                  {nil, nil, `{"eventId":"m1","recipient":{"channelAddress":"` + edgetest.Support + `"},"message":{"text":"Hello"}}`, 403, ""},
		"another line, by its phone":    {nil, nil, `{"eventId":"m1","recipient":{"phone":"` + edgetest.Phone + `"},"message":{"text":"Hello"}}`, 403, ""},
		"a line of another account":     {func(c *session.Claims) { c.Line = "rival.example/chat" }, nil, hello, 422, "$.recipient unowned"},
		"a line of another channel":     {func(c *session.Claims) { c.Line = edgetest.Apple }, nil, hello, 422, "$.channel unserved"},
		"a colleague of ours":           {nil, nil, `{"eventId":"m1","direction":"outbound","message":{"text":"Hello"}}`, 400, "$.direction value"},
		"another channel":               {nil, nil, `{"eventId":"m1","channel":"sms","message":{"text":"Hello"}}`, 400, "$.channel value"},
		"a receipt":                     {nil, nil, `{"eventId":"m1","type":"receipt","receipt":{"state":"read"},"providerMessageId":"x"}`, 400, "$.type value"},
		"a change of who somebody is":   {nil, nil, `{"eventId":"m1","type":"identity","identity":{}}`, 400, "$.type value"},
		"nobody, without an id":         {nil, nil, `{"message":{"text":"Hello"}}`, 400, "$.eventId required"},
		"a CloudEvent":                  {nil, func(r *webhook.Request) { r.Header.Set("Content-Type", "application/cloudevents+json") }, hello, 415, "$ type"},
		"from another origin":           {nil, func(r *webhook.Request) { r.Header.Set("Origin", "https://evil.example") }, hello, 403, ""},
		"from no page":                  {nil, func(r *webhook.Request) { r.Header.Del("Origin") }, hello, 403, ""},
		"from a file":                   {nil, func(r *webhook.Request) { r.Header.Set("Origin", "null") }, hello, 403, ""},
		"with a session that is over":   {nil, func(r *webhook.Request) { r.Received = r.Received.Add(session.MaxLife) }, hello, 403, ""},
		"with a session of no account":  {func(c *session.Claims) { c.Account = "acme" }, nil, hello, 403, ""},
		"with no session":               {nil, func(r *webhook.Request) { r.Header.Del("Authorization") }, hello, 403, ""},
		"with a scheme of another kind": {nil, func(r *webhook.Request) { r.Header.Set("Authorization", "Basic "+token(t, nil)) }, hello, 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			door := edgetest.New()
			r := page(http.MethodPost, events, token(t, c.change), c.body)
			if c.request != nil {
				c.request(&r)
			}
			answer := door.Receive(t.Context(), r)
			var told struct{ Problems []canonical.Problem }
			_ = json.Unmarshal(answer.Body, &told) // a 403 has none
			var got []string
			for _, p := range told.Problems {
				got = append(got, p.Path+" "+p.Code)
			}
			if problems := strings.Join(got, ", "); answer.Status != c.status || problems != c.problems {
				t.Errorf("answered %d with %q, want %d with %q", answer.Status, problems, c.status, c.problems)
			}
			if answer.Status == http.StatusForbidden && len(answer.Body) > 0 {
				t.Errorf("a refusal says %s", answer.Body)
			}
			for _, e := range door.Events() {
				if c.status != 202 || e.Sender.ID != "web:acme-site:visitor-42" || e.LineID != "chat" || e.Direction != canonical.Inbound {
					t.Errorf("%s of %+v on %s", e.Direction, e.Sender, e.LineID)
				}
			}
			if browsers := r.Header.Get("Origin") != "null" && r.Header.Get("Origin") != ""; browsers == strings.Contains(door.Output(), "WebhookRejected") && c.status != 202 {
				t.Errorf("a page's refusal is no alarm, a stranger's is one:\n%s", door.Output())
			}
		})
	}
}

// TestWhatAPageMaySay: of an event its words, when, and what brought the visitor.
func TestWhatAPageMaySay(t *testing.T) {
	door := edgetest.New()
	body := `{"eventId":"m1","providerMessageId":"theirs","conversationId":"theirs","sender":{"id":"visitor-42","displayName":"Mallory","phone":"+15552010001"},
		"actor":{"kind":"automation"},"participants":[{"phone":"+15552010002"}],"relatesTo":{"kind":"reply","providerMessageId":"x"},"flags":{"historical":true},
		"provider":"twilio","accountId":"demo-twilio","attribution":{"sourceUrl":"https://acme.example/pricing"},"metadata":{"rawVendor":{"a":"b"},"edge":{"id":"x"}},
		"message":{"text":"Hello","postback":{"payload":"yes"},"summary":"not this","attachments":[{"url":"https://evil.example/x"}]},"timestamp":"2026-01-18T14:23:12Z"}`
	if answer := door.Receive(t.Context(), page(http.MethodPost, events, token(t, nil), body)); answer.Status != 202 {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	e := door.Events()[0]
	if e.Sender.DisplayName != "Ada" || e.Sender.Phone != "" || len(e.Sender.Identifiers) > 0 || e.Flags.Historical || e.Provider != "edge" || e.ProviderMessageID != "" ||
		e.RelatesTo != nil || len(e.Participants) > 0 || e.Actor != nil && e.Actor.Kind != "customer" || len(e.Message.Attachments) > 0 || e.Message.Summary != "Hello" ||
		e.Message.Postback.Payload != "yes" || e.Attribution.SourceURL == "" || string(e.Metadata["edge"]) != `{"id":"m1","origin":"https://acme.example"}` || string(e.Metadata["rawVendor"]) != "{}" {
		t.Errorf("%+v\n%+v", e, e.Message)
	}
}

// TestAPagesIDsAreItsVisitorsOwn: no page takes an id, or an answer, from a program or from another visitor.
func TestAPagesIDsAreItsVisitorsOwn(t *testing.T) {
	door := edgetest.New()
	for _, r := range []webhook.Request{
		page(http.MethodPost, events, token(t, nil), hello),
		page(http.MethodPost, events, token(t, func(c *session.Claims) { c.Visitor = "visitor-43" }), hello),
		program("r1", `{"eventId":"m1","channel":"web","direction":"inbound","sender":{"id":"visitor-42"},"recipient":{"channelAddress":"`+edgetest.Chat+`"},"message":{"text":"Hello"}}`),
		page(http.MethodPost, events, token(t, nil), hello), // a repeat
	} {
		if answer := door.Receive(t.Context(), r); answer.Status != 202 {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
	}
	if got := door.Events(); len(got) != 3 || got[0].EventID == got[2].EventID || got[0].ThreadID != got[2].ThreadID {
		t.Errorf("%d events", len(got))
	}
}

// TestAPageSpeaksForNobodyElseLater: what was given up and is parsed again, when no session holds any more, is still its visitor's.
func TestAPageSpeaksForNobodyElseLater(t *testing.T) {
	door := edgetest.New()
	door.Spoil(true)
	for _, visitor := range []string{"visitor-42", "visitor-43"} {
		r := page(http.MethodPost, events, token(t, func(c *session.Claims) { c.Visitor = visitor }), hello)
		if answer := door.Receive(t.Context(), r); answer.Status != 202 {
			t.Fatal(answer.Status)
		}
	}
	door.Spoil(false)
	result, err := door.Redrive(t.Context())
	if err != nil || result.Counts[redrive.Redriven] != 2 {
		t.Fatal(result, err)
	}
	var who []string
	for _, e := range door.Events() {
		who = append(who, e.Sender.ID+" "+string(e.Direction)+" "+e.LineID)
	}
	slices.Sort(who)
	if got := strings.Join(who, ", "); got != "web:acme-site:visitor-42 inbound chat, web:acme-site:visitor-43 inbound chat" {
		t.Errorf("it became %s", got)
	}
}

// TestAProgramsAuthorizationIsNoSession: a program that signs may have the header for a proxy before the door. What was given up with it is parsed
// again as the program's, although the signature is not kept.
func TestAProgramsAuthorizationIsNoSession(t *testing.T) {
	for _, authorization := range []string{
		"Basic cHJveHk6c2VjcmV0", "Bearer opaque", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJwcm94eSJ9.eA", "Bearer " + token(t, nil),
	} {
		door := edgetest.New()
		door.Spoil(true)
		r := program("r1", sent("o1", "visitor-42", edgetest.Chat, `{"text":"One"}`))
		r.Header.Set("Authorization", authorization)
		if answer := door.Receive(t.Context(), r); answer.Status != 202 {
			t.Fatal(answer.Status)
		}
		door.Spoil(false)
		result, err := door.Redrive(t.Context())
		if got := door.Events(); err != nil || result.Counts[redrive.Redriven] != 1 || len(got) != 1 || got[0].Direction != canonical.Outbound {
			t.Errorf("%s: %+v %v, %d events", authorization, result, err, len(got))
		}
	}
}

// TestAPageThatNamesNoRequestIsToldSo: all that it said would be one request, and all but the first a 409.
func TestAPageThatNamesNoRequestIsToldSo(t *testing.T) {
	door := edgetest.New()
	r := page(http.MethodPost, events, token(t, nil), hello)
	r.Header.Del("Webhook-Id")
	if answer := door.Receive(t.Context(), r); answer.Status != http.StatusBadRequest || !strings.Contains(string(answer.Body), "webhook-id") || len(door.Events()) > 0 {
		t.Errorf("answered %d %s", answer.Status, answer.Body)
	}
	door.Spoil(true) // a dead letter has no such header, and is parsed again all the same: see TestAPageSpeaksForNobodyElseLater
	if answer := door.Receive(t.Context(), r); answer.Status != http.StatusBadRequest {
		t.Errorf("answered %d where nothing is accepted", answer.Status)
	}
}

// TestWhatBrowsersAsk: pages read the answers, and a request that asks first costs nothing.
func TestWhatBrowsersAsk(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*webhook.Request)
		status  int
		allowed string
	}{
		"before a message":            {func(r *webhook.Request) { r.Method = http.MethodOptions }, 204, origin},
		"before a poll":               {func(r *webhook.Request) { r.Method, r.Path = http.MethodOptions, replies }, 204, origin},
		"without an origin":           {func(r *webhook.Request) { r.Method = http.MethodOptions; r.Header.Del("Origin") }, 404, ""},
		"of another path":             {func(r *webhook.Request) { r.Method, r.Path = http.MethodOptions, events+"x" }, 404, origin},
		"a message":                   {func(*webhook.Request) {}, 202, origin},
		"a message that is refused":   {func(r *webhook.Request) { r.Body = []byte("{}") }, 400, origin},
		"with a session that is over": {func(r *webhook.Request) { r.Received = r.Received.Add(time.Hour) }, 403, origin},
		"a poll":                      {func(r *webhook.Request) { r.Method, r.Path, r.Body = http.MethodGet, replies, nil }, 200, origin},
		"a poll for a message":        {func(r *webhook.Request) { r.Path = replies }, 404, origin},
		"a message for a poll":        {func(r *webhook.Request) { r.Method = http.MethodGet }, 404, origin},
		"a program":                   {func(r *webhook.Request) { *r = program("r1", "[]") }, 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			door := edgetest.New()
			r := page(http.MethodPost, events, token(t, nil), hello)
			c.change(&r)
			answer := door.Receive(t.Context(), r)
			if answer.Status != c.status || answer.Header["access-control-allow-origin"] != c.allowed {
				t.Errorf("answered %d for %q, want %d for %q", answer.Status, answer.Header["access-control-allow-origin"], c.status, c.allowed)
			}
			if asked := c.status == 204 || c.status == 200; asked && door.Output() != "" {
				t.Errorf("who asks is logged: %s", door.Output())
			}
		})
	}
}

// sent returns what a colleague sent to a visitor.
func sent(id, visitor, line, message string) string {
	return `{"eventId":"` + id + `","channel":"web","direction":"outbound","sender":{"channelAddress":"` + line + `","displayName":"Grace"},"recipient":{"id":"` + visitor +
		`"},"actor":{"kind":"agent","via":"rep-7"},"message":` + message + `}`
}

type news struct {
	Replies []struct {
		ID, Text, Name string
		At             time.Time
		Suggestions    []canonical.Suggestion
		Attachments    []canonical.Attachment
	}
	After int64
}

// poll returns what a page finds.
func poll(t *testing.T, door *edgetest.Door, token string, after int64) news {
	t.Helper()
	answer := door.Receive(t.Context(), page(http.MethodGet, replies+"?after="+strconv.FormatInt(after, 10), token, ""))
	var found news
	if err := json.Unmarshal(answer.Body, &found); err != nil || answer.Status != 200 {
		t.Fatalf("%d %s: %v", answer.Status, answer.Body, err)
	}
	return found
}

// TestAVisitorFindsWhatWasSentToThem and nothing else: each once, in order, for a day.
func TestAVisitorFindsWhatWasSentToThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door := edgetest.New()
		tell := func(id, body string) {
			t.Helper()
			if answer := door.Receive(t.Context(), program(id, body)); answer.Status != 202 {
				t.Fatalf("%d %s", answer.Status, answer.Body)
			}
		}
		mine, others := token(t, nil), token(t, func(c *session.Claims) { c.Visitor = "visitor-43" })
		if found := poll(t, door, mine, 0); len(found.Replies) > 0 || found.Replies == nil {
			t.Errorf("before anything was sent: %+v", found)
		}
		tell("p1", "["+sent("o1", "visitor-42", edgetest.Chat, `{"text":"One"}`)+","+sent("o2", "web:acme-site:visitor-42", edgetest.Chat,
			`{"text":"Two","suggestions":[{"text":"Yes","postback":"y"}],"attachments":[{"url":"https://acme.example/a.pdf","name":"a.pdf"},{"url":"http://acme.example/b"}]}`)+"]")
		tell("p2", sent("o3", "visitor-43", edgetest.Chat, `{"text":"For another"}`))
		tell("p3", sent("o4", "visitor-42", edgetest.Support, `{"text":"On another line"}`))
		tell("p4", strings.Replace(sent("o5", "visitor-42", edgetest.Chat, `{"contentType":"encrypted"}`), `"actor"`, `"x"`, 1))
		tell("p5", sent("o1", "visitor-42", edgetest.Chat, `{"text":"One"}`)) // told again, under another name
		found := poll(t, door, mine, 0)
		if len(found.Replies) != 2 || found.Replies[0].Text != "One" || found.Replies[0].Name != "Grace" || found.Replies[1].Suggestions[0].Postback != "y" ||
			len(found.Replies[1].Attachments) != 1 || found.Replies[0].ID == "" || !found.Replies[0].At.Equal(time.Now()) {
			t.Fatalf("%+v", found)
		}
		if again := poll(t, door, mine, found.After); len(again.Replies) > 0 || again.After != found.After {
			t.Errorf("what was found is found again: %+v", again)
		}
		if theirs := poll(t, door, others, 0); len(theirs.Replies) != 1 || theirs.Replies[0].Text != "For another" {
			t.Errorf("another visitor finds %+v", theirs)
		}
		time.Sleep(23 * time.Hour)
		mine = token(t, nil)
		tell("p6", sent("o6", "visitor-42", edgetest.Chat, `{"text":"Three"}`))
		if later := poll(t, door, mine, found.After); len(later.Replies) != 1 || later.Replies[0].Text != "Three" || later.After <= found.After {
			t.Errorf("a day later: %+v", later)
		}
		time.Sleep(2 * time.Hour)
		mine = token(t, nil)
		if old := poll(t, door, mine, 0); len(old.Replies) != 1 || old.Replies[0].Text != "Three" {
			t.Errorf("what is older than a day is found: %+v", old)
		}
		for r := range door.State.All() {
			if strings.Contains(string(r.Data), "Three") || strings.Contains(r.Partition, "visitor") {
				t.Errorf("%s is kept in the clear", r.Partition)
			}
		}
	})
}

// TestAVisitorFindsWhatWasParsedAgain: a reply that was given up is there when it is parsed again, behind what came meanwhile.
func TestAVisitorFindsWhatWasParsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door := edgetest.New()
		tell := func(id, text string) {
			t.Helper()
			if answer := door.Receive(t.Context(), program(id, sent(id, "visitor-42", edgetest.Chat, `{"text":"`+text+`"}`))); answer.Status != 202 {
				t.Fatalf("%d %s", answer.Status, answer.Body)
			}
		}
		door.Spoil(true)
		tell("o1", "One")
		door.Spoil(false)
		time.Sleep(time.Hour)
		tell("o2", "Two")
		seen := poll(t, door, token(t, nil), 0).After
		if result, err := door.Redrive(t.Context()); err != nil || result.Counts[redrive.Redriven] != 1 {
			t.Fatal(result, err)
		}
		if found := poll(t, door, token(t, nil), seen); len(found.Replies) != 1 || found.Replies[0].Text != "One" || found.Replies[0].At.After(time.Now().Add(-time.Hour)) {
			t.Errorf("found is %+v", found)
		}
	})
}

// TestAPollIsRefused: each for its reason.
func TestAPollIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*session.Claims)
		request func(*webhook.Request)
	}{
		"with no session":             {nil, func(r *webhook.Request) { r.Header.Del("Authorization") }},
		"from another origin":         {nil, func(r *webhook.Request) { r.Header.Set("Origin", "https://evil.example") }},
		"with a session that is over": {nil, func(r *webhook.Request) { r.Received = r.Received.Add(session.MaxLife) }},
		"of a line that is not ours":  {func(c *session.Claims) { c.Line = "rival.example/chat" }, nil},
		"with a program's signature": {nil, func(r *webhook.Request) {
			r.Header = standardwebhooks.Sign(edgetest.Secret, "r1", r.Received, nil)
			r.Header.Set("Origin", origin)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := page(http.MethodGet, replies, token(t, c.change), "")
			if c.request != nil {
				c.request(&r)
			}
			if answer := edgetest.New().Receive(t.Context(), r); answer.Status != http.StatusForbidden || len(answer.Body) > 0 {
				t.Errorf("answered %d %s", answer.Status, answer.Body)
			}
		})
	}
}
