package bird

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

// Fetcher asks Bird for the messages of each channel of a workspace: those that came, and how far those got that were sent.
// See https://docs.bird.com/api/channels-api/api-reference/messaging and
// https://docs.bird.com/api/channels-api/api-reference/channels-management.
type Fetcher struct{ client *http.Client }

// NewFetcher returns a Fetcher that calls with client, which follows no redirect.
func NewFetcher(client *http.Client) *Fetcher { return &Fetcher{client} }

var _ adapter.Fetcher = (*Fetcher)(nil)

const pageSize = "100" // the most that is documented of any of its lists

// Fetch implements adapter.Fetcher.
func (f *Fetcher) Fetch(ctx context.Context, a tenant.Account, s adapter.Span, most int) ([]adapter.Fetched, error) {
	platforms := map[string]string{} // by the ids of channels
	var channels adapter.List[jsontext.Value]
	if err := channels.Read(f.pages(ctx, a, "/channels", url.Values{})); err != nil {
		return nil, err
	}
	list := adapter.List[jsontext.Value]{Span: s, Most: most, At: saidAt, Newest: true}
	for _, c := range channels.Sorted() {
		id := c.TextAt("id")
		platforms[id] = strings.TrimSuffix(c.TextAt("platformId"), "-messagebird") // events have what stands before that
		within := url.Values{"startAt": {s.From.UTC().Format(time.RFC3339)}, "endAt": {s.To.UTC().Format(time.RFC3339)}}
		if err := list.Read(f.pages(ctx, a, "/channels/"+url.PathEscape(id)+"/messages", within)); err != nil {
			return nil, err
		}
	}
	var all []adapter.Fetched
	for _, m := range list.Sorted() {
		event, at := ".inbound", saidAt(m)
		if m.TextAt("direction") == "outgoing" {
			event = ".outbound"
		}
		body, _ := json.Marshal(map[string]any{ // texts, and what was decoded, always encode
			"service": "channels", "event": platforms[m.TextAt("channelId")] + event, "payload": json.RawMessage(m),
		})
		all = append(all, adapter.Fetched{Kind: Messages, Body: body, At: at})
	}
	return all, nil
}

func saidAt(m jsontext.Value) time.Time { return adapter.Time(m.TextAt("createdAt")) }

// pages returns what reads a list of the workspace.
func (f *Fetcher) pages(ctx context.Context, a tenant.Account, list string, query url.Values) func(string) ([]jsontext.Value, string, error) {
	query.Set("limit", pageSize)
	return func(place string) (all []jsontext.Value, next string, err error) {
		if place != "" {
			query.Set("pageToken", place)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.APIURL+"/workspaces/"+url.PathEscape(a.ProviderAccount)+list+"?"+query.Encode(), nil)
		if err != nil {
			return nil, "", fault.New(fault.Blocked, adapter.CodeRefused, nil)
		}
		r.Header.Set("Authorization", "AccessKey "+string(a.APIToken))
		var page struct {
			Results []json.RawMessage `json:"results"`
			Next    string            `json:"nextPageToken"`
		}
		if err := adapter.Ask(f.client, r, &page); err != nil {
			return nil, "", err
		}
		for _, raw := range page.Results {
			if v, err := jsontext.Parse(raw, maxDepth); err == nil {
				all = append(all, v)
			}
		}
		return all, page.Next, nil
	}
}
