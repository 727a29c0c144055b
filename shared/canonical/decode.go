package canonical

import (
	"errors"
	"unicode/utf8"

	"signalbox/shared/fault"
)

// MaxSize is the largest event in bytes that is read or written: a webhook's body as a string within rawVendor, and a margin.
const MaxSize = 8 << 20

// The codes of the faults of reading and writing events.
const (
	CodeMalformed      = "event_malformed"        // permanent: no JSON object
	CodeInvalid        = "event_invalid"          // permanent: a *ValidationError says why
	CodeVersionUnknown = "schema_version_unknown" // retryable: a newer writer is being rolled out; whoever retries sets the limit
)

// errVersion is the cause of CodeVersionUnknown.
var errVersion = errors.New("the event was written by a later version")

// Decode reads an event of any released version (there is one, 2) and fills what has a default. Members that it does not know
// are ignored; times keep their milliseconds, rawVendor loses its white space. An error is a *fault.Error with one of the
// codes above and holds nothing of what was read.
func Decode(data []byte) (Event, error) {
	e, r, err := read(data)
	if err != nil {
		return Event{}, err
	}
	var rules report
	rules.event(&e)
	r.merge(rules.problems)
	if err := r.err(); err != nil {
		return Event{}, fault.New(fault.Permanent, CodeInvalid, err)
	}
	return e.WithDefaults(), nil
}

// UnmarshalJSON reads an event that is part of another document, with the faults of Decode. It checks types and the version,
// but neither the rules nor the defaults: the outer document was written by one who had done so.
func (e *Event) UnmarshalJSON(data []byte) error {
	decoded, r, err := read(data)
	if err != nil {
		return err
	}
	if err := r.err(); err != nil {
		return fault.New(fault.Permanent, CodeInvalid, err)
	}
	*e = decoded
	return nil
}

// read returns the event as it stands in data and what could not be read of it.
func read(data []byte) (Event, report, error) {
	if len(data) > MaxSize {
		return Event{}, report{}, fault.New(fault.Permanent, CodeMalformed, errTooLarge)
	}
	if !utf8.Valid(data) {
		return Event{}, report{}, fault.New(fault.Permanent, CodeMalformed, errUTF8)
	}
	var e Event
	s := scanner{text: string(data), report: report{path: make([]step, 0, 8)}}
	if s.next() != '{' {
		s.fail(errSyntax)
	} else {
		s.event(&e)
	}
	s.end()
	if s.failed != nil {
		return Event{}, report{}, fault.New(fault.Permanent, CodeMalformed, s.failed)
	}
	if e.SchemaVersion > SchemaVersion {
		return Event{}, report{}, fault.New(fault.Retryable, CodeVersionUnknown, errVersion)
	}
	return e, s.report, nil
}

func (s *scanner) event(e *Event) {
	var sender, recipient bool
	s.object(func(name string) bool {
		switch name {
		case "sender":
			e.Sender, sender = s.participant(), true
		case "recipient":
			e.Recipient, recipient = s.participant(), true
		case "eventId":
			e.EventID = EventID(s.word())
		case "schemaVersion":
			e.SchemaVersion = int(s.integer())
		case "tenantId":
			e.TenantID = s.word()
		case "accountId":
			e.AccountID = s.word()
		case "lineId":
			e.LineID = s.word()
		case "threadId":
			e.ThreadID = ThreadID(s.word())
		case "type":
			e.Type = Type(s.word())
		case "channel":
			e.Channel = Channel(s.word())
		case "direction":
			e.Direction = Direction(s.word())
		case "conversationId":
			e.ConversationID = s.word()
		case "provider":
			e.Provider = s.word()
		case "providerMessageId":
			e.ProviderMessageID = s.word()
		case "timestamp":
			e.Timestamp = s.instant()
		case "receivedAt":
			e.ReceivedAt = s.instant()
		default:
			return s.part(name, e)
		}
		return true
	})
	s.need("sender", sender)
	s.need("recipient", recipient)
}

// part reads those members of an event that have members of their own.
func (s *scanner) part(name string, e *Event) bool {
	switch name {
	case "participants":
		e.Participants = list(s, maxParticipants, s.participant)
	case "actor":
		e.Actor = s.actor()
	case "relatesTo":
		e.RelatesTo = s.relation()
	case "message":
		e.Message = s.message()
	case "reaction":
		e.Reaction = s.reaction()
	case "receipt":
		e.Receipt = s.receipt()
	case "consent":
		e.Consent = s.consent()
	case "attribution":
		e.Attribution = s.attribution()
	case "flags":
		e.Flags = s.flags()
	case "trace":
		e.Trace = s.trace()
	case "metadata":
		e.Metadata = named(s, maxMetadata, s.raw)
	default:
		return false
	}
	return true
}

// list reads an array; an empty one is not nil.
func list[T any](s *scanner, most int, element func() T) []T {
	values := []T{}
	s.array(most, func() { values = append(values, element()) })
	return values
}

// named reads an object with names of the sender's choice; an empty one is not nil.
func named[T any](s *scanner, most int, value func() T) map[string]T {
	values := map[string]T{}
	s.table(most, func(name string) {
		if _, twice := values[name]; twice {
			s.fail(errDuplicate)
		}
		values[name] = value()
	})
	return values
}

func (s *scanner) participant() (p Participant) {
	s.object(func(name string) bool {
		switch name {
		case "id":
			p.ID = s.word()
		case "phone":
			p.Phone = s.word()
		case "hashedEmail":
			p.HashedEmail = s.word()
		case "displayName":
			p.DisplayName = s.free()
		case "channelAddress":
			p.ChannelAddress = s.word()
		default:
			return false
		}
		return true
	})
	return p
}

func (s *scanner) message() *Message {
	var m Message
	s.object(func(name string) bool {
		switch name {
		case "text":
			m.Text = s.free()
		case "summary":
			m.Summary = s.free()
		case "contentType":
			m.ContentType = s.free()
		case "attachments":
			m.Attachments = list(s, maxAttachments, s.attachment)
		case "suggestions":
			m.Suggestions = list(s, maxSuggestions, s.suggestion)
		case "postback":
			m.Postback = s.postback()
		case "template":
			m.Template = s.template()
		case "location":
			m.Location = s.location()
		default:
			return false
		}
		return true
	})
	return &m
}

func (s *scanner) attachment() (a Attachment) {
	s.object(func(name string) bool {
		switch name {
		case "url":
			a.URL = s.word()
		case "contentType":
			a.ContentType = s.free()
		case "name":
			a.Name = s.free()
		case "size":
			a.Size = s.integer()
		default:
			return false
		}
		return true
	})
	return a
}

func (s *scanner) suggestion() (g Suggestion) {
	var has bool
	s.object(func(name string) bool {
		switch name {
		case "text":
			g.Text, has = s.free(), true
		case "postback":
			g.Postback = s.free()
		default:
			return false
		}
		return true
	})
	s.need("text", has)
	return g
}

func (s *scanner) postback() *Postback {
	var p Postback
	s.object(func(name string) bool {
		switch name {
		case "text":
			p.Text = s.free()
		case "payload":
			p.Payload = s.free()
		default:
			return false
		}
		return true
	})
	return &p
}

func (s *scanner) template() *Template {
	var t Template
	s.object(func(name string) bool {
		switch name {
		case "id":
			t.ID = s.word()
		case "variables":
			t.Variables = named(s, maxVariables, s.free)
		default:
			return false
		}
		return true
	})
	return &t
}

func (s *scanner) location() *Location {
	var l Location
	var latitude, longitude bool
	s.object(func(name string) bool {
		switch name {
		case "latitude":
			l.Latitude, latitude = s.float(), true
		case "longitude":
			l.Longitude, longitude = s.float(), true
		case "label":
			l.Label = s.free()
		case "address":
			l.Address = s.free()
		default:
			return false
		}
		return true
	})
	s.need("latitude", latitude)
	s.need("longitude", longitude)
	return &l
}

// need reports a required member that is absent, where its zero value would say something.
func (s *scanner) need(name string, has bool) {
	n := len(s.problems)
	if !has {
		s.addOf(name, ProblemRequired, "is required")
	}
	if n < len(s.problems) && followsFrom(s.problems[n], s.problems[:n]) { // the whole object was of another type
		s.problems = s.problems[:n]
	}
}
