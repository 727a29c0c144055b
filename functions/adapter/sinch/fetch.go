package sinch

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/tenant"
)

// Fetcher asks Sinch for what people wrote to an app. How far messages of ours got its list does not tell.
// See https://developers.sinch.com/docs/conversation/api-reference/conversation/messages/messages_listmessages.
type Fetcher struct{ client *http.Client }

// NewFetcher returns a Fetcher that calls with client, which follows no redirect.
func NewFetcher(client *http.Client) *Fetcher { return &Fetcher{client} }

var _ adapter.Fetcher = (*Fetcher)(nil)

const pageSize = "1000" // the most there is

// Fetch implements adapter.Fetcher. There is a list for each mode of processing that an app may have had.
func (f *Fetcher) Fetch(ctx context.Context, a tenant.Account, s adapter.Span, most int) ([]adapter.Fetched, error) {
	list := adapter.List[adapter.Fetched]{Span: s, Most: most, At: func(one adapter.Fetched) time.Time { return one.At }, Newest: true}
	for _, source := range []string{"CONVERSATION_SOURCE", "DISPATCH_SOURCE"} {
		query := url.Values{
			"app_id": {a.ProviderAccount}, "messages_source": {source}, "page_size": {pageSize},
			"start_time": {s.From.Add(-time.Second).UTC().Format(time.RFC3339)}, // after it, by the documentation
			"end_time":   {s.To.UTC().Format(time.RFC3339)},
		}
		err := list.Read(func(place string) ([]adapter.Fetched, string, error) {
			if place != "" {
				query.Set("page_token", place)
			}
			return f.page(ctx, a, query)
		})
		if err != nil {
			return nil, err
		}
	}
	return list.Sorted(), nil
}

// page returns what is on a page, as the webhooks that Sinch would have sent, and where the next is. An account's API token is the project, the id of
// an access key and its secret, with colons between.
func (f *Fetcher) page(ctx context.Context, a tenant.Account, query url.Values) (all []adapter.Fetched, next string, err error) {
	project, key, _ := strings.Cut(string(a.APIToken), ":")
	id, secret, ok := strings.Cut(key, ":")
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.APIURL+"/v1/projects/"+url.PathEscape(project)+"/messages?"+query.Encode(), nil)
	if err != nil || !ok {
		return nil, "", fault.New(fault.Blocked, adapter.CodeRefused, nil)
	}
	r.SetBasicAuth(id, secret)
	var page struct {
		Messages []json.RawMessage `json:"messages"`
		Next     string            `json:"next_page_token"`
	}
	if err := adapter.Ask(f.client, r, &page); err != nil {
		return nil, "", err
	}
	for _, raw := range page.Messages {
		m, err := jsontext.Parse(raw, maxDepth)
		if err != nil || m.TextAt("direction") != "TO_APP" {
			continue
		}
		accepted := m.TextAt("accept_time")
		body, _ := json.Marshal(map[string]any{ // texts, and what was decoded, always encode
			"app_id": a.ProviderAccount, "project_id": project, "accepted_time": accepted, "event_time": accepted, "message": raw,
		})
		all = append(all, adapter.Fetched{Kind: Events, Body: body, At: adapter.Time(accepted)})
	}
	return all, page.Next, nil
}
