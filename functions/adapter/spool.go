package adapter

import (
	"context"
	"slices"
	"time"

	"signalbox/shared/queue"
	"signalbox/shared/spool"
	"signalbox/shared/store"
)

// spoolBatch bounds what one call writes, publishes or removes: ten bodies of queue.MaxBody stay far below a database's and a
// queue's limits of a call.
const spoolBatch = 10

// Noter is what the spool and the received bytes are written to.
type Noter interface {
	Note(ctx context.Context, pointers ...store.Record) error
}

// Spool keeps encoded queue messages while their queue cannot be reached. It is a queue.Publisher, and the same for every
// provider: what is spooled was parsed and validated, and only has to be sent. Records do not expire; the Drain removes them.
type Spool struct {
	notes Noter
	queue string        // a lane's name, empty for the events queue
	delay time.Duration // what is kept is sent no earlier than this
}

// receiptsLane is what a spooled message remembers of its queue.
const receiptsLane = "receipts"

// lane returns the same spool for another queue.
func (s *Spool) lane(name string) *Spool { return &Spool{notes: s.notes, queue: name} }

// after returns the same spool for what is to wait.
func (s *Spool) after(delay time.Duration) *Spool { return &Spool{s.notes, s.queue, delay} }

// NewSpool returns the spool in this table.
func NewSpool(notes Noter) *Spool { return &Spool{notes: notes} }

// Publish implements queue.Publisher. An error says nothing about single messages: some may have been kept.
func (s *Spool) Publish(ctx context.Context, messages ...queue.Message) error {
	now := time.Now().Add(s.delay)
	records := make([]store.Record, len(messages))
	for i, m := range messages {
		records[i] = spool.Record(now.Add(time.Duration(i)), s.queue, m) // a nanosecond apart: messages of one call keep their order
	}
	for batch := range slices.Chunk(records, spoolBatch) {
		if err := s.notes.Note(ctx, batch...); err != nil {
			return err
		}
	}
	return nil
}
