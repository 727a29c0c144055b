package telnyx

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/tenant"
)

// Fetcher asks Telnyx for messages: those that came, and how far those got that were sent. Its detail records say which there are, and each is
// read by itself, which Telnyx allows for ten days.
// See https://developers.telnyx.com/api-reference/detail-records/search-detail-records and
// https://developers.telnyx.com/api-reference/messages/retrieve-a-message.
type Fetcher struct{ client *http.Client }

// NewFetcher returns a Fetcher that calls with client, which follows no redirect.
func NewFetcher(client *http.Client) *Fetcher { return &Fetcher{client} }

var _ adapter.Fetcher = (*Fetcher)(nil)

const (
	pageSize = "50"                // the most there is
	kept     = 10 * 24 * time.Hour // how long a message can be read
)

// record is what a detail record tells of a message.
type record struct {
	ID        string `json:"uuid"`
	Direction string `json:"direction"`
	Type      string `json:"message_type"`
	From      string `json:"cli"`
	To        string `json:"cld"`
	Profile   string `json:"profile_id"`
	Status    string `json:"status"`
	Created   string `json:"created_at"`
}

func (r record) at() time.Time { return adapter.Time(r.Created) }

// Fetch implements adapter.Fetcher. The list is asked for oldest first and read as far as the span goes, for it is not documented that more of a
// limit than its day counts.
func (f *Fetcher) Fetch(ctx context.Context, a tenant.Account, s adapter.Span, most int) ([]adapter.Fetched, error) {
	query := url.Values{
		"filter[record_type]": {"messaging"}, "filter[created_at][gte]": {s.From.UTC().Format(time.RFC3339)}, "sort": {"created_at"}, "page[size]": {pageSize},
	}
	list := adapter.List[record]{Span: s, Most: most, At: record.at}
	err := list.Read(func(place string) ([]record, string, error) {
		number, _ := strconv.Atoi(cmp.Or(place, "1")) // as it was written below
		query.Set("page[number]", strconv.Itoa(number))
		var page struct {
			Records []record `json:"data"`
			Meta    struct {
				Number int `json:"page_number"` // 0 where it is not told
				Total  int `json:"total_pages"`
			} `json:"meta"`
		}
		if err := f.get(ctx, a, "/v2/detail_records?"+query.Encode(), &page); err != nil {
			return nil, "", err
		}
		if page.Meta.Number > 0 && page.Meta.Number != number {
			return nil, "", fault.New(fault.Retryable, adapter.CodeUnread, nil)
		}
		n := len(page.Records)
		if n == 0 || page.Meta.Total > 0 && number >= page.Meta.Total || !page.Records[n-1].at().Before(s.To) {
			return page.Records, "", nil
		}
		return page.Records, strconv.Itoa(number + 1), nil
	})
	if err != nil {
		return nil, err
	}
	var all []adapter.Fetched
	for _, r := range list.Sorted() {
		if time.Since(r.at()) < kept {
			all = append(all, r.webhook())
		}
	}
	return all, nil
}

// webhook returns as much of a webhook as a record tells: which message it is of, between whom, and how far ours got.
func (r record) webhook() adapter.Fetched {
	type side struct {
		Number string `json:"phone_number"`
		Status string `json:"status,omitempty"`
	}
	event, to := "message.received", side{Number: r.To}
	if r.Direction == "outbound" {
		event, to.Status = "message.finalized", strings.ToLower(r.Status)
		switch to.Status { // records have names of their own for these
		case "failed":
			to.Status = "delivery_failed"
		case "dlr_unconfirmed":
			to.Status = "delivery_unconfirmed"
		}
	}
	payload, _ := json.Marshal(map[string]any{ // texts always encode
		"id": r.ID, "type": r.Type, "messaging_profile_id": r.Profile, "from": side{Number: r.From}, "to": []side{to}, "received_at": r.Created,
	})
	return adapter.Fetched{Kind: Messages, Body: enveloped(event, r.ID, payload), At: r.at(), Part: true}
}

// enveloped returns a webhook about a message, which says itself when it came or got so far.
func enveloped(event, id string, payload json.RawMessage) []byte {
	body, _ := json.Marshal(map[string]any{"data": map[string]any{ // texts, and what was encoded or decoded, always encode
		"record_type": "event", "event_type": event, "id": id, "payload": payload,
	}})
	return body
}

// Fill implements adapter.Filler: it reads the message. Of one that was deleted meanwhile nothing is left to tell.
func (f *Fetcher) Fill(ctx context.Context, a tenant.Account, w adapter.Fetched) (adapter.Fetched, error) {
	var part struct {
		Data struct {
			Event string `json:"event_type"`
			ID    string `json:"id"`
		} `json:"data"`
	}
	var message struct {
		Data json.RawMessage `json:"data"`
	}
	err := json.Unmarshal(w.Body, &part)
	if err == nil {
		err = f.get(ctx, a, "/v2/messages/"+url.PathEscape(part.Data.ID), &message)
	}
	switch {
	case err == nil:
		w.Body = enveloped(part.Data.Event, part.Data.ID, message.Data)
	case fault.Of(err).Code == adapter.CodeMissing:
		w.Body = enveloped("message.deleted", part.Data.ID, json.RawMessage("{}"))
	default:
		return w, err
	}
	w.Part = false
	return w, nil
}

// get reads what is at a place of the API.
func (f *Fetcher) get(ctx context.Context, a tenant.Account, place string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.APIURL+place, nil)
	if err != nil {
		return fault.New(fault.Blocked, adapter.CodeRefused, nil)
	}
	r.Header.Set("Authorization", "Bearer "+string(a.APIToken))
	return adapter.Ask(f.client, r, into)
}
