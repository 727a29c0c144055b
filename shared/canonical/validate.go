package canonical

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"signalbox/shared/jsontext"
)

// The limits of the schema: characters of strings, elements of arrays, members of objects.
const (
	maxText         = 100_000
	maxSummary      = 256
	maxMIME         = 255
	maxLabel        = 1024 // names, labels, addresses
	maxPayload      = 4096 // what a provider or a button's maker chose
	maxURL          = 4096
	maxSize         = 1 << 40
	maxProviderID   = 512
	maxIdentifier   = 256
	maxEmoji        = 64
	maxSource       = 64
	maxParticipants = 1000
	maxAttachments  = 256
	maxSuggestions  = 64
	maxVariables    = 256
	maxMetadata     = 64
)

// Validate returns nil or a *ValidationError with every problem of the event. Its verdict is that of the JSON Schema on the
// event as it is written. What has a default may be missing.
func (e Event) Validate() error {
	r := report{path: make([]step, 0, 8)}
	r.event(&e)
	return r.err()
}

func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return &ValidationError{r.problems}
}

func (r *report) event(e *Event) {
	r.envelope(e)
	r.sides(e)
	if e.Actor != nil {
		r.enter("actor")
		r.oneOf("kind", e.Actor.Kind, true, "customer", "agent", "automation")
		r.free("via", e.Actor.Via, maxIdentifier)
		r.leave()
	}
	if e.RelatesTo != nil {
		r.enter("relatesTo")
		r.oneOf("kind", e.RelatesTo.Kind, true, "reply", "edit", "retract", "reaction", "receipt")
		r.free("providerMessageId", e.RelatesTo.ProviderMessageID, maxProviderID)
		r.free("sender", e.RelatesTo.Sender, maxIdentifier)
		r.leave()
	}
	if e.Message != nil {
		r.enter("message")
		r.message(e.Message)
		r.leave()
	}
	r.rest(e)
	r.instant("timestamp", e.Timestamp, true)
	r.instant("receivedAt", e.ReceivedAt, false)
	r.enter("trace")
	r.form("traceparent", e.Trace.Traceparent, false, isTraceparent, "must be a W3C traceparent")
	r.form("causationId", e.Trace.CausationID, false, isCause, "must be 1 to 128 printable ASCII characters without spaces")
	r.leave()
	r.metadata(e.Metadata)
}

func (r *report) envelope(e *Event) {
	const name = "must be 1 to 128 letters, digits, '_', '.' and '-', beginning with a letter or digit"
	r.form("eventId", string(e.EventID), true, isUUIDv4, "must be a version 4 UUID in lower case")
	if e.SchemaVersion != SchemaVersion {
		r.addOf("schemaVersion", ProblemValue, "must be 2")
	}
	r.form("tenantId", e.TenantID, false, isName, name)
	r.form("accountId", e.AccountID, false, isName, name)
	r.form("lineId", e.LineID, false, isName, name)
	r.form("threadId", string(e.ThreadID), false, isName, name)
	r.oneOf("type", string(e.Type), false, string(TypeMessage), string(TypeEdit), string(TypeRetract), string(TypeReceipt),
		string(TypeReaction), string(TypeConsent), string(TypeChange))
	r.form("channel", string(e.Channel), true, isWord, "must be lower-case letters, digits and '_'")
	r.oneOf("direction", string(e.Direction), true, string(Inbound), string(Outbound), string(Status))
	r.form("conversationId", e.ConversationID, true, isConversation, "must be <channel>:<account>:conv:<opaque>")
	r.form("provider", e.Provider, false, isWord, "must be lower-case letters, digits and '_'")
	r.free("providerMessageId", e.ProviderMessageID, maxProviderID)
	r.content(e)
}

// content reports what the event's type needs and does not have.
func (r *report) content(e *Event) {
	kind := cmp.Or(e.Type, TypeMessage)
	needs := func(name string, missing bool, types ...Type) {
		for _, t := range types {
			if t == kind && missing {
				r.addOf(name, ProblemRequired, "is required by the event's type")
			}
		}
	}
	needs("message", e.Message == nil, TypeMessage, TypeEdit)
	needs("relatesTo", e.RelatesTo == nil, TypeEdit, TypeRetract, TypeReaction)
	needs("reaction", e.Reaction == nil, TypeReaction)
	needs("receipt", e.Receipt == nil, TypeReceipt)
	needs("consent", e.Consent == nil, TypeConsent)
	if kind == TypeReceipt && e.Direction != Status {
		r.addOf("direction", ProblemValue, `must be "status" on a receipt`)
	}
}

func (r *report) sides(e *Event) {
	r.enter("sender")
	r.participant(e.Sender, e.Direction == Inbound)
	r.leave()
	r.enter("recipient")
	r.participant(e.Recipient, e.Direction == Outbound || e.Direction == Status)
	r.leave()
	r.enter("participants")
	r.count(len(e.Participants), maxParticipants)
	for i, p := range e.Participants {
		r.at(i)
		r.participant(p, false)
		r.leave()
	}
	r.leave()
}

func (r *report) participant(p Participant, customer bool) {
	if customer && p.ID == "" && p.Phone == "" && p.HashedEmail == "" && p.ChannelAddress == "" {
		r.add(ProblemRequired, "must have an id, phone, hashedEmail or channelAddress")
	}
	r.free("id", p.ID, maxIdentifier)
	r.form("phone", p.Phone, false, isE164, "must be E.164")
	r.form("hashedEmail", p.HashedEmail, false, isSHA256, "must be 64 lower-case hex digits")
	r.free("displayName", p.DisplayName, maxLabel)
	r.free("channelAddress", p.ChannelAddress, maxIdentifier)
}

func (r *report) message(m *Message) {
	r.free("text", m.Text, maxText)
	r.free("summary", m.Summary, maxSummary)
	r.free("contentType", m.ContentType, maxMIME)
	r.enter("attachments")
	r.count(len(m.Attachments), maxAttachments)
	for i, a := range m.Attachments {
		r.at(i)
		r.attachment(a)
		r.leave()
	}
	r.leave()
	r.enter("suggestions")
	r.count(len(m.Suggestions), maxSuggestions)
	for i, s := range m.Suggestions {
		r.at(i)
		r.free("text", s.Text, maxLabel)
		r.free("postback", s.Postback, maxPayload)
		r.leave()
	}
	r.leave()
	if p := m.Postback; p != nil {
		r.enter("postback")
		if *p == (Postback{}) {
			r.add(ProblemRequired, "must have a text or a payload")
		}
		r.free("text", p.Text, maxLabel)
		r.free("payload", p.Payload, maxPayload)
		r.leave()
	}
	r.template(m.Template)
	if l := m.Location; l != nil {
		r.enter("location")
		r.degrees("latitude", l.Latitude, 90)
		r.degrees("longitude", l.Longitude, 180)
		r.free("label", l.Label, maxLabel)
		r.free("address", l.Address, maxLabel)
		r.leave()
	}
}

func (r *report) attachment(a Attachment) {
	r.form("url", a.URL, true, isURL, "must be an http or https URL of at most 4096 ASCII characters")
	r.free("contentType", a.ContentType, maxMIME)
	r.free("name", a.Name, maxLabel)
	if a.Size < 0 || a.Size > maxSize {
		r.addOf("size", ProblemRange, "must be between 0 and 1099511627776")
	}
}

func (r *report) template(t *Template) {
	if t == nil {
		return
	}
	r.enter("template")
	r.word("id", t.ID, maxIdentifier)
	r.enter("variables")
	r.count(len(t.Variables), maxVariables)
	short := true
	for name, value := range t.Variables {
		short = short && utf8.RuneCountInString(name) <= maxIdentifier && utf8.RuneCountInString(value) <= maxPayload
	}
	if !short {
		r.addOf("*", ProblemLength, "must have a name of at most 256 characters and a value of at most 4096")
	}
	r.leave()
	r.leave()
}

// rest reports on what only some types have.
func (r *report) rest(e *Event) {
	if e.Reaction != nil {
		r.enter("reaction")
		r.word("emoji", e.Reaction.Emoji, maxEmoji)
		r.leave()
	}
	if e.Receipt != nil {
		r.enter("receipt")
		r.oneOf("state", e.Receipt.State, true, "queued", "sending", "sent", "delivered", "read", "failed", "canceled")
		r.instant("at", e.Receipt.At, false)
		r.free("error", e.Receipt.Error, maxIdentifier)
		r.leave()
	}
	if c := e.Consent; c != nil {
		r.enter("consent")
		if c.Keyword == "" && c.State == "" {
			r.add(ProblemRequired, "must have a keyword or a state")
		}
		r.oneOf("keyword", c.Keyword, false, "stop", "start", "help")
		r.oneOf("state", c.State, false, "opted_out", "opted_in")
		r.free("source", c.Source, maxSource)
		r.leave()
	}
	if a := e.Attribution; a != nil {
		r.enter("attribution")
		r.free("sourceType", a.SourceType, maxPayload)
		r.free("sourceId", a.SourceID, maxPayload)
		r.free("sourceUrl", a.SourceURL, maxPayload)
		r.free("headline", a.Headline, maxPayload)
		r.free("body", a.Body, maxPayload)
		r.free("clickId", a.ClickID, maxPayload)
		r.leave()
	}
}

func (r *report) metadata(members map[string]json.RawMessage) {
	r.enter("metadata")
	r.count(len(members), maxMetadata)
	names, values := true, true
	for name, value := range members {
		names = names && isMetadataName(name)
		if !r.parsed && len(value) > 0 { // an empty one is written as null
			_, err := jsontext.Parse(value, maxDepth-2) // within the event and its metadata
			values = values && err == nil
		}
	}
	if !names {
		r.addOf("*", ProblemFormat, "must have a name of 1 to 64 letters, digits, '_', '.' and '-', beginning with a letter")
	}
	if !values {
		r.addOf("*", ProblemFormat, "must be JSON in UTF-8, nested at most 100 deep")
	}
	r.leave()
}

// free checks a string that may hold anything.
func (r *report) free(name, value string, most int) {
	if len(value) > most && utf8.RuneCountInString(value) > most {
		r.addOf(name, ProblemLength, "is too long")
	}
}

// word checks a string that must not be empty.
func (r *report) word(name, value string, most int) {
	if value == "" {
		r.addOf(name, ProblemRequired, "is required")
	}
	r.free(name, value, most)
}

// form checks a string that has a form.
func (r *report) form(name, value string, required bool, has func(string) bool, reason string) {
	switch {
	case value == "" && required:
		r.addOf(name, ProblemRequired, "is required")
	case value != "" && !has(value):
		r.addOf(name, ProblemFormat, reason)
	}
}

// oneOf checks a string of a closed set.
func (r *report) oneOf(name, value string, required bool, values ...string) {
	if value == "" {
		if required {
			r.addOf(name, ProblemRequired, "is required")
		}
		return
	}
	if !slices.Contains(values, value) {
		r.addOf(name, ProblemValue, "is none of the values that the schema lists")
	}
}

func (r *report) instant(name string, t time.Time, required bool) {
	switch {
	case t.IsZero() && required:
		r.addOf(name, ProblemRequired, "is required")
	case !t.IsZero() && !writable(t):
		r.addOf(name, ProblemRange, "must lie between the years 1970 and 9999")
	}
}

func (r *report) count(n, most int) {
	if n > most {
		r.add(ProblemLength, "has too many members")
	}
}

func (r *report) degrees(name string, value, most float64) {
	if math.IsNaN(value) || math.Abs(value) > most {
		r.addOf(name, ProblemRange, "must be degrees of WGS 84")
	}
}
