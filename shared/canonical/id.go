package canonical

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"signalbox/shared/secret"
)

// NewEventID derives an event's id from what stays the same on every redelivery: tenant, provider, account, kind ("message",
// "receipt" …) and the provider's stable key for it. It is the first 16 bytes of a SHA-256 over the five, each preceded by
// its length as 8 bytes big-endian, with version 4 and the RFC 9562 variant set. The derivation is frozen by vectors.
func NewEventID(tenant, provider, account, kind, key string) EventID {
	var buffer [256]byte
	sum := sha256.Sum256(frame(buffer[:0], tenant, provider, account, kind, key))
	u := sum[:16]
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	id := hex.EncodeToString(u)
	return EventID(id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:])
}

// Pepper is a tenant's key for MACs over identifiers. Phone numbers can be enumerated, so that a bare hash would hide nothing.
type Pepper struct{ key []byte }

// NewPepper derives a tenant's pepper from the platform's: HMAC-SHA-256(platform, tenant).
func NewPepper(platform secret.Value, tenant string) Pepper {
	return Pepper{mac([]byte(platform), tenant)}
}

// NewThreadID returns the thread of the participant with this identifier (the strongest known: E.164, a channel's user id, or
// the chat id of a group) with this tenant: "t1_" and 64 hex digits of HMAC-SHA-256(pepper, "thread", identifier). The form
// hashed is the one the provider sent, so that RCS falling back to SMS stays one thread and later normalisation changes none.
func NewThreadID(p Pepper, identifier string) ThreadID {
	return ThreadID("t1_" + hex.EncodeToString(mac(p.key, "thread", identifier)))
}

// PersonKey returns the key a CRM record of this person is upserted by: 64 hex digits of HMAC-SHA-256(pepper, "person", identifier).
func PersonKey(p Pepper, identifier string) string {
	return hex.EncodeToString(mac(p.key, "person", identifier))
}

// AliasID returns the name that an identifier is kept under, so that it is found and cannot be read: 64 hex digits of
// HMAC-SHA-256(pepper, "alias", kind, scope, value).
func AliasID(p Pepper, i Identifier) string {
	return hex.EncodeToString(mac(p.key, "alias", i.Kind, i.Scope, i.Value))
}

// NextThreadID returns the thread of whoever has the identifier that a thread is named by after an event took it from who had it
// before: HMAC-SHA-256(pepper, "thread", thread, event). Its person's key is made of the same.
func NextThreadID(p Pepper, thread ThreadID, event EventID) (next ThreadID, personKey string) {
	return ThreadID("t1_" + hex.EncodeToString(mac(p.key, "thread", string(thread), string(event)))),
		hex.EncodeToString(mac(p.key, "person", string(thread), string(event)))
}

// Digest returns what a value of a kind ("address", "words") is known by where it must not stand itself: 64 hex digits of
// HMAC-SHA-256(pepper, kind, value).
func Digest(p Pepper, kind, value string) string {
	return hex.EncodeToString(mac(p.key, kind, value))
}

// MessageKey returns the external id of a message's record in a CRM, the same for the message and its receipts: 64 lower-case
// hex digits, which every CRM accepts in a key.
func MessageKey(tenant, provider, account, providerMessageID string) string {
	var buffer [256]byte
	sum := sha256.Sum256(frame(buffer[:0], tenant, provider, account, "record", providerMessageID))
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, parts ...string) []byte {
	var buffer [256]byte
	h := hmac.New(sha256.New, key)
	_, _ = h.Write(frame(buffer[:0], parts...)) // a hash never fails
	return h.Sum(nil)
}

// frame appends each part behind its length: without it ("ab","c") and ("a","bc") would be one.
func frame(to []byte, parts ...string) []byte {
	for _, p := range parts {
		to = binary.BigEndian.AppendUint64(to, uint64(len(p)))
		to = append(to, p...)
	}
	return to
}
