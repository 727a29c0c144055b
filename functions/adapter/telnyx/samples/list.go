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

// apiKey is what the API takes.
const apiKey = "KEYlocal-use-only-telnyx" //nolint:gosec // of nobody

// Lists implements samples.Lister: detail records, and each message by itself.
func (c Channel) Lists(_ string, said []samples.Said) (api http.Handler, token string) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/detail_records", func(w http.ResponseWriter, r *http.Request) { list(w, r, said) })
	mux.HandleFunc("GET /v2/messages/{id}", func(w http.ResponseWriter, r *http.Request) {
		for _, m := range said {
			if m.ID == r.PathValue("id") {
				s, _ := c.New(samples.Load{Kind: samples.Message, Number: m.ID, Person: m.From, Line: m.To, Text: m.Text, Sent: m.At})
				var webhook struct {
					Data struct {
						Payload json.RawMessage `json:"payload"` // what is read is what was sent
					} `json:"data"`
				}
				_ = json.Unmarshal(s.JSON, &webhook)
				_ = json.NewEncoder(w).Encode(map[string]any{"data": webhook.Data.Payload})
				return
			}
		}
		problem(w, http.StatusNotFound, "10005")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+apiKey {
			problem(w, http.StatusUnauthorized, "10009")
			return
		}
		mux.ServeHTTP(w, r)
	}), apiKey
}

// problem writes an error as the API does.
func problem(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{"code": code, "title": http.StatusText(status)}}})
}

// list writes a page of detail records by the description of GET /detail_records.
func list(w http.ResponseWriter, r *http.Request, said []samples.Said) {
	query := r.URL.Query()
	from, err1 := time.Parse(time.RFC3339, query.Get("filter[created_at][gte]"))
	size, err2 := strconv.Atoi(query.Get("page[size]"))
	number, err3 := strconv.Atoi(query.Get("page[number]"))
	if err1 != nil || err2 != nil || err3 != nil || size > 50 || number < 1 || query.Get("filter[record_type]") != "messaging" || query.Get("sort") != "created_at" {
		problem(w, http.StatusUnprocessableEntity, "10015")
		return
	}
	found := slices.DeleteFunc(slices.Clone(said), func(m samples.Said) bool { return m.At.Before(from) })
	slices.SortStableFunc(found, func(x, y samples.Said) int { return x.At.Compare(y.At) })
	size = min(size, 2)
	start := min((number-1)*size, len(found))
	records := []map[string]any{}
	for _, m := range found[start:min(start+size, len(found))] {
		at := m.At.Format(time.RFC3339)
		records = append(records, map[string]any{
			"record_type": "message_detail_record", "uuid": m.ID, "user_id": "3ca7bd3d-7d82-4e07-9df4-009123068320", "created_at": at, "updated_at": at,
			"sent_at": at, "completed_at": at, "carrier": "Acme Wireless", "cld": m.To, "cli": m.From, "country_code": "US", "direction": "inbound",
			"message_type": "SMS", "profile_id": "4000eba1-a0c0-4563-9925-b25e842a7c00", "status": "received", "parts": 1, "cost": "0.004", "currency": "USD",
		})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": records, "meta": map[string]any{
		"page_number": number, "page_size": size, "total_pages": (len(found) + size - 1) / size, "total_results": len(found),
	}})
}
