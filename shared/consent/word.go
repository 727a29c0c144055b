package consent

import (
	"context"
	"encoding/json"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/keyring"
	"signalbox/shared/store"
)

// Word is what a provider is to be told that keeps a list of its own: that somebody may, or may not, be written to from an address of ours
// on a channel.
type Word struct {
	Tenant  string            `json:"tenant"`
	Account string            `json:"account"` // which tells
	Digest  string            `json:"digest"`  // Subject.Address
	Line    string            `json:"line"`    // its id
	Sender  string            `json:"sender"`  // its address, as the provider writes it
	Channel canonical.Channel `json:"channel"`
	State   string            `json:"state"` // OptedOut or OptedIn
	Source  string            `json:"source"`
	At      time.Time         `json:"at"` // when it was said
	EventID canonical.EventID `json:"eventId"`
	Address string            `json:"-"` // theirs, which is sealed
}

// waiting is a Word as a record.
type waiting struct {
	Word
	Sealed []byte `json:"sealed"`
}

// Told is the last that became of the words about an address, a line and a channel.
type Told struct {
	EventID canonical.EventID `json:"eventId"` // of the Word
	At      time.Time         `json:"at"`      // when the provider was told
	Refused string            `json:"refused,omitempty"`
}

// toldPartition is of an account's words: those that wait, and what became of those before.
func toldPartition(account string) string { return account + "/told" }

const (
	waitingPrefix = "waiting/"
	outcomePrefix = "outcome/"
)

// Of names what words are about: of those of one name the newest counts.
func (w *Word) Of() string { return w.Tenant + "/" + w.Digest + "/" + w.Line + "/" + string(w.Channel) }

// Place returns what the address is sealed for.
func (w *Word) Place() keyring.Place {
	return keyring.Place{Tenant: w.Tenant, Purpose: "told", Name: w.Account + " " + w.Of() + " " + string(w.EventID)}
}

// Record returns the word as it waits, with its address sealed. Every word has a record of its own, and those about one thing are in the order
// of their times, so that writing one again changes nothing, and none takes the place of a newer one.
func (w *Word) Record(sealed []byte) store.Record {
	data, _ := json.Marshal(waiting{*w, sealed}) // texts, a time and bytes always encode
	return store.Record{Data: data, Key: store.Key{
		Partition: toldPartition(w.Account), Sort: waitingPrefix + w.Of() + "/" + w.At.UTC().Format(timeFormat) + "/" + string(w.EventID),
	}}
}

// Waiting returns the range of an account's words that wait.
func Waiting(account string) store.Range {
	return store.Range{Partition: toldPartition(account), Prefix: waitingPrefix}
}

// ReadWord returns what waits, and its address, which is sealed. It returns false for what is no word.
func ReadWord(r store.Record) (w Word, sealed []byte, ok bool) {
	var in waiting
	if json.Unmarshal(r.Data, &in) != nil || in.Tenant == "" || in.Digest == "" || in.Line == "" {
		return w, nil, false
	}
	return in.Word, in.Sealed, true
}

// Outcome returns what is kept of a word that does not wait any more.
func (w *Word) Outcome(at time.Time, refused string) store.Record {
	data, _ := json.Marshal(Told{w.EventID, at.UTC().Truncate(time.Millisecond), refused}) // as above
	return store.Record{Data: data, Key: w.outcomeKey()}
}

func (w *Word) outcomeKey() store.Key {
	return store.Key{Partition: toldPartition(w.Account), Sort: outcomePrefix + w.Of()}
}

// The states of a Provider's knowledge.
const (
	KnowsItself  = "said_so" // the provider said it itself
	KnowsTold    = "told"
	KnowsLater   = "waiting" // it is to be told, and was not yet
	KnowsRefused = "refused" // it was told, and does not take it
	KnowsNothing = "unknown" // nobody tells it
)

// Line is a line of a tenant, as far as consent is concerned.
type Line struct {
	Channels []canonical.Channel
	Tells    string // the id of its account, if that tells its provider
}

// Knows returns what the provider of a line knows of the mark that holds of an address on a channel. Account is empty if it is not told.
func Knows(ctx context.Context, s Listing, who Subject, account, line string, channel canonical.Channel, m Mark) (knows Knowledge, err error) {
	knows.Line, knows.Channel, knows.State = line, channel, KnowsNothing
	if m.Line == line && (m.Source == SourceProvider || m.Source == SourceReceipt) {
		knows.State = KnowsItself
		return knows, nil
	}
	if account == "" {
		return knows, nil
	}
	w := Word{Tenant: who.Tenant, Account: account, Digest: who.Address, Line: line, Channel: channel}
	page, _, err := s.List(ctx, store.Range{Partition: toldPartition(account), Prefix: waitingPrefix + w.Of() + "/", Limit: 1})
	if err != nil || len(page) > 0 {
		knows.State = KnowsLater
		return knows, err
	}
	records, err := s.Get(ctx, w.outcomeKey())
	if err != nil || records[0].Version == 0 {
		return knows, err
	}
	var told Told
	if err := json.Unmarshal(records[0].Data, &told); err != nil || told.EventID != m.EventID {
		return knows, nil //nolint:nilerr // what cannot be read says nothing
	}
	knows.State, knows.At, knows.Reason = KnowsTold, told.At, told.Refused
	if told.Refused != "" {
		knows.State = KnowsRefused
	}
	return knows, nil
}

// Knowledge is what the provider of one of our lines knows of what somebody said.
type Knowledge struct {
	Line    string            `json:"line"`
	Channel canonical.Channel `json:"channel"`
	State   string            `json:"state"`
	At      time.Time         `json:"at,omitzero"`
	Reason  string            `json:"reason,omitempty"` // why it is refused: the provider's word
}
