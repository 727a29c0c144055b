// Package identity keeps which thread an identifier leads to. The first identifier of a person that arrives makes the thread; each
// later one that is proved to be the same person's is an alias: a record under a MAC of it, so that it is found and cannot be read.
//
// Proof is two identifiers in one authentic payload, or the provider's own word that one took the place of another. A name, a user
// name, a card that is passed on and an address that two records of a CRM share are none, and neither is what people say of
// themselves to a form. A phone needs no alias: the thread is named by it, and the head of that thread says where it leads.
package identity

import (
	"context"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/unknown"
)

// Alias is where an identifier leads, and why. It leads there for good: what a provider replaces it gives to nobody else. A phone number
// is given to others, which conversation.Successor tells.
type Alias struct {
	Thread  canonical.ThreadID `json:"thread"`
	Since   time.Time          `json:"since"`   // event time of the proof
	Written time.Time          `json:"written"` // when this was kept
	Event   canonical.EventID  `json:"event"`   // the proof
	Rule    Rule               `json:"rule"`    // what kind of proof it is
	Unknown unknown.Members    `json:"-"`
}

// Rule is a kind of proof.
type Rule string

// The rules.
const (
	First         Rule = "first"          // nobody was known by it: the first of its person to arrive
	SamePayload   Rule = "same_payload"   // one authentic payload names it beside another of the person
	ProvidersWord Rule = "providers_word" // the provider tells that it took the place of another
)

// Key returns where the alias of an identifier is kept; id is a canonical.AliasID.
func Key(tenant, id string) store.Key {
	return store.Key{Partition: tenant + "/alias/" + id, Sort: "now"}
}

// Encode returns the bytes an alias is kept as.
func Encode(a Alias) ([]byte, error) { return unknown.Marshal(a, a.Unknown) }

// Decode reads what Encode wrote. What a newer release wrote is kept for when this one writes.
func Decode(data []byte) (a Alias, err error) {
	if a.Unknown, err = unknown.Unmarshal(data, &a); err != nil || a.Thread == "" {
		return Alias{}, fault.New(fault.Permanent, "alias_malformed", nil)
	}
	return a, nil
}

// Of returns what proves who a participant is, in the order of the event, the phone first: the kinds that name one person, each once,
// without what is merely claimed.
func Of(p canonical.Participant) []canonical.Identifier {
	all := p.Identifiers
	if p.Phone != "" {
		all = append([]canonical.Identifier{{Kind: canonical.KindPhone, Value: p.Phone}}, all...)
	}
	return Proving(all)
}

// Proving returns those of all that prove who somebody is, each once.
func Proving(all []canonical.Identifier) []canonical.Identifier {
	var proving []canonical.Identifier
	for _, i := range all {
		if personal(i.Kind) && !i.Claimed && i.Value != "" && !slices.Contains(proving, i) {
			proving = append(proving, i)
		}
	}
	return proving
}

// personal reports whether identifiers of a kind name one person. That of a chat names several, and of a kind that this build does not
// know nobody can tell.
func personal(kind string) bool {
	switch kind {
	case canonical.KindPhone, canonical.KindBSUID, canonical.KindParentBSUID, canonical.KindRCS, canonical.KindApple, canonical.KindEmail,
		canonical.KindHashedEmail, canonical.KindWeb:
		return true
	default:
		return false
	}
}

// Own returns what names the thread of an identifier that came first: of a phone the phone, and of a WhatsApp user what threads have
// been named by before there were aliases. Of others it is "": their channels name the thread.
func Own(i canonical.Identifier) string {
	switch i.Kind {
	case canonical.KindPhone:
		return i.Value
	case canonical.KindBSUID:
		return "whatsapp:" + i.Value
	default:
		return ""
	}
}

// Settled is how old an alias is before events are queued in the group of the thread that it leads to: until then, events may
// wait in the group of the identifier's own thread, and those would be overtaken. The router gives up after so long.
const Settled = 24 * time.Hour

// Getter reads records.
type Getter interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
}

// Lookup returns the thread that the first of these identifiers leads to, by one read; "" where none leads anywhere, or not for long
// enough to be Settled.
func Lookup(ctx context.Context, s Getter, tenant string, p canonical.Pepper, identifiers []canonical.Identifier) (canonical.ThreadID, error) {
	if len(identifiers) == 0 {
		return "", nil
	}
	keys := make([]store.Key, len(identifiers))
	for n, i := range identifiers {
		keys[n] = Key(tenant, canonical.AliasID(p, i))
	}
	held, err := s.Get(ctx, keys...)
	if err != nil {
		return "", err
	}
	for _, record := range held {
		if record.Version == 0 {
			continue
		}
		a, err := Decode(record.Data)
		if err != nil {
			return "", err
		}
		if time.Since(a.Written) >= Settled {
			return a.Thread, nil
		}
	}
	return "", nil
}
