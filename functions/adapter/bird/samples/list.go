package samples

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"signalbox/shared/dev/samples"
)

var _ samples.Lister = Channel{}

// accessKey is what the API takes.
const accessKey = "local-use-only-bird-access-key"

// Lists implements samples.Lister: a workspace with a channel for each of our sides, and another that nothing came to.
func (c Channel) Lists(_ string, said []samples.Said) (api http.Handler, token string) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /workspaces/{workspace}/channels", func(w http.ResponseWriter, r *http.Request) {
		channels := []any{channel("8f0c1d2e-0002-4000-8000-0000000000ff", "email-messagebird")}
		for _, id := range sides(said) {
			channels = append(channels, channel(id, "sms-messagebird"))
		}
		page(w, r, channels)
	})
	mux.HandleFunc("GET /workspaces/{workspace}/channels/{channel}/messages", func(w http.ResponseWriter, r *http.Request) {
		from, err1 := time.Parse(time.RFC3339, r.URL.Query().Get("startAt"))
		to, err2 := time.Parse(time.RFC3339, r.URL.Query().Get("endAt"))
		if err1 != nil || err2 != nil {
			problem(w, http.StatusUnprocessableEntity, "InvalidPayload")
			return
		}
		found := slices.DeleteFunc(slices.Clone(said), func(m samples.Said) bool {
			return m.To != r.PathValue("channel") || m.At.Before(from) || m.At.After(to)
		})
		slices.SortStableFunc(found, func(x, y samples.Said) int { return y.At.Compare(x.At) })
		var messages []any
		for _, m := range found {
			s, _ := c.New(samples.Load{Kind: samples.Message, Number: m.ID, Person: m.From, Line: m.To, Text: m.Text, Sent: m.At})
			var webhook struct {
				Payload json.RawMessage `json:"payload"` // a message is the same document in a list
			}
			_ = json.Unmarshal(s.JSON, &webhook)
			messages = append(messages, webhook.Payload)
		}
		page(w, r, messages)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "AccessKey "+accessKey {
			problem(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		mux.ServeHTTP(w, r)
	}), accessKey
}

// sides returns the channels that something was said to.
func sides(said []samples.Said) (ids []string) {
	for _, m := range said {
		ids = append(ids, m.To)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func channel(id, platform string) map[string]any {
	return map[string]any{"id": id, "platformId": platform, "name": platform, "connectorId": "8f0c1d2e-0004-4000-8000-000000000001", "identifier": "", "status": "active"}
}

// problem writes an error as the API does.
func problem(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": http.StatusText(status)})
}

// page writes two of all from where a token says.
func page(w http.ResponseWriter, r *http.Request, all []any) {
	start, _ := strconv.Atoi(r.URL.Query().Get("pageToken"))
	start = min(start, len(all))
	end, next := min(start+2, len(all)), ""
	if end < len(all) {
		next = strconv.Itoa(end)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"results": append([]any{}, all[start:end]...), "nextPageToken": next})
}
