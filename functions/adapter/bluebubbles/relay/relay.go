// Package relay runs on an agent's Mac beside a BlueBubbles server. It forwards what the server tells of messages with people who are named in its
// configuration, and of nobody else: neither what they write nor that they do leaves the Mac. What it forwards it signs, keeps on the disk until
// it is accepted, and sends in its order. What the server did not tell, or told while the relay was not there, it asks the server for.
package relay

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"signalbox/functions/adapter/bluebubbles/imessage"
	"signalbox/shared/jsontext"
)

// maxWebhook is the largest webhook in bytes that is read: what the endpoint takes.
const maxWebhook = 4_500_000

// Relay forwards the messages of one Mac. Make one with New.
type Relay struct {
	config  Config
	server  server
	http    *http.Client
	log     *slog.Logger
	journal *journal
	taking  sync.Mutex                   // of two webhooks about one message the second meets what the first did
	round   map[string][]imessage.Handle // who takes part in the chats that were met in one round of asking; nil between rounds
	unsent  chan struct{}                // something is to be sent
	behind  chan struct{}                // the server has something that it did not tell
}

// New returns a relay. What waits to be sent of people who are allowed no more is given up. Close it at the end.
func New(c Config, transport http.RoundTripper, log *slog.Logger) (*Relay, error) {
	j, err := openJournal(c.Folder)
	if err != nil {
		return nil, err
	}
	client := func(wait time.Duration) *http.Client {
		return &http.Client{Transport: transport, Timeout: wait, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	r := &Relay{
		config: c, journal: j, log: log, http: client(sendWait),
		server: server{strings.TrimRight(c.Server, "/"), c.Password, client(askWait)},
		unsent: make(chan struct{}, 1), behind: make(chan struct{}, 1),
	}
	if j.damaged > 0 {
		log.Error("lines of the journal could not be read, and what they held is asked for again", slog.Int("lines", j.damaged))
	}
	now := time.Now().UnixMilli()
	allow := j.allow.allow(c, now)
	if err = j.permit(allow); err == nil && j.position() == 0 {
		err = j.reached(now)
	}
	for _, e := range j.all() {
		_, document, known := read(e.Body)
		m := imessage.Decode(document)
		if _, may := allow.all(m.Chats); !known || !may {
			err = errors.Join(err, j.done(e.IDs[0]))
		}
	}
	return r, err
}

const (
	sendWait = 30 * time.Second // for the endpoint's answer
	askWait  = time.Minute      // for the server's, which converts pictures meanwhile
)

// Close closes the journal.
func (r *Relay) Close() error { return r.journal.close() }

// Run sends what is to be sent, and asks the server for what it did not tell, until ctx is done.
func (r *Relay) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { r.sendAll(ctx) })
	both.Go(func() { r.askAlways(ctx) })
	both.Wait()
}

// read returns the type and the data of what the server posts, and false for what is no JSON.
func read(body []byte) (kind string, data jsontext.Value, ok bool) {
	document, err := imessage.Parse(body)
	return document.TextAt("type"), document.At("data"), err == nil
}

// ServeHTTP takes the server's webhooks at the secret path. Everything else is answered as if nothing were there.
func (r *Relay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	right := subtle.ConstantTimeCompare([]byte(request.URL.Path), []byte("/"+r.config.Path)) == 1
	if !right || request.Method != http.MethodPost {
		http.NotFound(w, request)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxWebhook))
	if err != nil {
		r.log.WarnContext(request.Context(), "a webhook was not read whole")
		signal(r.behind)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	if err := r.take(request.Context(), body); err != nil { // the server does not send it again, but keeps the message
		r.log.WarnContext(request.Context(), "a webhook is asked for later", slog.Any("error", err))
		signal(r.behind)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// take keeps a webhook to be sent, if it tells of a message that may be forwarded. What it tells beside messages stays on the Mac.
func (r *Relay) take(ctx context.Context, body []byte) error {
	kind, data, ok := read(body)
	if !ok {
		return errors.New("it is no JSON")
	}
	switch kind {
	case imessage.New, imessage.Updated, imessage.Failed:
		return r.consider(ctx, kind, data, body)
	default:
		return nil
	}
}

// consider keeps what is told of a message to be sent, if the message may be forwarded and this was not told before. Body is the webhook as it
// came; nil of what the server was asked for.
func (r *Relay) consider(ctx context.Context, kind string, data jsontext.Value, body []byte) error {
	m := imessage.Decode(data)
	if m.GUID == "" || !m.IsMessage() {
		return nil
	}
	r.taking.Lock()
	defer r.taking.Unlock()
	if raw := r.journal.where(m.GUID); len(m.Chats) == 0 && raw != nil {
		m.Chats, body = imessage.Chats(jsontext.Value(raw)), nil
	}
	if len(r.news(kind, &m)) == 0 {
		return nil
	}
	added, err := r.locate(ctx, &m)
	if err != nil {
		return err
	}
	from, may := r.journal.allow.all(m.Chats)
	e := entry{IDs: r.news(kind, &m), GUID: m.GUID, Created: m.Created}
	if !may || m.Created < from || len(e.IDs) == 0 {
		return nil
	}
	first := name(m.GUID, "")
	if kind == imessage.New && e.IDs[0] != first {
		kind, body = imessage.Updated, nil
	}
	e.Chats, _ = json.Marshal(m.Chats) // texts and numbers always encode
	if e.Body = body; body == nil || added || r.config.Media != "" && len(m.Attachments) > 0 {
		e.Body = r.complete(kind, data, &m)
	}
	if e.IDs[0] != first && !r.journal.tells(m.GUID, first) { // the message itself was not told
		signal(r.behind)
	}
	if err := r.journal.put(e); err != nil {
		return err
	}
	signal(r.unsent)
	return nil
}

// news returns the names of what a webhook of a type tells of a message that was not told before: the message, what has become of it, or both.
func (r *Relay) news(kind string, m *imessage.Message) (ids []string) {
	group := false
	if len(m.Chats) > 0 {
		_, group = m.Chats[0].Of()
	}
	if first := name(m.GUID, ""); kind == imessage.New && !r.journal.tells(m.GUID, first) {
		ids = append(ids, first)
	}
	if _, reacts := m.Tapback(); reacts {
		return ids
	}
	if state := m.State(group); state != "" && !r.journal.tells(m.GUID, name(m.GUID, state)) {
		ids = append(ids, name(m.GUID, state))
	}
	return ids
}

// name returns the webhook-id of what is told of a message: the same whoever tells it, a webhook or the server when it is asked.
func name(guid, state string) string {
	sum := sha256.Sum256([]byte(guid + "\x00" + state))
	return "bb_" + hex.EncodeToString(sum[:16])
}

// locate finds out in which chat a message was written and who takes part, and reports whether it had to ask.
func (r *Relay) locate(ctx context.Context, m *imessage.Message) (asked bool, err error) {
	if len(m.Chats) == 0 {
		if m.Chats, err = r.server.chatsOf(ctx, m.GUID); err != nil {
			return true, err
		}
		asked = true
	}
	for i := range m.Chats {
		c := &m.Chats[i]
		if _, group := c.Of(); !group || len(c.Participants) > 0 {
			continue
		}
		others, held := r.round[c.GUID]
		if !held {
			if others, err = r.server.participants(ctx, c.GUID); err != nil {
				return true, err
			}
			if r.round != nil {
				r.round[c.GUID] = others
			}
		}
		c.Participants, asked = others, true
	}
	return asked, nil
}

// complete returns the webhook with what it does not say: the chat of the message, who takes part, and where its files can be read. All else is
// as the server wrote it.
func (r *Relay) complete(kind string, data jsontext.Value, m *imessage.Message) []byte {
	members := map[string]json.RawMessage{}
	_ = json.Unmarshal([]byte(data), &members) // it was decoded before
	var chats []map[string]json.RawMessage
	_ = json.Unmarshal(members["chats"], &chats)
	for i := range m.Chats {
		if i == len(chats) {
			chats = append(chats, map[string]json.RawMessage{})
			set(chats[i], "guid", m.Chats[i].GUID)
			set(chats[i], "style", m.Chats[i].Style)
			set(chats[i], "chatIdentifier", m.Chats[i].Identifier)
			set(chats[i], "displayName", m.Chats[i].DisplayName)
		}
		if len(m.Chats[i].Participants) > 0 {
			set(chats[i], "participants", m.Chats[i].Participants)
		}
	}
	set(members, "chats", chats)
	var files []map[string]json.RawMessage
	if r.config.Media != "" && json.Unmarshal(members["attachments"], &files) == nil && len(files) == len(m.Attachments) {
		for i := range files {
			if files[i] != nil {
				set(files[i], "url", r.address(m.Attachments[i].GUID, m.Created))
			}
		}
		set(members, "attachments", files)
	}
	whole := map[string]json.RawMessage{}
	set(whole, "type", kind)
	set(whole, "data", members)
	body, _ := json.Marshal(whole)
	return body
}

// set sets a member; what is set always encodes.
func set(members map[string]json.RawMessage, name string, value any) {
	members[name], _ = json.Marshal(value)
}

// signal wakes whoever waits for a channel, now or next.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
