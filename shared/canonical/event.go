// Package canonical is the one shape every message, receipt and consent change takes once it is inside: the event, its
// deterministic ids, its defaults, its validation and its codec. The JSON names and limits are those of
// events/schema/v2/event.json, to which tests pin this code; changes are additive.
package canonical

import (
	"encoding/json"
	"maps"
	"time"
)

// SchemaVersion is what this build writes and the highest it reads.
const SchemaVersion = 2

// EventID is a UUID made by NewEventID: the same on every redelivery of one webhook. Opaque to everyone else.
type EventID string

// ThreadID is the unit of order, made by NewThreadID. It holds no personal data and fits an SQS group id.
type ThreadID string

// Type is what kind of thing happened.
type Type string

// The types.
const (
	TypeMessage  Type = "message"
	TypeEdit     Type = "edit"
	TypeRetract  Type = "retract"
	TypeReceipt  Type = "receipt"
	TypeReaction Type = "reaction"
	TypeConsent  Type = "consent"
	TypeChange   Type = "change"
	TypeIdentity Type = "identity" // what a person is known by has changed; no message
)

// Channel is where it happened. The set is open (lower-case letters, digits and "_"), so that a new one needs no schema change.
type Channel string

// The channels known today.
const (
	RCS      Channel = "rcs"
	IMessage Channel = "imessage"
	SMS      Channel = "sms"
	WhatsApp Channel = "whatsapp"
	Web      Channel = "web"
)

// Direction is inbound (from the customer), outbound (to the customer) or status (about an outbound one).
type Direction string

// The directions.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
	Status   Direction = "status"
)

// Event is one thing that happened in a conversation. Its times are written in UTC to the millisecond, rounded down, and a
// field that is empty is not written; a slice or map that is empty but not nil is, so that a document survives a round trip.
type Event struct {
	EventID           EventID                    `json:"eventId"`
	SchemaVersion     int                        `json:"schemaVersion"`
	TenantID          string                     `json:"tenantId,omitempty"`
	AccountID         string                     `json:"accountId,omitempty"` // credentials at a provider
	LineID            string                     `json:"lineId,omitempty"`    // the address of ours it came to
	ThreadID          ThreadID                   `json:"threadId,omitempty"`
	Type              Type                       `json:"type,omitempty"`
	Channel           Channel                    `json:"channel"`
	Direction         Direction                  `json:"direction"`
	ConversationID    string                     `json:"conversationId"` // "<channel>:<account>:conv:<opaque>"
	Provider          string                     `json:"provider,omitempty"`
	ProviderMessageID string                     `json:"providerMessageId,omitempty"`
	Sender            Participant                `json:"sender"`
	Recipient         Participant                `json:"recipient"`
	Participants      []Participant              `json:"participants,omitzero"`
	Actor             *Actor                     `json:"actor,omitempty"`
	RelatesTo         *Relation                  `json:"relatesTo,omitempty"`
	Message           *Message                   `json:"message,omitempty"`
	Reaction          *Reaction                  `json:"reaction,omitempty"`
	Receipt           *Receipt                   `json:"receipt,omitempty"`
	Consent           *Consent                   `json:"consent,omitempty"`
	Identity          *Identity                  `json:"identity,omitempty"`
	Attribution       *Attribution               `json:"attribution,omitempty"`
	Timestamp         time.Time                  `json:"timestamp"` // when it happened, by the provider's word where it gives one
	ReceivedAt        time.Time                  `json:"receivedAt,omitzero"`
	Flags             Flags                      `json:"flags,omitzero"`
	Trace             Trace                      `json:"trace,omitzero"`
	Metadata          map[string]json.RawMessage `json:"metadata,omitzero"` // rawVendor and provider-specific leftovers
}

// RawVendor is the member of Metadata that holds the provider's own document, as far as the tenant's policy keeps it.
const RawVendor = "rawVendor"

// MetadataSetAside is the member of Metadata that lists the problems of what was taken out of the event.
const MetadataSetAside = "setAside"

// WithoutRawVendor returns the event as it may travel to a CRM. The receiver keeps its metadata.
func (e Event) WithoutRawVendor() Event {
	if _, has := e.Metadata[RawVendor]; !has {
		return e
	}
	e.Metadata = maps.Clone(e.Metadata)
	delete(e.Metadata, RawVendor)
	if len(e.Metadata) == 0 {
		e.Metadata = nil
	}
	return e
}

// Customer returns the side of an event that is not ours.
func (e *Event) Customer() Participant {
	if e.Direction == Inbound {
		return e.Sender
	}
	return e.Recipient
}

// Participant is one side of a conversation. Any field may be empty (a web visitor has no phone, an agent no name), but the
// customer's side has one of ID, Phone, HashedEmail and ChannelAddress: an event of nobody belongs to no thread.
type Participant struct {
	ID             string       `json:"id,omitempty"`             // the channel's own opaque identifier
	Phone          string       `json:"phone,omitempty"`          // E.164
	HashedEmail    string       `json:"hashedEmail,omitempty"`    // hex SHA-256 of the lower-case address
	DisplayName    string       `json:"displayName,omitempty"`    // what the person calls themselves
	ChannelAddress string       `json:"channelAddress,omitempty"` // as the channel writes it: a short code, an agent id, an alphanumeric sender
	Identifiers    []Identifier `json:"identifiers,omitzero"`     // what one authentic message names together: proof that they are one person's
}

// Identifier is something a person is known by.
type Identifier struct {
	Kind    string `json:"kind"`              // one of the kinds below; the set is open, and a kind that is not known leads to nobody
	Scope   string `json:"scope,omitempty"`   // within what it names one person, "" for the world
	Value   string `json:"value"`             // as the provider writes it, compared byte by byte; E.164 of a phone, lower case of an e-mail address
	Claimed bool   `json:"claimed,omitempty"` // the person's own word, which proves nothing
}

// The kinds of identifiers. A user name is none: it changes at will, and is only shown.
const (
	KindPhone       = "phone"
	KindBSUID       = "wa_bsuid"  // WhatsApp's, of a user to a business portfolio
	KindParentBSUID = "wa_parent" // the same to several portfolios
	KindRCS         = "rcs"       // of a user without a phone number
	KindApple       = "apple"     // opaque, of a user to a business
	KindEmail       = "email"
	KindHashedEmail = "hemail" // hex SHA-256 of the lower-case address
	KindWeb         = "web"    // of a visitor
	KindChat        = "chat"   // of a group
)

// Identity is a change of what a person is known by, by the word of the provider.
type Identity struct {
	Reason   string       `json:"reason"` // number_changed, rotated, deactivated, reassigned
	Previous []Identifier `json:"previous,omitzero"`
	Current  []Identifier `json:"current,omitzero"`
}

// The reasons of a change of identity.
const (
	NumberChanged = "number_changed" // the person has another phone number
	Rotated       = "rotated"        // the provider gave the same person another identifier
	Deactivated   = "deactivated"    // nobody has it any more
	Reassigned    = "reassigned"     // somebody else has it now
)

// Actor says who acted and through what.
type Actor struct {
	Kind string `json:"kind"`          // customer, agent, automation
	Via  string `json:"via,omitempty"` // the program or person, opaque
}

// Relation points at the message this event is about: the one replied to, edited, reacted to.
type Relation struct {
	Kind              string `json:"kind"` // reply, edit, retract, reaction, receipt
	ProviderMessageID string `json:"providerMessageId,omitempty"`
	Sender            string `json:"sender,omitempty"` // the other message's sender, as the provider writes it
}

// UnknownEmoji is the emoji of a reaction that is taken off by a provider that does not tell which it was: a message has one reaction of a person.
const UnknownEmoji = " "

// Reaction is an emoji put on, or taken off, another message.
type Reaction struct {
	Emoji   string `json:"emoji"`
	Removed bool   `json:"removed,omitempty"`
}

// Receipt is the provider's word on a sent message.
type Receipt struct {
	State  string    `json:"state"` // queued, sending, sent, delivered, read, failed, canceled, expired
	At     time.Time `json:"at,omitzero"`
	Error  string    `json:"error,omitempty"`  // the provider's error code
	Reason string    `json:"reason,omitempty"` // what it means, in a word that is the same for all providers
}

// Consent is a permission given or withdrawn by this very event.
type Consent struct {
	Keyword string `json:"keyword,omitempty"` // stop, start, help
	State   string `json:"state,omitempty"`   // opted_out, opted_in; empty for help
	Source  string `json:"source,omitempty"`  // who recognised it: provider, keyword
	Purpose string `json:"purpose,omitempty"` // what it is about: messaging, which is all, by default, or marketing alone
}

// Attribution says which advertisement or page brought the person here.
type Attribution struct {
	SourceType string `json:"sourceType,omitempty"`
	SourceID   string `json:"sourceId,omitempty"`
	SourceURL  string `json:"sourceUrl,omitempty"`
	Headline   string `json:"headline,omitempty"`
	Body       string `json:"body,omitempty"`
	ClickID    string `json:"clickId,omitempty"`
}

// Flags qualify an event.
type Flags struct {
	Historical    bool `json:"historical,omitempty"`    // of a history that was imported: it happened long before it was received
	Replayed      bool `json:"replayed,omitempty"`      // routed again from the event store
	AutoReply     bool `json:"autoReply,omitempty"`     // an out-of-office or similar: no person answered
	TimeEstimated bool `json:"timeEstimated,omitempty"` // the provider gave no time: Timestamp is the time of receipt
	Backfilled    bool `json:"backfilled,omitempty"`    // it did not reach us, and the provider was asked for it: late, and otherwise like any other
}

// Trace ties the event to what caused it.
type Trace struct {
	Traceparent string `json:"traceparent,omitempty"` // W3C Trace Context
	CausationID string `json:"causationId,omitempty"` // the event that led to this one
}
