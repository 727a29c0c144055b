package twilio

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

// Fetcher asks Twilio for messages: those that came, and how far those got that were sent.
// See https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources.
type Fetcher struct{ client *http.Client }

// NewFetcher returns a Fetcher that calls with client, which follows no redirect: credentials go where the account's file says.
func NewFetcher(client *http.Client) *Fetcher { return &Fetcher{client} }

var _ adapter.Fetcher = (*Fetcher)(nil)

const (
	pageSize = "1000" // the most there is
	maxPages = 20     // of the files of a message, which are ten
	root     = "/2010-04-01/Accounts/"
)

// resource is a message as the API has it.
type resource struct {
	Sid       string      `json:"sid"`
	Direction string      `json:"direction"`
	Status    string      `json:"status"`
	From      string      `json:"from"`
	To        string      `json:"to"`
	Body      string      `json:"body"`
	Service   string      `json:"messaging_service_sid"`
	NumMedia  string      `json:"num_media"`
	Segments  string      `json:"num_segments"`
	Error     json.Number `json:"error_code"`
	Created   rfc2822     `json:"date_created"`
	Sent      rfc2822     `json:"date_sent"`
	Updated   rfc2822     `json:"date_updated"`
}

// rfc2822 is a time as this API writes it, zero where there is none.
type rfc2822 struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (t *rfc2822) UnmarshalJSON(data []byte) error {
	var text string
	err := json.Unmarshal(data, &text)
	if err == nil && text != "" {
		t.Time, err = time.Parse(time.RFC1123Z, text)
	}
	return err
}

// at returns when a message was said.
func (m resource) at() time.Time {
	if m.Sent.IsZero() {
		return m.Created.UTC()
	}
	return m.Sent.UTC()
}

// Fetch implements adapter.Fetcher. The list is newest first, page after page. It is filtered by the time at which messages were sent, once more
// here, for the documentation promises the day alone.
func (f *Fetcher) Fetch(ctx context.Context, a tenant.Account, s adapter.Span, most int) ([]adapter.Fetched, error) {
	query := url.Values{"PageSize": {pageSize}, "DateSent>": {s.From.UTC().Format(time.RFC3339)}, "DateSent<": {s.To.UTC().Format(time.RFC3339)}}
	first := root + url.PathEscape(a.ProviderAccount) + "/Messages.json?" + query.Encode()
	list := adapter.List[resource]{Span: s, Most: most, At: resource.at, Newest: true}
	err := list.Read(func(place string) ([]resource, string, error) {
		var page struct {
			Messages []resource `json:"messages"`
			Next     string     `json:"next_page_uri"`
		}
		err := f.get(ctx, a, cmp.Or(place, first), &page)
		return page.Messages, page.Next, err
	})
	if err != nil {
		return nil, err
	}
	found := list.Sorted()
	all := make([]adapter.Fetched, len(found))
	for i, m := range found {
		all[i] = m.webhook(a.ProviderAccount)
	}
	return all, nil
}

// webhook returns what Twilio would have sent of a message: the message, or how far ours got.
func (m resource) webhook(account string) adapter.Fetched {
	form := url.Values{}
	set := func(value string, names ...string) {
		for _, name := range names {
			if value != "" {
				form.Set(name, value)
			}
		}
	}
	set(account, "AccountSid")
	set("2010-04-01", "ApiVersion")
	set(m.Sid, "MessageSid", "SmsSid")
	set(m.From, "From")
	set(m.To, "To")
	set(m.Service, "MessagingServiceSid")
	if m.Direction != "inbound" {
		set(m.Status, "MessageStatus", "SmsStatus")
		set(m.Error.String(), "ErrorCode")
		return adapter.Fetched{Kind: Status, Body: []byte(form.Encode()), At: cmp.Or(m.Updated.UTC(), m.at())}
	}
	set(m.Sid, "SmsMessageSid")
	set("received", "SmsStatus")
	form.Set("Body", m.Body)
	form.Set("NumMedia", cmp.Or(m.NumMedia, "0"))
	set(m.Segments, "NumSegments")
	return adapter.Fetched{Kind: Messages, Body: []byte(form.Encode()), At: m.at(), Part: form.Get("NumMedia") != "0"}
}

// Fill implements adapter.Filler: it adds the files of a message.
func (f *Fetcher) Fill(ctx context.Context, a tenant.Account, w adapter.Fetched) (adapter.Fetched, error) {
	form, err := url.ParseQuery(string(w.Body))
	if err != nil {
		return w, fault.New(fault.Permanent, adapter.CodeUnread, nil)
	}
	next := root + url.PathEscape(a.ProviderAccount) + "/Messages/" + url.PathEscape(form.Get("MessageSid")) + "/Media.json"
	n := 0
	for pages := 0; next != "" && n < maxMedia; pages++ {
		if pages == maxPages {
			return w, fault.New(fault.Retryable, adapter.CodeEndless, nil)
		}
		var page struct {
			List []struct {
				Type string `json:"content_type"`
				URI  string `json:"uri"`
			} `json:"media_list"`
			Next string `json:"next_page_uri"`
		}
		if err := f.get(ctx, a, next, &page); err != nil {
			return w, err
		}
		for _, file := range page.List[:min(len(page.List), maxMedia-n)] {
			form.Set("MediaUrl"+strconv.Itoa(n), a.APIURL+strings.TrimSuffix(file.URI, ".json"))
			form.Set("MediaContentType"+strconv.Itoa(n), file.Type)
			n++
		}
		next = page.Next
	}
	w.Body, w.Part = []byte(form.Encode()), false
	return w, nil
}

// get reads what is at a place of the account's.
func (f *Fetcher) get(ctx context.Context, a tenant.Account, place string, into any) error {
	if !strings.HasPrefix(place, root+a.ProviderAccount+"/") {
		return fault.New(fault.Retryable, adapter.CodeUnread, nil)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.APIURL+place, nil)
	if err != nil {
		return fault.New(fault.Blocked, adapter.CodeRefused, nil)
	}
	r.SetBasicAuth(a.ProviderAccount, string(a.APIToken))
	return adapter.Ask(f.client, r, into)
}
