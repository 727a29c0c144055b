package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/unknown"
)

// partSize is how much of a body fits beside a record's other fields: base64 makes four bytes of three.
const partSize = 200 << 10

// The codes of the faults of this package.
const (
	CodeContended = "dead_letter_contended"
	CodeInvalid   = "dead_letter_invalid"
)

// Store is what Write needs of a store.
type Store interface {
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
	Note(ctx context.Context, pointers ...store.Record) error
}

// Key returns where rec is kept: beside the event it belongs to.
func Key(rec Record) store.Key {
	id := rec.EventID
	if id == "" {
		id = rec.ID
	}
	return store.Key{Partition: tenant(rec) + "/event/" + id, Sort: "dead/" + rec.Stage}
}

// Pointer is the Data of a day's entry: enough to choose by, and where the record is.
type Pointer struct {
	Stage     string `json:"stage"`
	Kind      string `json:"kind"`
	Code      string `json:"code"`
	Partition string `json:"partition"`
	Sort      string `json:"sort"`
	Group     string `json:"group,omitempty"`
}

// Day returns the partition that holds the pointers of a tenant's dead letters of one day (UTC), in the order of Last.
func Day(tenantID string, day time.Time) string {
	return tenant(Record{Tenant: tenantID}) + "/dead/" + day.UTC().Format(time.DateOnly)
}

// Write keeps a dead letter: the pointer and the parts first, then the record. Writing the same one again changes nothing;
// a later one of the same event and stage (the message was redriven and failed again) takes its place.
func Write(ctx context.Context, s Store, rec Record) error {
	if rec.ID == "" || rec.Stage == "" || rec.Last.IsZero() {
		return fault.New(fault.Permanent, CodeInvalid, errors.New("id, stage and last are required"))
	}
	rec.Tenant, rec.First, rec.Last = tenant(rec), rec.First.UTC(), rec.Last.UTC()
	expires := rec.Last.Add(Retention)
	notes, err := pointers(&rec, expires)
	if err != nil {
		return err
	}
	for _, note := range notes { // one at a time: a part is large, and nearly always there is one pointer
		if err := s.Note(ctx, note); err != nil {
			return err
		}
	}
	return write(ctx, s, store.Record{Key: Key(rec)}, func(held Record, ok bool) (Record, bool) {
		return rec, !ok || !same(held, rec) && rec.Last.After(held.Last)
	})
}

// pointers returns what is noted before the record. A body that does not fit into the record moves into parts.
func pointers(rec *Record, expires time.Time) ([]store.Record, error) {
	key := Key(*rec)
	data, err := json.Marshal(Pointer{rec.Stage, rec.Kind, rec.Code, key.Partition, key.Sort, rec.Group})
	if err != nil {
		return nil, fault.New(fault.Permanent, CodeInvalid, err)
	}
	notes := []store.Record{{
		Key:     store.Key{Partition: Day(rec.Tenant, rec.Last), Sort: pointerSort(*rec)},
		Expires: expires, Data: data,
	}}
	if len(rec.Body) <= partSize {
		return notes, nil
	}
	for body := range slices.Chunk(rec.Body, partSize) {
		notes = append(notes, store.Record{Key: PartKey(*rec, rec.Parts), Expires: expires, Data: body})
		rec.Parts++
	}
	rec.Body = nil
	return notes, nil
}

// same reports whether two records are of one giving up: a copy of a message that is met later knows less about the reason.
func same(a, b Record) bool { return a.ID == b.ID && a.Code == b.Code }

// Read decodes a record of the store; ok is false when it holds none. Its Body is empty when Parts is not 0: see PartKey.
func Read(record store.Record) (rec Record, ok bool) {
	if record.Version == 0 {
		return rec, false
	}
	var err error
	rec.Unknown, err = unknown.Unmarshal(record.Data, &rec)
	return rec, err == nil
}

// PartKey returns where part n (from 0) of rec's body is: in the partition BytesKey when that is set.
func PartKey(rec Record, n int) store.Key {
	part := fmt.Sprintf("part/%04d", n)
	if rec.BytesKey != "" {
		return store.Key{Partition: rec.BytesKey, Sort: part}
	}
	key := Key(rec)
	return store.Key{Partition: key.Partition, Sort: fmt.Sprintf("%s/%d/%s", key.Sort, rec.Last.UnixNano(), part)}
}

func tenant(rec Record) string {
	if rec.Tenant == "" {
		return NoTenant
	}
	return rec.Tenant
}
