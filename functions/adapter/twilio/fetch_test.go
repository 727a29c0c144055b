package twilio

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/twilio/twiliotest"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

const apiAccount = "AC00000000000000000000000000000de0"

// listed starts an API and returns the account that may ask it.
func listed(t *testing.T, api *twiliotest.API) tenant.Account {
	t.Helper()
	api.Account, api.Token = apiAccount, "api-token"
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return tenant.Account{ID: "demo-twilio", Provider: Provider, ProviderAccount: apiAccount, APIToken: "api-token", APIURL: server.URL}
}

// parsedOf returns what a fetched webhook says.
func parsedOf(t *testing.T, f adapter.Fetched) adapter.Parsed {
	t.Helper()
	channel, err := New(publicURL)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := channel.Decode(adapter.Webhook{
		Request: webhook.Request{Body: f.Body, Received: f.At}, Kind: f.Kind, ProviderAccount: apiAccount,
	}).Parse()
	if err != nil || len(parsed) != 1 {
		t.Fatalf("%s: %v, %v", f.Body, parsed, err)
	}
	return parsed[0]
}

// TestMessagesAreFetchedInOrder: both ways, over pages, whatever the API's filter looks at, and not a second more.
func TestMessagesAreFetchedInOrder(t *testing.T) {
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for name, api := range map[string]*twiliotest.API{
		"by the second": {}, "by the day": {ByDay: true}, "over pages": {PageSize: 2}, "by the day, over pages": {ByDay: true, PageSize: 3},
	} {
		t.Run(name, func(t *testing.T) {
			account := listed(t, api)
			for i, minute := range []int{-1, 0, 5, 5, 7, 59, 60, 61, -600} {
				m := twiliotest.Message{
					Sid: "SM0000000000000000000000000000000" + string(rune('a'+i)), From: "+15552010001", To: "+15557654321", Direction: "inbound", Status: "received",
					Body: "message 1 & more", Sent: noon.Add(time.Duration(minute) * time.Minute), Updated: noon.Add(time.Duration(minute) * time.Minute),
				}
				if i == 4 {
					m.From, m.To, m.Direction, m.Status, m.Error, m.Updated = m.To, m.From, "outbound-api", "undelivered", 30003, m.Sent.Add(time.Minute)
				}
				api.Add(m)
			}
			api.Add(twiliotest.Message{Sid: "SM0000000000000000000000000000000z", Direction: "outbound-api", Status: "accepted"}) // was never sent
			found, err := NewFetcher(http.DefaultClient).Fetch(t.Context(), account, adapter.Span{From: noon, To: noon.Add(time.Hour)}, 100)
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, f := range found {
				p := parsedOf(t, f)
				said = append(said, p.Event.ProviderMessageID[33:]+" "+string(p.Event.Type))
			}
			want := []string{"b message", "c message", "d message", "e receipt", "f message"}
			if slices.Sort(said[1:3]); !slices.Equal(said, want) { // of one second in either order
				t.Errorf("fetched %q, want %q", said, want)
			}
			if r := parsedOf(t, found[3]); r.Event.Receipt.Reason != "unreachable" || !r.Event.Receipt.At.Equal(noon.Add(8*time.Minute)) || r.Key != r.Event.ProviderMessageID+"|undelivered|30003" {
				t.Errorf("%+v %+v", r, r.Event.Receipt)
			}
			if m := parsedOf(t, found[0]); m.Event.Message.Text != "message 1 & more" || m.Key != m.Event.ProviderMessageID || m.Addresses[0] != "+15557654321" {
				t.Errorf("%+v", m)
			}
			if _, err := NewFetcher(http.DefaultClient).Fetch(t.Context(), account, adapter.Span{From: noon, To: noon.Add(time.Hour)}, 4); !errors.Is(err, adapter.ErrMuch) {
				t.Errorf("of more than was asked for: %v", err)
			}
		})
	}
}

// TestAHostThatNamesNextPagesForEverEnds, whether they hold anything or not.
func TestAHostThatNamesNextPagesForEverEnds(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	full := strings.Repeat(`{"sid":"SM1","direction":"inbound","date_sent":"`+now.Add(-time.Second).Format(time.RFC1123Z)+`"},`, 1000)
	for name, messages := range map[string]string{"empty": "", "full": strings.TrimSuffix(full, ",")} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				_, _ = w.Write([]byte(`{"messages":[` + messages + `],"media_list":[],"next_page_uri":"` + r.URL.Path + `"}`))
			}))
			defer server.Close()
			account := tenant.Account{ProviderAccount: apiAccount, APIURL: server.URL}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			fetcher := NewFetcher(http.DefaultClient)
			if _, err := fetcher.Fetch(ctx, account, adapter.Span{From: now.Add(-time.Second), To: now}, 0); fault.Of(err) == nil || fault.Of(err).Code != adapter.CodeEndless {
				t.Errorf("%v after %d requests", err, requests)
			}
			if _, err := fetcher.Fill(ctx, account, adapter.Fetched{Body: []byte("MessageSid=SM1")}); fault.Of(err) == nil || fault.Of(err).Code != adapter.CodeEndless {
				t.Errorf("files: %v after %d requests", err, requests)
			}
			if requests > 300 {
				t.Errorf("%d requests", requests)
			}
		})
	}
}

// TestWhatWasFetchedIsTheEventThatItWouldHaveBeen: the webhook of the same message has the same key, line, person and side.
func TestWhatWasFetchedIsTheEventThatItWouldHaveBeen(t *testing.T) {
	for name, m := range map[string]twiliotest.Message{
		"AccountSid=" + apiAccount + "&MessageSid=SM00000000000000000000000000000001&From=%2B15552010001&To=%2B15557654321&Body=hi&NumMedia=0&MessagingServiceSid=MG1":                                {From: "+15552010001", To: "+15557654321", Service: "MG1"},
		"AccountSid=" + apiAccount + "&MessageSid=SM00000000000000000000000000000001&From=whatsapp%3A%2B15552010001&To=whatsapp%3A%2B15557654321&Body=hi&NumMedia=0&WaId=15552010001&ProfileName=Kim": {From: "whatsapp:+15552010001", To: "whatsapp:+15557654321"},
	} {
		api := &twiliotest.API{}
		account := listed(t, api)
		m.Sid, m.Direction, m.Status, m.Body, m.Sent = "SM00000000000000000000000000000001", "inbound", "received", "hi", time.Now().Add(-time.Hour)
		api.Add(m)
		found, err := NewFetcher(http.DefaultClient).Fetch(t.Context(), account, adapter.Span{From: m.Sent.Add(-time.Hour), To: time.Now()}, 0)
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		was, is := parsedOf(t, adapter.Fetched{Kind: Messages, Body: []byte(name), At: m.Sent}), parsedOf(t, found[0])
		if was.Kind != is.Kind || was.Key != is.Key || was.Person != is.Person || was.Side != is.Side || !slices.Equal(was.Addresses, is.Addresses) || is.Event.Channel != was.Event.Channel {
			t.Errorf("%+v, and fetched %+v", was, is)
		}
	}
}

func TestTheFilesOfAMessageAreFetched(t *testing.T) {
	api := &twiliotest.API{}
	account := listed(t, api)
	sent := time.Now().Add(-time.Hour).Truncate(time.Second)
	api.Add(twiliotest.Message{
		Sid: "MM00000000000000000000000000000001", Direction: "inbound", Status: "received", From: "+15552010001", To: "+15557654321", Sent: sent, Media: []string{"image/jpeg", "audio/ogg"},
	})
	fetcher := NewFetcher(http.DefaultClient)
	found, err := fetcher.Fetch(t.Context(), account, adapter.Span{From: sent, To: sent.Add(time.Second)}, 0)
	if err != nil || len(found) != 1 || !found[0].Part {
		t.Fatal(found, err)
	}
	filled, err := fetcher.Fill(t.Context(), account, found[0])
	if err != nil || filled.Part {
		t.Fatal(err)
	}
	files := parsedOf(t, filled).Event.Message.Attachments
	if len(files) != 2 || files[0].ContentType != "image/jpeg" || files[1].ContentType != "audio/ogg" ||
		!strings.HasPrefix(files[0].URL, account.APIURL+"/2010-04-01/Accounts/"+apiAccount+"/Messages/MM00000000000000000000000000000001/Media/ME") || strings.HasSuffix(files[0].URL, ".json") {
		t.Errorf("%+v", files)
	}
	if parsedOf(t, filled).Event.Channel != canonical.SMS {
		t.Error("another channel")
	}
}

// TestAnotherAccountsNextPageIsNotRead: the credentials are for the account's alone.
func TestAnotherAccountsNextPageIsNotRead(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		_, _ = w.Write([]byte(`{"next_page_uri":"/2010-04-01/Accounts/AC1/Messages.json"}`))
	}))
	defer server.Close()
	account := tenant.Account{ProviderAccount: apiAccount, APIToken: "hunter2", APIURL: server.URL}
	_, err := NewFetcher(http.DefaultClient).Fetch(t.Context(), account, adapter.Span{From: time.Now().Add(-time.Hour), To: time.Now()}, 0)
	if f := fault.Of(err); f == nil || f.Kind != fault.Retryable || f.Code != adapter.CodeUnread || requests != 1 {
		t.Errorf("%v after %d requests", err, requests)
	}
}
