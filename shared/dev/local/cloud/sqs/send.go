package sqs

import (
	"context"
	"crypto/md5" //nolint:gosec // the protocol's checksum, no security rests on it
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
	"signalbox/shared/queue/memqueue"
)

// The codes of refusals of a batch or an entry.
const (
	codeIDs      = "BatchEntryIdsNotDistinct"
	codeID       = "InvalidBatchEntryId"
	codeContents = "InvalidMessageContents"
)

// attribute is the value of a message attribute; ours are text.
type attribute struct{ DataType, StringValue string }

type sendEntry struct {
	Id                     string //nolint:revive // the protocol's name
	MessageBody            string
	MessageGroupId         string //nolint:revive // the protocol's name
	MessageDeduplicationId string //nolint:revive // the protocol's name
	MessageAttributes      map[string]attribute
}

type sendBatch struct {
	named
	Entries []sendEntry
}

type sendResult struct {
	Id                     string //nolint:revive // the protocol's name
	MessageId              string //nolint:revive // the protocol's name
	MD5OfMessageBody       string
	MD5OfMessageAttributes string `json:",omitempty"`
	SequenceNumber         string `json:",omitempty"`
}

type failedEntry struct {
	Id          string //nolint:revive // the protocol's name
	Code        string
	Message     string
	SenderFault bool
}

// batchResult returns every batch operation.
type batchResult[Result any] struct {
	Successful []Result      `json:",omitempty"`
	Failed     []failedEntry `json:",omitempty"`
}

func (s *Server) sendBatch(ctx context.Context, q *memqueue.Queue, r sendBatch) (any, error) {
	if err := distinct(r.Entries, func(e sendEntry) string { return e.Id }); err != nil {
		return nil, err
	}
	var answer batchResult[sendResult]
	var sound []sendEntry
	var messages []queue.Message
	for _, e := range r.Entries {
		m, err := message(e)
		if refused, ok := errors.AsType[*memqueue.Error](err); ok && refused.Code == codeContents {
			answer.Failed = append(answer.Failed, failure(e.Id, err))
			continue
		}
		if err != nil {
			return nil, err
		}
		sound, messages = append(sound, e), append(messages, m)
	}
	if len(messages) == 0 && len(answer.Failed) > 0 {
		return answer, nil
	}
	sent, err := q.Send(ctx, messages...)
	if err != nil {
		return nil, err
	}
	for i, o := range sent {
		if o.Err != nil {
			answer.Failed = append(answer.Failed, failure(sound[i].Id, o.Err))
			continue
		}
		answer.Successful = append(answer.Successful, sendResult{
			Id: sound[i].Id, MessageId: o.MessageID, SequenceNumber: o.Sequence,
			MD5OfMessageBody: md5Hex(sound[i].MessageBody), MD5OfMessageAttributes: md5Attributes(sound[i].MessageAttributes),
		})
	}
	return answer, nil
}

// message is what an entry asks to send. An error of codeContents concerns the entry, every other one the request.
func message(e sendEntry) (queue.Message, error) {
	m := queue.Message{ID: e.MessageDeduplicationId, Group: e.MessageGroupId, Body: []byte(e.MessageBody)}
	for name, a := range e.MessageAttributes {
		if name != inorder.TraceAttribute || a.DataType != "String" || a.StringValue == "" {
			return m, awsjson.NotUnderstood("the message attribute %s", name)
		}
		m.Trace = a.StringValue
	}
	if strings.IndexFunc(e.MessageBody, forbidden) >= 0 {
		return m, &memqueue.Error{Code: codeContents, Sender: true, Reason: "The message contains characters outside the allowed set."}
	}
	return m, nil
}

// forbidden reports whether a body may not hold r.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html.
func forbidden(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}

// distinct reports whether the ids of a batch are ids and differ.
func distinct[Entry any](entries []Entry, id func(Entry) string) error {
	seen := map[string]bool{}
	for _, e := range entries {
		switch name := id(e); {
		case name == "" || len(name) > 80 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "":
			return &memqueue.Error{Code: codeID, Sender: true, Reason: "A batch entry id is up to 80 letters, digits, hyphens and underscores."}
		case seen[name]:
			return &memqueue.Error{Code: codeIDs, Sender: true, Reason: "Two or more batch entries have the same id."}
		default:
			seen[name] = true
		}
	}
	return nil
}

// failure is an entry of a batch that failed.
func failure(id string, err error) failedEntry {
	refused, ok := errors.AsType[*memqueue.Error](err)
	if !ok {
		refused = &memqueue.Error{Code: memqueue.CodeInternal, Reason: err.Error()}
	}
	return failedEntry{Id: id, Code: queryCode(refused.Code), Message: refused.Reason, SenderFault: refused.Sender}
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s)) //nolint:gosec // the protocol's checksum
	return hex.EncodeToString(sum[:])
}

// md5Attributes is the checksum of text attributes, "" if there are none.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html.
func md5Attributes(attributes map[string]attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var b []byte
	sized := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // at most 1 MiB
		b = append(b, s...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		const isText = 1
		sized(name)
		sized(attributes[name].DataType)
		b = append(b, isText)
		sized(attributes[name].StringValue)
	}
	return md5Hex(string(b))
}
