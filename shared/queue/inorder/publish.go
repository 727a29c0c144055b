// Package inorder cuts what is published into batches that keep the order of every group. The entries of one batch are
// accepted or refused one by one, so a batch that held two messages of a group could lose the first and keep the second;
// here a batch holds at most one message of a group, and what follows a failure in its group is not sent.
package inorder

import (
	"context"
	"errors"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
)

// The limits of one batch.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html.
const (
	MaxEntries = 10
	MaxBytes   = 1 << 20 // of all messages of a batch together, so of one message too
)

// TraceAttribute is the name under which a message carries its traceparent, the only attribute there is.
const TraceAttribute = "traceparent"

// The codes of the faults that Publish returns for messages that were never sent.
const (
	CodeTooLarge = "queue_message_too_large" // permanent: larger than a whole batch may be
	CodeHeldBack = "queue_held_back"         // retryable: an earlier message of the group, or an earlier batch, was not accepted
)

// errHeldBack is the cause of CodeHeldBack.
var errHeldBack = errors.New("not sent because an earlier message was not accepted")

// Size is what m counts for against MaxBytes: its body and its attribute with name, type and value.
func Size(m queue.Message) int {
	size := len(m.Body)
	if m.Trace != "" {
		size += len(TraceAttribute) + len("String") + len(m.Trace)
	}
	return size
}

// Send hands over one batch. The first result holds an error or nil for each message in their order; the second is not nil
// when the call as a whole failed and nothing is known to be accepted.
type Send func(ctx context.Context, batch []queue.Message) ([]error, error)

// Publish sends the messages in as few calls as their groups and the limits allow. It returns nil or a
// *queue.PartialError. After a call that failed as a whole nothing more is sent: the next one would most likely fail too,
// and the caller's time is better spent on another durable place. A message without a group has no order to keep.
func Publish(ctx context.Context, messages []queue.Message, send Send) error {
	return publish(ctx, publication{messages: messages}, send)
}

// PublishUnordered is Publish to a queue that keeps no order, where a group only says whose a message is: a batch takes as
// many of one group as there are, and a refused message holds no other back.
func PublishUnordered(ctx context.Context, messages []queue.Message, send Send) error {
	return publish(ctx, publication{messages: messages, unordered: true}, send)
}

func publish(ctx context.Context, p publication, send Send) error {
	messages := p.messages
	p.errs, p.failed = make([]error, len(messages)), map[string]bool{}
	open := make([]int, len(messages))
	for i := range open {
		open[i] = i
	}
	for len(open) > 0 {
		var batch []int
		batch, open = p.cut(open)
		if len(batch) == 0 {
			continue
		}
		if err := p.send(ctx, batch, send); err != nil {
			p.refuse(open, heldBack())
			break
		}
	}
	if !p.any {
		return nil
	}
	return &queue.PartialError{Errs: p.errs}
}

// publication is one Publish in progress.
type publication struct {
	messages  []queue.Message
	errs      []error
	failed    map[string]bool // groups of which a message was not accepted
	any       bool
	unordered bool // groups are no matter
}

// group returns the group whose order i keeps, "" for none.
func (p *publication) group(i int) string {
	if p.unordered {
		return ""
	}
	return p.messages[i].Group
}

// cut takes the next batch from open and returns what remains. What cannot be sent any more is refused and is in neither.
func (p *publication) cut(open []int) (batch, rest []int) {
	taken := make(map[string]bool, MaxEntries)
	size := 0
	for _, i := range open {
		m := p.messages[i]
		bytes, group := Size(m), p.group(i)
		switch {
		case group != "" && p.failed[group]:
			p.refuse([]int{i}, heldBack())
		case group != "" && taken[group]:
			rest = append(rest, i)
		case bytes > MaxBytes:
			p.refuse([]int{i}, fault.New(fault.Permanent, CodeTooLarge, nil))
		case len(batch) == MaxEntries || size+bytes > MaxBytes:
			taken[group] = true // a smaller, later message of the group must not overtake it
			rest = append(rest, i)
		default:
			taken[group] = true
			size += bytes
			batch = append(batch, i)
		}
	}
	return batch, rest
}

// send hands over one batch and returns an error only if the call as a whole failed.
func (p *publication) send(ctx context.Context, batch []int, send Send) error {
	messages := make([]queue.Message, len(batch))
	for k, i := range batch {
		messages[k] = p.messages[i]
	}
	errs, err := send(ctx, messages)
	if err != nil {
		p.refuse(batch, err)
		return err
	}
	for k, i := range batch {
		if k < len(errs) && errs[k] != nil {
			p.refuse([]int{i}, errs[k])
		}
	}
	return nil
}

func (p *publication) refuse(indexes []int, err error) {
	for _, i := range indexes {
		p.errs[i], p.any = err, true
		p.failed[p.group(i)] = true
	}
}

func heldBack() error { return fault.New(fault.Retryable, CodeHeldBack, errHeldBack) }
