// Package audit keeps who did what, and why: entries of one operator's act each, in a chain in which every entry holds the
// hash of the one before, so that none can be changed or taken out unseen. An entry names records by their ids and holds no
// personal data. Entries do not expire.
package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// The codes of the faults of this package.
const (
	CodeContended = "audit_contended"
	CodeInvalid   = "audit_invalid"
	CodeBroken    = "audit_broken" // an entry is not the one that was written
)

// Store is what a chain is kept in.
type Store interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Entry is one act.
type Entry struct {
	At       time.Time `json:"at"`
	Action   string    `json:"action"`             // e.g. "redrive"
	By       string    `json:"by"`                 // who asked for it
	Reason   string    `json:"reason"`             // why
	Subjects []string  `json:"subjects,omitempty"` // what it is about, by ids
	Previous string    `json:"previous"`           // hex SHA-256 of the entry before, empty for the first
}

// Chain is a tenant's entries of one kind, in order.
type Chain struct {
	store     Store
	partition string
}

// Of returns a tenant's chain.
func Of(s Store, tenant, name string) Chain { return Chain{s, tenant + "/audit/" + name} }

// longest bounds Reason and By, in bytes.
const longest = 300

// personal is what looks like an address of a person: a mail address, or a number of ten digits and more.
var personal = regexp.MustCompile(`@|[0-9](?:[ ().-]{0,2}[0-9]){9,}`)

// Check says what is wrong with who and why; both are logged and kept for good, so that neither may name a customer.
func Check(by, reason string) (problems []string) {
	for _, field := range []struct{ name, value string }{{"by", by}, {"reason", reason}} {
		switch {
		case field.value == "":
			problems = append(problems, field.name+" is required")
		case len(field.value) > longest || !utf8.ValidString(field.value):
			problems = append(problems, fmt.Sprintf("%s is text of at most %d bytes", field.name, longest))
		case personal.MatchString(field.value):
			problems = append(problems, field.name+" holds what looks like an address or a phone number; name a ticket instead")
		}
	}
	return problems
}

// Changes returns what adds an entry at the end, for a Write of the caller's: with what the entry is about, or not at all. A conflict
// may be of another entry that came between.
func (c Chain) Changes(ctx context.Context, e Entry) ([]store.Change, error) {
	head, last, err := c.head(ctx)
	if err != nil {
		return nil, err
	}
	e.Previous = last
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fault.New(fault.Permanent, CodeInvalid, nil)
	}
	entry := store.Record{Key: c.key(head.Number + 1), Data: data}
	head.Number, head.Data = head.Number+1, []byte(`"`+hash(data)+`"`)
	return []store.Change{{Kind: store.Put, Record: head}, {Kind: store.Put, Record: entry}}, nil
}

// Append adds an entry at the end: entry and head in one write.
func (c Chain) Append(ctx context.Context, e Entry) error {
	for range 8 {
		changes, err := c.Changes(ctx, e)
		if err != nil {
			return err
		}
		_, err = c.store.Write(ctx, changes...)
		if _, lost := errors.AsType[*store.ConflictError](err); !lost {
			return err
		}
	}
	return fault.New(fault.Retryable, CodeContended, nil)
}

// Entries returns the whole chain, oldest first, or a Permanent fault (CodeBroken) when it is not as it was written.
func (c Chain) Entries(ctx context.Context) ([]Entry, error) {
	head, last, err := c.head(ctx)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	previous := ""
	for n := int64(1); n <= head.Number; n++ {
		held, err := c.store.Get(ctx, c.key(n))
		if err != nil {
			return nil, err
		}
		var e Entry
		if json.Unmarshal(held[0].Data, &e) != nil || e.Previous != previous {
			return nil, fault.New(fault.Permanent, CodeBroken, fmt.Errorf("entry %d", n))
		}
		previous, entries = hash(held[0].Data), append(entries, e)
	}
	if previous != last {
		return nil, fault.New(fault.Permanent, CodeBroken, errors.New("the head"))
	}
	return entries, nil
}

// head returns the chain's head and the hash of its last entry.
func (c Chain) head(ctx context.Context) (head store.Record, last string, err error) {
	held, err := c.store.Get(ctx, store.Key{Partition: c.partition, Sort: "head"})
	if err != nil {
		return head, "", err
	}
	if head = held[0]; head.Version == 0 {
		return store.Record{Key: store.Key{Partition: c.partition, Sort: "head"}}, "", nil
	}
	if json.Unmarshal(head.Data, &last) != nil {
		return head, "", fault.New(fault.Permanent, CodeBroken, errors.New("the head"))
	}
	return head, last, nil
}

func (c Chain) key(n int64) store.Key {
	return store.Key{Partition: c.partition, Sort: fmt.Sprintf("%020d", n)}
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
