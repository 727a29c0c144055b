package twilio

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
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

// The codes of answers that are of no use.
const (
	CodeUnanswered = "twilio_unanswered" // no answer, or a 5xx
	CodeThrottled  = "twilio_throttled"  // 429
	CodeRefused    = "twilio_refused"    // the credentials, or what they may do
	CodeUnread     = "twilio_answer_bad" // it is not what is described
	CodeEndless    = "twilio_endless"    // there are more pages, or more is on them, than there can be
	maxAnswer      = 32 << 20            // of bytes: a page of a thousand messages of 1,600 characters is a tenth
	maxPages       = 200                 // of one list: a day's, where the filter looks at the day alone
	maxFound       = 50_000              // of one span, which is a second where it holds many
	pageSize       = "1000"              // the most there is
	root           = "/2010-04-01/Accounts/"
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
func (m *resource) at() time.Time {
	if m.Sent.IsZero() {
		return m.Created.UTC()
	}
	return m.Sent.UTC()
}

// Fetch implements adapter.Fetcher. The list is newest first, page after page. It is filtered by the time at which messages were sent, once more
// here, for the documentation promises the day alone.
func (f *Fetcher) Fetch(ctx context.Context, a tenant.Account, s adapter.Span, most int) ([]adapter.Fetched, error) {
	query := url.Values{"PageSize": {pageSize}, "DateSent>": {s.From.UTC().Format(time.RFC3339)}, "DateSent<": {s.To.UTC().Format(time.RFC3339)}}
	var found []resource
	next := root + url.PathEscape(a.ProviderAccount) + "/Messages.json?" + query.Encode()
	for pages := 0; next != ""; pages++ {
		if pages == maxPages || len(found) > maxFound {
			return nil, fault.New(fault.Retryable, CodeEndless, nil)
		}
		var page struct {
			Messages []resource `json:"messages"`
			Next     string     `json:"next_page_uri"`
		}
		if err := f.get(ctx, a, next, &page); err != nil {
			return nil, err
		}
		for _, m := range page.Messages {
			if at := m.at(); !at.Before(s.From) && at.Before(s.To) {
				found = append(found, m)
			}
		}
		if most > 0 && len(found) > most {
			return nil, adapter.ErrMuch
		}
		next = page.Next
	}
	slices.Reverse(found) // of one second the first that came stays the first
	slices.SortStableFunc(found, func(x, y resource) int { return x.at().Compare(y.at()) })
	all := make([]adapter.Fetched, len(found))
	for i, m := range found {
		all[i] = m.webhook(a.ProviderAccount)
	}
	return all, nil
}

// webhook returns what Twilio would have sent of a message: the message, or how far ours got.
func (m *resource) webhook(account string) adapter.Fetched {
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

// Fill implements adapter.Fetcher: it adds the files of a message.
func (f *Fetcher) Fill(ctx context.Context, a tenant.Account, w adapter.Fetched) (adapter.Fetched, error) {
	form, err := url.ParseQuery(string(w.Body))
	if err != nil {
		return w, fault.New(fault.Permanent, CodeUnread, nil)
	}
	next := root + url.PathEscape(a.ProviderAccount) + "/Messages/" + url.PathEscape(form.Get("MessageSid")) + "/Media.json"
	n := 0
	for pages := 0; next != "" && n < maxMedia; pages++ {
		if pages == maxPages {
			return w, fault.New(fault.Retryable, CodeEndless, nil)
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
		return fault.New(fault.Retryable, CodeUnread, nil)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.APIURL+place, nil)
	if err != nil {
		return fault.New(fault.Blocked, CodeRefused, nil)
	}
	r.SetBasicAuth(a.ProviderAccount, string(a.APIToken))
	answer, err := f.client.Do(r)
	if err != nil {
		return fault.New(fault.Retryable, CodeUnanswered, nil) // its words have the address
	}
	defer func() { _ = answer.Body.Close() }()
	switch status := answer.StatusCode; {
	case status == http.StatusTooManyRequests:
		return fault.New(fault.Throttled, CodeThrottled, nil)
	case status >= http.StatusInternalServerError:
		return fault.New(fault.Retryable, CodeUnanswered, nil)
	case status != http.StatusOK:
		return fault.New(fault.Blocked, CodeRefused, nil)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(into); err != nil {
		return fault.New(fault.Retryable, CodeUnread, nil)
	}
	return nil
}
