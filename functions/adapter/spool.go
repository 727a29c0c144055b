package adapter

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

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

// Noter is what the spool and the received bytes are written to.
type Noter interface {
	Note(ctx context.Context, pointers ...store.Record) error
}

// Spool keeps encoded queue messages while their queue cannot be reached. It is a queue.Publisher, and the same for every
// provider: what is spooled was parsed and validated, and only has to be sent. Records do not expire; the Drain removes them.
type Spool struct {
	notes Noter
	queue string // a lane's name, empty for the events queue
}

// receiptsLane is what a spooled message remembers of its queue.
const receiptsLane = "receipts"

// lane returns the same spool for another queue.
func (s *Spool) lane(name string) *Spool { return &Spool{s.notes, name} }

// NewSpool returns the spool in this table.
func NewSpool(notes Noter) *Spool { return &Spool{notes: notes} }

// spooled is a queue.Message as a record's data.
type spooled struct {
	Queue string `json:"queue,omitempty"` // empty: the events queue
	ID    string `json:"id"`
	Group string `json:"group"`
	Trace string `json:"trace,omitempty"`
	Body  []byte `json:"body,omitempty"`
	Text  string `json:"text,omitempty"` // a body that is text already, as a sealed one is: base64 upon base64 would not fit a record
}

// body returns the body, in whichever form it was spooled.
func (s *spooled) body() []byte {
	if s.Text != "" {
		return []byte(s.Text)
	}
	return s.Body
}

// data makes a record's data of a message.
func (s *Spool) data(m queue.Message) []byte {
	out := spooled{Queue: s.queue, ID: m.ID, Group: m.Group, Trace: m.Trace}
	if isText(m.Body) {
		out.Text = string(m.Body)
	} else {
		out.Body = m.Body
	}
	data, _ := json.Marshal(out) // strings and bytes always encode
	return data
}

// isText reports whether every byte takes one byte of JSON too, or two at most.
func isText(body []byte) bool {
	for _, c := range body {
		if c < ' ' || c > '~' || c == '<' || c == '>' || c == '&' || c == '\\' {
			return false
		}
	}
	return true
}

// Publish implements queue.Publisher. An error says nothing about single messages: some may have been kept.
func (s *Spool) Publish(ctx context.Context, messages ...queue.Message) error {
	now := time.Now()
	records := make([]store.Record, len(messages))
	for i, m := range messages {
		at := now.Add(time.Duration(i)) // a nanosecond apart: messages of one call keep their order
		together := m.Group
		if s.queue != "" { // without an order to keep, a tenant's messages need no partition of their own
			together = m.ID
		}
		records[i] = store.Record{Data: s.data(m), Key: store.Key{Partition: partition(shard(together)), Sort: at.UTC().Format(sortTime) + "/" + m.ID}}
	}
	for batch := range slices.Chunk(records, spoolBatch) {
		if err := s.notes.Note(ctx, batch...); err != nil {
			return err
		}
	}
	return nil
}

// shard returns the shard of a group.
func shard(group string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(group))
	return int(h.Sum32() % Shards)
}

func partition(shard int) string { return "spool/" + strconv.Itoa(shard) }
