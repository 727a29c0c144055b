package adapter

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"strconv"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store"
)

// Shards is how many partitions the spool has. A group is in one of them, so that its order is that of the partition.
const Shards = 16

// spoolBatch bounds what one call writes, publishes or removes: ten bodies of queue.MaxBody stay far below a database's and a
// queue's limits of a call.
const spoolBatch = 10

// sortTime is a time in byte order: fixed width, UTC.
const sortTime = "2006-01-02T15:04:05.000000000Z"

// Notes is what the spool and the received bytes are written to.
type Notes interface {
	Note(ctx context.Context, pointers ...store.Record) error
}

// Spool keeps encoded queue messages while their queue cannot be reached. It is a queue.Publisher, and the same for every
// provider: what is spooled was parsed and validated, and only has to be sent. Records do not expire; the Drain removes them.
type Spool struct{ notes Notes }

// NewSpool returns the spool in this table.
func NewSpool(notes Notes) *Spool { return &Spool{notes} }

// spooled is a queue.Message as a record's data.
type spooled struct {
	ID    string `json:"id"`
	Group string `json:"group"`
	Trace string `json:"trace,omitempty"`
	Body  []byte `json:"body"`
}

// Publish implements queue.Publisher. An error says nothing about single messages: some may have been kept.
func (s *Spool) Publish(ctx context.Context, messages ...queue.Message) error {
	now := time.Now()
	batch := make([]store.Record, 0, spoolBatch)
	for i, m := range messages {
		data, err := json.Marshal(spooled{ID: m.ID, Group: m.Group, Trace: m.Trace, Body: m.Body})
		if err != nil {
			return fault.New(fault.Permanent, "spool_encoding", nil)
		}
		at := now.Add(time.Duration(i)) // a nanosecond apart: messages of one call keep their order
		batch = append(batch, store.Record{Key: store.Key{
			Partition: partition(shard(m.Group)),
			Sort:      at.UTC().Format(sortTime) + "/" + m.ID,
		}, Data: data})
		if len(batch) == spoolBatch || i == len(messages)-1 {
			if err := s.notes.Note(ctx, batch...); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return nil
}

// shard answers the shard of a group.
func shard(group string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(group))
	return int(h.Sum32() % Shards)
}

func partition(shard int) string { return "spool/" + strconv.Itoa(shard) }
