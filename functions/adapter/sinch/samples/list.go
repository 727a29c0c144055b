package samples

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/dev/samples"
)

var _ samples.Lister = Channel{}

// The credentials of the API.
const (
	project = "c36f3d3d-1513-4edd-ae42-000000000de0"
	keyID   = "local-use-only-sinch-key"
	keyWord = "local-use-only-sinch-key-secret"
)

// Lists implements samples.Lister.
func (Channel) Lists(account string, said []samples.Said) (api http.Handler, token string) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/projects/{project}/messages", func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case user != keyID || password != keyWord:
			problem(w, http.StatusUnauthorized, "UNAUTHENTICATED")
		case r.PathValue("project") != project:
			problem(w, http.StatusNotFound, "NOT_FOUND")
		default:
			list(w, r, account, said)
		}
	})
	return mux, project + ":" + keyID + ":" + keyWord
}

// problem writes an error as all of Sinch's APIs do.
func problem(w http.ResponseWriter, status int, word string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": status, "message": http.StatusText(status), "status": word, "details": []any{}}})
}

// list writes a page of messages, the newest first, by the description of GET /v1/projects/{project_id}/messages.
func list(w http.ResponseWriter, r *http.Request, account string, said []samples.Said) {
	query := r.URL.Query()
	from, err1 := time.Parse(time.RFC3339, query.Get("start_time"))
	to, err2 := time.Parse(time.RFC3339, query.Get("end_time"))
	size, err3 := strconv.Atoi(query.Get("page_size"))
	if err1 != nil || err2 != nil || err3 != nil || size > 1000 {
		problem(w, http.StatusBadRequest, "INVALID_ARGUMENT")
		return
	}
	found := slices.DeleteFunc(slices.Clone(said), func(m samples.Said) bool {
		return query.Get("messages_source") == "DISPATCH_SOURCE" || query.Get("app_id") != account || !m.At.After(from) || !m.At.Before(to)
	})
	slices.SortStableFunc(found, func(x, y samples.Said) int { return y.At.Compare(x.At) })
	start, _ := strconv.Atoi(query.Get("page_token"))
	start = min(start, len(found))
	end, next := min(start+min(size, 2), len(found)), ""
	if end < len(found) {
		next = strconv.Itoa(end)
	}
	rows := []map[string]any{}
	for _, m := range found[start:end] {
		rows = append(rows, map[string]any{
			"id": m.ID, "direction": "TO_APP", "accept_time": m.At.Format(time.RFC3339Nano), "processing_mode": "CONVERSATION", "injected": false, "metadata": "",
			"conversation_id": "01HDEMOCONV000000000000001", "contact_id": "01HDEMOCONT000000000000001", "sender_id": strings.TrimPrefix(m.To, "+"),
			"channel_identity": map[string]any{"channel": "SMS", "identity": strings.TrimPrefix(m.From, "+"), "app_id": ""},
			"contact_message":  map[string]any{"text_message": map[string]any{"text": m.Text}},
		})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"messages": rows, "next_page_token": next})
}
