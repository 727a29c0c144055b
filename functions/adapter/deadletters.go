package adapter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

const (
	bytesPart    = queue.MaxBody // bytes of a part: what is sealed and not kept apart
	partsPerCall = 10
)

// DeadLetterWriter keeps what is authentic and cannot be used. *DeadLetters is one.
type DeadLetterWriter interface {
	// Write keeps a webhook and why it was given up. owner is the account's tenant.
	Write(ctx context.Context, w Webhook, owner string, cause *fault.Error) error
}

// DeadLetters keeps webhooks as they were received, so that they can be parsed again by a better build.
type DeadLetters struct {
	sealer  Sealer
	bytes   Noter
	records deadletter.Store
	version string
}

// NewDeadLetters returns DeadLetters that seal the received bytes with s and keep them in parts in received. The records that say
// why go to records, with the published version of the function that gives up.
func NewDeadLetters(s Sealer, received Noter, records deadletter.Store, version string) *DeadLetters {
	return &DeadLetters{s, received, records, version}
}

// received is the record beside the parts: what of the request is not its body and is needed to parse it again. The
// signature and all other headers are left out, but those that the channel reads.
type received struct {
	Provider    string      `json:"provider"`
	Account     string      `json:"account"`
	Kind        string      `json:"kind"`
	Path        string      `json:"path"`
	Query       string      `json:"query,omitempty"`
	ContentType string      `json:"contentType,omitempty"`
	Header      http.Header `json:"header,omitempty"` // of Description.Keeps
	Received    time.Time   `json:"received"`
	Size        int         `json:"size"`
	Parts       int         `json:"parts"`
}

// Write implements DeadLetterWriter. The bytes come first: a record that points to nothing would be a promise that cannot be kept. One
// webhook is one dead letter however often it comes, for its id is made of its content.
func (d *DeadLetters) Write(ctx context.Context, w Webhook, owner string, cause *fault.Error) error {
	id := deadLetterID(owner, w)
	record := deadletter.Record{
		ID: id, Tenant: owner, Stage: deadletter.StageReceive,
		Kind: cause.Kind.String(), Code: cause.Code, Reason: cause.Error(),
		Attempts: 1, First: w.Received, Last: w.Received,
		FunctionVersion: d.version, Trace: telemetry.Trace(ctx), Provider: w.Provider,
		Parts: (len(w.Body) + bytesPart - 1) / bytesPart, BytesKey: "bytes/" + id,
	}
	if err := d.writeBytes(ctx, record, w, isTransient(cause)); err != nil {
		return fmt.Errorf("received bytes: %w", err)
	}
	return deadletter.Write(ctx, d.records, record)
}

// writeBytes writes the parts, then what describes them, and with it where it waits if it is to be parsed again by itself.
func (d *DeadLetters) writeBytes(ctx context.Context, r deadletter.Record, w Webhook, again bool) error {
	expires := w.Received.Add(deadletter.Retention)
	data, err := json.Marshal(received{
		Provider: w.Provider, Account: w.AccountID, Kind: w.Kind, Path: w.Path, Query: w.RawQuery,
		ContentType: w.Header.Get("Content-Type"), Header: w.kept, Received: w.Received.UTC(), Size: len(w.Body), Parts: r.Parts,
	})
	if err != nil {
		return err
	}
	if data, err = d.sealer.SealTenant(ctx, sealedFor(r, headSort), data); err != nil {
		return err
	}
	var records []store.Record
	for part := range r.Parts {
		rest, key := w.Body[part*bytesPart:], deadletter.PartKey(r, part)
		sealed, err := d.sealer.SealTenant(ctx, sealedFor(r, key.Sort), rest[:min(len(rest), bytesPart)])
		if err != nil {
			return err
		}
		records = append(records, store.Record{Key: key, Expires: expires, Data: sealed})
	}
	records = append(records, store.Record{Key: store.Key{Partition: r.BytesKey, Sort: headSort}, Expires: expires, Data: data})
	if again {
		records = append(records, retryPointer(r))
	}
	for batch := range slices.Chunk(records, partsPerCall) {
		if err := d.bytes.Note(ctx, batch...); err != nil {
			return err
		}
	}
	return nil
}

// headSort is the sort key of what describes the parts.
const headSort = "head"

// sealedFor returns what a piece of the received bytes is sealed for.
func sealedFor(r deadletter.Record, sort string) keyring.Place {
	return keyring.Place{Tenant: r.Tenant, Purpose: "received", Name: r.ID + " " + sort}
}

// deadLetterID is the same for the same content: a UUID like an event's, of the kind "webhook".
func deadLetterID(owner string, w Webhook) string {
	h := sha256.New()
	_, _ = h.Write([]byte(http.MethodPost + " " + w.Path + "?" + w.RawQuery + "\n"))
	_, _ = h.Write(w.Body)
	for _, name := range slices.Sorted(maps.Keys(w.kept)) { // who says it may be in a header
		_, _ = h.Write([]byte("\n" + name + ": " + w.kept.Get(name)))
	}
	return string(canonical.NewEventID(owner, w.Provider, w.AccountID, "webhook", hex.EncodeToString(h.Sum(nil))))
}
