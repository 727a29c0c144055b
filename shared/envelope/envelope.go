// Package envelope is the form in which events and deliveries travel on queues, wait in the spool and lie as dead letters:
// sealed, with as much in the clear as it takes to find them, to count them and to put them back. Nothing in the clear is
// private. Whoever moves a body from one place to another needs no key; only who acts on its content does.
package envelope

import (
	"context"
	"encoding/base64"
	"strconv"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/jsontext"
	"signalbox/shared/keyring"
)

// Version stands where an event has its schema version. A build from before sealing takes it for the version of a newer writer
// that is being rolled out, and waits.
const Version = 1001

// The purposes that bodies are sealed for: one of another does not open.
const (
	purposeEvent    = "event"
	purposeDelivery = "delivery"
)

// TenantSealer seals under a tenant's key; *keyring.Ring is one.
type TenantSealer interface {
	SealTenant(ctx context.Context, at keyring.Place, plain []byte) ([]byte, error)
}

// PersonSealer seals under a person's key; *keyring.Ring is one.
type PersonSealer interface {
	SealPerson(ctx context.Context, at keyring.Place, person string, plain []byte) ([]byte, error)
}

// Event returns the sealed form of an event's JSON: under the tenant's key, for nobody knows the person yet.
func Event(ctx context.Context, s TenantSealer, e *canonical.Event, body []byte) ([]byte, error) {
	h := header{eventHeader: headerOf(e)}
	at, _ := h.place()
	sealed, err := s.SealTenant(ctx, at, body)
	if err != nil {
		return nil, err
	}
	return h.with(sealed), nil
}

// EventOf returns the sealed form of an event of a person who is known: under that one's key, so that erasing them reaches it.
func EventOf(ctx context.Context, s PersonSealer, person string, e *canonical.Event, body []byte) ([]byte, error) {
	h := header{eventHeader: headerOf(e)}
	at, _ := h.place()
	sealed, err := s.SealPerson(ctx, at, person, body)
	if err != nil {
		return nil, err
	}
	return h.with(sealed), nil
}

// Delivery returns the sealed form of a delivery's JSON: under the key of the person it is about.
func Delivery(ctx context.Context, s PersonSealer, d *delivery.Delivery, body []byte) ([]byte, error) {
	event := headerOf(&d.Event)
	h := header{DeliveryID: string(d.ID), CRM: d.CRM, Generation: d.Generation, History: d.OfHistory(), Event: &event, OptsOut: d.OptsOut()}
	at, _ := h.place()
	sealed, err := s.SealPerson(ctx, at, d.Person.Key, body)
	if err != nil {
		return nil, err
	}
	return h.with(sealed), nil
}

// headerRoom is what the clear members take, generously.
const headerRoom = 512

// header is what is in the clear. A delivery has its event's ids in Event, an event its own at the top.
type header struct {
	eventHeader

	DeliveryID string       `json:"deliveryId"`
	CRM        string       `json:"crm"`
	Generation int          `json:"generation"` // the newest: a redrive writes it here, for it does not open what it puts back
	History    bool         `json:"history"`    // it may wait for what is live
	Event      *eventHeader `json:"event"`
	OptsOut    bool         `json:"optsOut,omitempty"` // somebody is not to be written to any more
	Sealed     []byte       `json:"sealed"`
}

type eventHeader struct {
	SchemaVersion int       `json:"schemaVersion"`
	TenantID      string    `json:"tenantId"`
	EventID       string    `json:"eventId"`
	ReceivedAt    time.Time `json:"receivedAt"` // what a thread's dead letters are put in order by
}

// place returns what the body was sealed for; ok is false when it cannot have been sealed here.
func (h header) place() (at keyring.Place, ok bool) {
	if h.Event != nil {
		at = keyring.Place{Tenant: h.Event.TenantID, Purpose: purposeDelivery, Name: h.DeliveryID}
		return at, h.Event.SchemaVersion == Version
	}
	at = keyring.Place{Tenant: h.TenantID, Purpose: purposeEvent, Name: h.EventID}
	return at, h.SchemaVersion == Version
}

// append appends the clear members, open at the end.
func (h header) append(out []byte) []byte {
	if h.Event == nil {
		return h.eventHeader.append(append(out, '{'))
	}
	out = jsontext.AppendString(append(out, `{"deliveryId":`...), h.DeliveryID)
	out = jsontext.AppendString(append(out, `,"crm":`...), h.CRM)
	out = strconv.AppendInt(append(out, `,"generation":`...), int64(h.Generation), 10)
	if h.History {
		out = append(out, `,"history":true`...)
	}
	out = append(h.Event.append(append(out, `,"event":{`...)), '}')
	if h.OptsOut {
		out = append(out, `,"optsOut":true`...)
	}
	return out
}

// stripped returns the header without what was sealed.
func (h header) stripped() []byte { return append(h.append(nil), '}') }

// with returns the header with what was sealed.
func (h header) with(sealed []byte) []byte {
	out := h.append(make([]byte, 0, headerRoom+base64.StdEncoding.EncodedLen(len(sealed))))
	out = base64.StdEncoding.AppendEncode(append(out, `,"sealed":"`...), sealed)
	return append(out, `"}`...)
}

func headerOf(e *canonical.Event) eventHeader {
	return eventHeader{SchemaVersion: Version, TenantID: e.TenantID, EventID: string(e.EventID), ReceivedAt: e.ReceivedAt}
}

func (h eventHeader) append(out []byte) []byte {
	out = strconv.AppendInt(append(out, `"schemaVersion":`...), Version, 10)
	out = jsontext.AppendString(append(out, `,"tenantId":`...), h.TenantID)
	out = jsontext.AppendString(append(out, `,"eventId":`...), h.EventID)
	out = h.ReceivedAt.UTC().AppendFormat(append(out, `,"receivedAt":"`...), time.RFC3339Nano)
	return append(out, '"')
}
