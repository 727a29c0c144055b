// Package eventrecord is how the record of an event, and of what was decided about it, is kept: compressed JSON, sealed by the person's key.
// The router writes it and says what is in it; whoever needs one member of it reads that.
package eventrecord

import (
	"bytes"
	"compress/zlib"
	"context"
	_ "embed" // of the dictionary
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"

	"signalbox/shared/canonical"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/store"
)

// CodeMalformed is the code of a record that cannot be read.
const CodeMalformed = "event_record_malformed"

// dictionary is what records have in common: members in the order in which they are written, and values that most have.
// Compressed with it a record takes a half to a third of what it takes without, so that one of an ordinary message stays within
// the kilobyte that the database bills as one. Its bytes are part of the format: whoever changes it keeps the old one for the
// records that were written with it, which name it by its checksum (RFC 1950, section 2.2).
//
//go:embed record.dictionary
var dictionary []byte

// level is the lowest that makes use of a dictionary.
const level = 2

// Encoder encodes records. A writer's tables take a megabyte, so that they are used again. The zero value is ready, and safe for concurrent
// use.
type Encoder struct{ writers sync.Pool }

// Encode returns the bytes a record is kept as, before it is sealed.
func (c *Encoder) Encode(record any) ([]byte, error) {
	var out bytes.Buffer
	w, ok := c.writers.Get().(*zlib.Writer)
	if !ok {
		var err error
		if w, err = zlib.NewWriterLevelDict(nil, level, dictionary); err != nil {
			return nil, err
		}
	}
	w.Reset(&out)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // an angle bracket would take six bytes
	if err := errors.Join(encoder.Encode(record), w.Close()); err != nil {
		return nil, fault.New(fault.Permanent, canonical.CodeInvalid, nil)
	}
	c.writers.Put(w)
	return out.Bytes(), nil
}

// most bounds what a record is decompressed to: a message and a decision about it for every CRM a tenant may have.
const most = 16 << 20

// Place returns what an event's record is sealed for.
func Place(key store.Key) keyring.Place {
	tenant, _, _ := strings.Cut(key.Partition, "/")
	return keyring.Place{Tenant: tenant, Purpose: "event-record", Name: key.Partition}
}

// Open reads the data of the event's record that is kept under key into record. Of a release before there are records that are not
// sealed: no key that was deleted makes those unreadable, they end with their time.
func Open(ctx context.Context, opener envelope.Opener, key store.Key, data []byte, record any) error {
	if keyring.Sealed(data) {
		var err error
		if data, err = opener.Open(ctx, Place(key), data); err != nil {
			return err
		}
	}
	return Decode(data, record)
}

// Decode reads the data of an event's record that is not sealed, or was opened.
func Decode(data []byte, record any) error {
	malformed := fault.New(fault.Permanent, CodeMalformed, nil)
	compressed, err := zlib.NewReaderDict(bytes.NewReader(data), dictionary)
	if err != nil {
		return malformed
	}
	plain, err := io.ReadAll(io.LimitReader(compressed, most+1))
	if err != nil || len(plain) > most || json.Unmarshal(plain, record) != nil {
		return malformed
	}
	return nil
}
