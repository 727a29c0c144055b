package telnyx

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

// TestHowFarAMessageGotIsFetched: a record tells it, and the message itself tells more; of one that was deleted, or is too old to be read, nothing.
func TestHowFarAMessageGotIsFetched(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	record := func(id, status string, at time.Time) string {
		return fmt.Sprintf(`{"uuid":%q,"direction":"outbound","message_type":"SMS","cli":"+15557654327","cld":"+15552010001","status":%q,"created_at":%q}`, id, status, at.Format(time.RFC3339))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/v2/detail_records", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"data":[%s,%s,%s],"meta":{"page_number":1,"total_pages":1}}`,
			record("old", "delivered", now.Add(-11*24*time.Hour)), record("m1", "FAILED", now.Add(-2*time.Hour)), record("m2", "delivered", now.Add(-time.Hour)))
	})
	mux.HandleFunc("/v2/messages/m1", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"data":{"id":"m1","direction":"outbound","type":"SMS","from":{"phone_number":"+15557654327"},"to":[{"phone_number":"+15552010001","status":"delivery_failed"}],` +
			`"completed_at":"2026-11-23T12:00:00Z","errors":[{"code":"40300"}]}}`))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	fetcher, account := NewFetcher(server.Client()), tenant.Account{ID: "demo-telnyx", APIToken: "KEY1", APIURL: server.URL}
	found, err := fetcher.Fetch(t.Context(), account, adapter.Span{From: now.Add(-30 * 24 * time.Hour), To: now}, 0)
	if err != nil || len(found) != 2 {
		t.Fatal(found, err)
	}
	parse := func(f adapter.Fetched) []adapter.Parsed {
		parsed, err := (&Channel{}).Decode(adapter.Webhook{Request: webhook.Request{Body: f.Body, Received: f.At}, Kind: f.Kind}).Parse()
		if err != nil {
			t.Fatalf("%s: %v", f.Body, err)
		}
		return parsed
	}
	part := parse(found[0])[0].Event
	if part.Receipt == nil || part.Receipt.State != "failed" || part.ProviderMessageID != "m1" || !found[0].Part {
		t.Errorf("in part it is %+v, %+v", part, part.Receipt)
	}
	filled, err := fetcher.Fill(t.Context(), account, found[0])
	if err != nil || filled.Part {
		t.Fatal(err)
	}
	whole := parse(filled)[0].Event
	if whole.Receipt.Reason != "opted_out" || whole.Receipt.Error != "40300" || !whole.Receipt.At.Equal(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("whole it is %+v", whole.Receipt)
	}
	gone, err := fetcher.Fill(t.Context(), account, found[1])
	if err != nil || gone.Part || len(parse(gone)) > 0 {
		t.Errorf("of one that was deleted: %v, %s", err, gone.Body)
	}
}

// TestAListThatDoesNotCountItsPagesIsReadToItsEnd: a page without a number of its own is not asked for again.
func TestAListThatDoesNotCountItsPagesIsReadToItsEnd(t *testing.T) {
	start := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := r.URL.Query().Get("page[number]")
		if page > "3" {
			page = ""
		}
		records := map[string]string{"": "[]"}
		for i, n := range []string{"1", "2", "3"} {
			records[n] = fmt.Sprintf(`[{"uuid":%q,"direction":"inbound","created_at":%q}]`, n, start.Add(time.Duration(i)*time.Minute).Format(time.RFC3339))
		}
		_, _ = fmt.Fprintf(w, `{"data":%s}`, records[page])
	}))
	defer server.Close()
	account := tenant.Account{ID: "demo-telnyx", APIToken: "KEY1", APIURL: server.URL}
	found, err := NewFetcher(server.Client()).Fetch(t.Context(), account, adapter.Span{From: start, To: start.Add(time.Hour)}, 0)
	if err != nil || len(found) != 3 {
		t.Errorf("%d found, %v; want 3", len(found), err)
	}
}
