package canonical

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"signalbox/shared/fault"
)

// Encode fills what has a default and writes the event: the same bytes for equal events, members in the order of Event,
// times in UTC to the millisecond. An invalid event is refused with the fault CodeInvalid around a *ValidationError. Bytes
// that are no UTF-8 become U+FFFD.
func Encode(e Event) ([]byte, error) {
	e = e.WithDefaults()
	if err := e.Validate(); err != nil {
		return nil, fault.New(fault.Permanent, CodeInvalid, err)
	}
	data := write(&e)
	if len(data) > MaxSize {
		return nil, fault.New(fault.Permanent, CodeInvalid, errTooLarge)
	}
	return data, nil
}

// MarshalJSON writes the event as it is, as part of another document: nothing is filled and nothing is checked.
func (e Event) MarshalJSON() ([]byte, error) { return write(&e), nil }

// Append appends what MarshalJSON answers.
func (e *Event) Append(to []byte) []byte {
	w := writer{slices.Grow(to, e.room())}
	w.event(e)
	return w.b
}

// writer appends JSON. A method named after a kind of value writes a member, and omits one that is empty.
type writer struct{ b []byte }

func write(e *Event) []byte { return e.Append(nil) }

// room returns how long the event's JSON is likely to be.
func (e *Event) room() int {
	size := 1024
	if e.Message != nil {
		size += len(e.Message.Text) + len(e.Message.Summary) + 256*len(e.Message.Attachments)
	}
	for name, value := range e.Metadata {
		size += len(name) + len(value) + 4
	}
	return size
}

func (w *writer) event(e *Event) {
	w.b = append(w.b, '{')
	w.must("eventId", string(e.EventID))
	w.name("schemaVersion")
	w.b = strconv.AppendInt(w.b, int64(e.SchemaVersion), 10)
	w.text("tenantId", e.TenantID)
	w.text("accountId", e.AccountID)
	w.text("lineId", e.LineID)
	w.text("threadId", string(e.ThreadID))
	w.text("type", string(e.Type))
	w.must("channel", string(e.Channel))
	w.must("direction", string(e.Direction))
	w.must("conversationId", e.ConversationID)
	w.text("provider", e.Provider)
	w.text("providerMessageId", e.ProviderMessageID)
	w.name("sender")
	w.participant(e.Sender)
	w.name("recipient")
	w.participant(e.Recipient)
	each(w, "participants", e.Participants, w.participant)
	w.parts(e)
	w.instant("timestamp", e.Timestamp)
	w.instant("receivedAt", e.ReceivedAt)
	w.context(e)
	w.close()
}

// context writes what says more about the event than what happened.
func (w *writer) context(e *Event) {
	if e.Flags != (Flags{}) {
		w.open("flags")
		w.flag("historical", e.Flags.Historical)
		w.flag("replayed", e.Flags.Replayed)
		w.flag("autoReply", e.Flags.AutoReply)
		w.flag("timeEstimated", e.Flags.TimeEstimated)
		w.close()
	}
	if e.Trace != (Trace{}) {
		w.open("trace")
		w.text("traceparent", e.Trace.Traceparent)
		w.text("causationId", e.Trace.CausationID)
		w.close()
	}
	if e.Metadata != nil {
		w.open("metadata")
		for _, name := range slices.Sorted(maps.Keys(e.Metadata)) {
			w.name(name)
			w.raw(e.Metadata[name])
		}
		w.close()
	}
}

func (w *writer) parts(e *Event) {
	if a := e.Actor; a != nil {
		w.open("actor")
		w.must("kind", a.Kind)
		w.text("via", a.Via)
		w.close()
	}
	if r := e.RelatesTo; r != nil {
		w.open("relatesTo")
		w.must("kind", r.Kind)
		w.text("providerMessageId", r.ProviderMessageID)
		w.text("sender", r.Sender)
		w.close()
	}
	if e.Message != nil {
		w.message(e.Message)
	}
	if r := e.Reaction; r != nil {
		w.open("reaction")
		w.must("emoji", r.Emoji)
		w.flag("removed", r.Removed)
		w.close()
	}
	if r := e.Receipt; r != nil {
		w.open("receipt")
		w.must("state", r.State)
		w.instant("at", r.At)
		w.text("error", r.Error)
		w.close()
	}
	if c := e.Consent; c != nil {
		w.open("consent")
		w.text("keyword", c.Keyword)
		w.text("state", c.State)
		w.text("source", c.Source)
		w.close()
	}
	if a := e.Attribution; a != nil {
		w.open("attribution")
		w.text("sourceType", a.SourceType)
		w.text("sourceId", a.SourceID)
		w.text("sourceUrl", a.SourceURL)
		w.text("headline", a.Headline)
		w.text("body", a.Body)
		w.text("clickId", a.ClickID)
		w.close()
	}
}

func (w *writer) participant(p Participant) {
	w.b = append(w.b, '{')
	w.text("id", p.ID)
	w.text("phone", p.Phone)
	w.text("hashedEmail", p.HashedEmail)
	w.text("displayName", p.DisplayName)
	w.text("channelAddress", p.ChannelAddress)
	w.close()
}

func (w *writer) message(m *Message) {
	w.open("message")
	w.text("text", m.Text)
	w.text("summary", m.Summary)
	w.text("contentType", m.ContentType)
	each(w, "attachments", m.Attachments, w.attachment)
	each(w, "suggestions", m.Suggestions, w.suggestion)
	if p := m.Postback; p != nil {
		w.open("postback")
		w.text("text", p.Text)
		w.text("payload", p.Payload)
		w.close()
	}
	if t := m.Template; t != nil {
		w.open("template")
		w.must("id", t.ID)
		if t.Variables != nil {
			w.open("variables")
			for _, name := range slices.Sorted(maps.Keys(t.Variables)) {
				w.must(name, t.Variables[name])
			}
			w.close()
		}
		w.close()
	}
	if l := m.Location; l != nil {
		w.open("location")
		w.number("latitude", l.Latitude)
		w.number("longitude", l.Longitude)
		w.text("label", l.Label)
		w.text("address", l.Address)
		w.close()
	}
	w.close()
}

func (w *writer) attachment(a Attachment) {
	w.b = append(w.b, '{')
	w.must("url", a.URL)
	w.text("contentType", a.ContentType)
	w.text("name", a.Name)
	if a.Size != 0 {
		w.name("size")
		w.b = strconv.AppendInt(w.b, a.Size, 10)
	}
	w.close()
}

func (w *writer) suggestion(s Suggestion) {
	w.b = append(w.b, '{')
	w.must("text", s.Text)
	w.text("postback", s.Postback)
	w.close()
}

// each writes an array that is not nil.
func each[T any](w *writer, name string, values []T, write func(T)) {
	if values == nil {
		return
	}
	w.name(name)
	w.b = append(w.b, '[')
	for i, v := range values {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		write(v)
	}
	w.b = append(w.b, ']')
}

func (w *writer) name(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.quote(name)
	w.b = append(w.b, ':')
}

func (w *writer) open(name string) {
	w.name(name)
	w.b = append(w.b, '{')
}

func (w *writer) close() { w.b = append(w.b, '}') }

// must writes a string also when it is empty.
func (w *writer) must(name, value string) {
	w.name(name)
	w.quote(value)
}

func (w *writer) text(name, value string) {
	if value != "" {
		w.must(name, value)
	}
}

func (w *writer) flag(name string, value bool) {
	if value {
		w.name(name)
		w.b = append(w.b, "true"...)
	}
}

// number writes null for what JSON has no number for; Validate refuses it before.
func (w *writer) number(name string, value float64) {
	w.name(name)
	if math.IsNaN(value) || math.IsInf(value, 0) {
		w.b = append(w.b, "null"...)
		return
	}
	w.b = strconv.AppendFloat(w.b, value, 'g', -1, 64)
}

func (w *writer) instant(name string, t time.Time) {
	if t.IsZero() {
		return
	}
	w.name(name)
	w.b = append(w.b, '"')
	w.b = t.UTC().AppendFormat(w.b, instantLayout)
	w.b = append(w.b, '"')
}

// raw writes a value without white space; an empty one is null.
func (w *writer) raw(value json.RawMessage) {
	if len(value) == 0 {
		w.b = append(w.b, "null"...)
		return
	}
	if !bytes.ContainsAny(value, " \t\n\r") {
		w.b = append(w.b, value...)
		return
	}
	quoted, escaped := false, false
	for _, c := range value {
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = quoted
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			continue
		}
		w.b = append(w.b, c)
	}
}

// quote writes a string.
func (w *writer) quote(s string) { w.b = AppendString(w.b, s) }

// AppendString appends s as a JSON string. Only what must be escaped is: the result goes into queues and records, never into
// HTML. Bytes that are no UTF-8 become U+FFFD.
func AppendString(to []byte, s string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			if c >= ' ' && c != '"' && c != '\\' {
				continue
			}
			to = append(to, s[start:i-1]...)
			start = i
			switch c {
			case '"', '\\':
				to = append(to, '\\', c)
			case '\n':
				to = append(to, '\\', 'n')
			default:
				to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			to = append(to, s[start:i]...)
			to = utf8.AppendRune(to, r)
			start = i + 1
		}
		i += size
	}
	to = append(to, s[start:]...)
	return append(to, '"')
}
