// Package spool is the form in which a message of a queue waits in a table until it is sent: because its queue took nothing when it was
// made, or because its time has not come. It is sent as it is, so that whoever sends it needs no key.
package spool

import (
	"encoding/json"
	"hash/fnv"
	"strconv"
	"time"

	"signalbox/shared/queue"
	"signalbox/shared/store"
)

// Time is a time in byte order: fixed width, UTC. What waits is in the order of its sort key, which begins with one.
const Time = "2006-01-02T15:04:05.000000000Z"

// Shards is how many partitions there are of what waits for its queue. A group is in one of them, so that its order is that of the
// partition.
const Shards = 16

// DueShards is how many partitions there are of what waits for its time: each takes a thousand a second, and costs a read a minute.
const DueShards = 8

// Shard returns which of several shards a name is in.
func Shard(name string, shards int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32() % uint32(shards)) //nolint:gosec // a small number
}

// Waiting returns the partition of a shard of what waits for its queue.
func Waiting(shard int) string { return "spool/" + strconv.Itoa(shard) }

// DuePartition returns the partition of a shard of what waits for its time.
func DuePartition(shard int) string { return "due/" + strconv.Itoa(shard) }

// Due returns the record of a message that is to be sent to the events queue at a time. That of the same message and time is the same, so
// that it may be written again.
func Due(at time.Time, m queue.Message) store.Record {
	return record(DuePartition(Shard(m.Group, DueShards)), at, "", m)
}

// Record returns the record of a message that has waited since a time for its queue: the name of a lane, "" for the events queue.
func Record(since time.Time, lane string, m queue.Message) store.Record {
	together := m.Group
	if lane != "" { // without an order to keep, a tenant's messages need no partition of their own
		together = m.ID
	}
	return record(Waiting(Shard(together, Shards)), since, lane, m)
}

func record(partition string, at time.Time, lane string, m queue.Message) store.Record {
	out := message{Lane: lane, ID: m.ID, Group: m.Group, Trace: m.Trace}
	if isText(m.Body) {
		out.Text = string(m.Body)
	} else {
		out.Body = m.Body
	}
	data, _ := json.Marshal(out) // strings and bytes always encode
	return store.Record{Data: data, Key: store.Key{Partition: partition, Sort: at.UTC().Format(Time) + "/" + m.ID}}
}

// message is a queue.Message as a record's data.
type message struct {
	Lane  string `json:"queue,omitempty"`
	ID    string `json:"id"`
	Group string `json:"group"`
	Trace string `json:"trace,omitempty"`
	Body  []byte `json:"body,omitempty"`
	Text  string `json:"text,omitempty"` // a body that is text already, as a sealed one is: base64 upon base64 would not fit a record
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

// Read returns the message of a record, and its lane. Ok is false if it cannot be read.
func Read(r store.Record) (m queue.Message, lane string, ok bool) {
	var in message
	if err := json.Unmarshal(r.Data, &in); err != nil || in.ID == "" || in.Group == "" {
		return m, "", false
	}
	m = queue.Message{ID: in.ID, Group: in.Group, Trace: in.Trace, Body: in.Body}
	if in.Text != "" {
		m.Body = []byte(in.Text)
	}
	return m, in.Lane, true
}

// At returns the time of a record, by its place in the order.
func At(r store.Record) (time.Time, bool) {
	at, err := time.Parse(Time, r.Sort[:min(len(Time), len(r.Sort))])
	return at, err == nil
}
