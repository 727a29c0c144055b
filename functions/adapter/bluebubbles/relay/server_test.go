package relay

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing/iotest"
	"time"
)

// password is the fake server's: it must be seen nowhere.
const password = "s3rver-passw0rd&"

// mac is an agent's Mac: a BlueBubbles server in memory, of the shape of the server's source (its routers, serialisers and errors), and the messages
// that its user has. It is an http.RoundTripper, so that no time passes in a call.
type mac struct {
	mu       sync.Mutex
	messages []map[string]any // what queries return, with everything that there is
	chats    map[string]map[string]any
	asked    []string // paths
	down     bool
	cut      bool   // files break off at their end
	length   string // of a file, that the answer says
	broken   string // a path that fails
}

func newMac() *mac { return &mac{chats: map[string]map[string]any{}} }

// RoundTrip implements http.RoundTripper.
func (m *mac) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: errRefused}
	}
	m.asked = append(m.asked, r.URL.Path)
	w := httptest.NewRecorder()
	m.serve(w, r)
	answer := w.Result()
	if m.cut {
		answer.Body = io.NopCloser(io.MultiReader(answer.Body, iotest.ErrReader(io.ErrUnexpectedEOF)))
	}
	return answer, nil
}

// paths returns what was asked for.
func (m *mac) paths() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.asked)
}

type refusedError struct{}

func (refusedError) Error() string { return "connection refused" }

var errRefused = refusedError{}

func envelope(w http.ResponseWriter, status int, message string, members map[string]any) {
	members = maps.Clone(members)
	if members == nil {
		members = map[string]any{}
	}
	members["status"], members["message"] = status, message
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(members)
}

func refuse(w http.ResponseWriter, status int, kind, text string) {
	envelope(w, status, text, map[string]any{"error": map[string]any{"type": kind, "message": text}})
}

func (m *mac) serve(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if given := cmp.Or(query.Get("guid"), query.Get("password"), query.Get("token")); given != password {
		refuse(w, http.StatusUnauthorized, "Authentication Error", "Unauthorized")
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/api/v1/")
	if m.broken != "" && strings.HasPrefix(path, m.broken) {
		refuse(w, http.StatusInternalServerError, "Server Error", "SQLITE_BUSY")
		return
	}
	parts := strings.Split(path, "/")
	switch {
	case ok && path == "message/query" && r.Method == http.MethodPost:
		m.query(w, r)
	case ok && len(parts) == 2 && parts[0] == "message" && r.Method == http.MethodGet:
		at := slices.IndexFunc(m.messages, func(one map[string]any) bool { return one["guid"] == parts[1] })
		if at < 0 {
			refuse(w, http.StatusNotFound, "Database Error", "Message does not exist!")
			return
		}
		one := maps.Clone(m.messages[at])
		if !strings.Contains(query.Get("with"), "chats") {
			one["chats"] = []any{}
		}
		envelope(w, http.StatusOK, "Success", map[string]any{"data": one})
	case ok && len(parts) == 2 && parts[0] == "chat" && r.Method == http.MethodGet:
		chat, held := m.chats[parts[1]]
		if !held {
			refuse(w, http.StatusNotFound, "Database Error", "Chat does not exist!")
			return
		}
		chat = maps.Clone(chat)
		if query.Get("with") != "participants" {
			chat["participants"] = []any{}
		}
		envelope(w, http.StatusOK, "Success", map[string]any{"data": chat})
	case ok && len(parts) == 3 && parts[0] == "attachment" && parts[2] == "download":
		w.Header().Set("Content-Type", "image/jpeg")
		if m.length != "" {
			w.Header().Set("Content-Length", m.length)
		}
		_, _ = w.Write([]byte("the picture " + parts[1]))
	default:
		refuse(w, http.StatusNotFound, "Server Error", "Not Found")
	}
}

// query does what the validator and the router of the server do: after is part of the answer, and participants are none of a chat here.
func (m *mac) query(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		After         int64
		Sort          string
		Limit, Offset int
		With          []string
	}
	if json.NewDecoder(r.Body).Decode(&asked) != nil || asked.Limit > 1000 || asked.Sort != "ASC" && asked.Sort != "DESC" {
		refuse(w, http.StatusBadRequest, "Validation Error", "Bad Request")
		return
	}
	var found []map[string]any
	for _, one := range m.messages {
		if one["dateCreated"].(int64) >= asked.After {
			one = maps.Clone(one)
			if !slices.Contains(asked.With, "attachments") {
				one["attachments"] = []any{}
			}
			if !slices.Contains(asked.With, "chats") {
				delete(one, "chats")
			}
			found = append(found, one)
		}
	}
	slices.SortStableFunc(found, func(a, b map[string]any) int {
		order := cmp.Compare(a["dateCreated"].(int64), b["dateCreated"].(int64))
		if asked.Sort == "DESC" {
			return -order
		}
		return order
	})
	total := len(found)
	found = found[min(asked.Offset, total):min(asked.Offset+asked.Limit, total)]
	envelope(w, http.StatusOK, "Successfully fetched messages!", map[string]any{
		"data": found, "metadata": map[string]any{"offset": asked.Offset, "limit": asked.Limit, "total": total, "count": len(found)},
	})
}

// written adds a message to the Mac.
func (m *mac) written(guid, chat, text string, change ...func(map[string]any)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	address := chat[strings.LastIndex(chat, ";")+1:]
	one := map[string]any{
		"originalROWID": 8000 + len(m.messages), "guid": guid, "text": text, "attributedBody": nil,
		"handle": map[string]any{"originalROWID": 12, "address": address, "service": "iMessage", "country": "us"}, "handleId": 12, "otherHandle": 0,
		"attachments": []any{}, "subject": nil, "error": 0, "dateCreated": time.Now().UnixMilli(), "dateRead": nil, "dateDelivered": nil,
		"isDelivered": true, "isFromMe": false, "hasDdResults": false, "isArchived": false, "itemType": 0, "groupTitle": nil, "groupActionType": 0,
		"balloonBundleId": nil, "associatedMessageGuid": nil, "associatedMessageType": nil, "expressiveSendStyleId": nil, "threadOriginatorGuid": nil,
		"hasPayloadData": false, "country": nil, "isAutoReply": false, "cacheRoomnames": nil, "messageSummaryInfo": nil, "payloadData": nil,
		"dateEdited": nil, "dateRetracted": nil, "partCount": 1,
		"chats": []any{m.chat(chat)},
	}
	for _, f := range change {
		f(one)
	}
	m.messages = append(m.messages, one)
}

// chat returns a chat as the server writes it beside a message.
func (m *mac) chat(guid string) map[string]any {
	style := 45
	if strings.Contains(guid, ";+;") {
		style = 43
	}
	return map[string]any{
		"originalROWID": 7, "guid": guid, "style": style, "chatIdentifier": guid[strings.LastIndex(guid, ";")+1:], "isArchived": false, "displayName": "",
	}
}

// changed changes a message.
func (m *mac) changed(guid string, change func(map[string]any)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range m.messages {
		if one["guid"] == guid {
			change(one)
		}
	}
}

// group makes a chat of several.
func (m *mac) group(guid string, participants ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	chat := m.chat(guid)
	var all []any
	for i, address := range participants {
		all = append(all, map[string]any{"originalROWID": 40 + i, "address": address, "service": "iMessage"})
	}
	chat["participants"] = all
	m.chats[guid] = chat
}

// posts returns what the server posts of a message: without what only queries have, and of an update without chats.
func (m *mac) posts(kind, guid string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range m.messages {
		if one["guid"] != guid {
			continue
		}
		data := maps.Clone(one)
		for _, name := range []string{"country", "isAutoReply", "cacheRoomnames"} {
			delete(data, name)
		}
		if kind == "updated-message" {
			delete(data, "chats")
		}
		body, _ := json.Marshal(map[string]any{"type": kind, "data": data})
		return body
	}
	return nil
}
