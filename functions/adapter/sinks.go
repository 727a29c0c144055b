package adapter

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
)

// Sink is somewhere an event becomes durable.
type Sink struct {
	Name  string
	Share int // of a webhook's time, in hundredths, for the one attempt made here; the same queue may be in the list again
	Queue queue.Publisher
	Spool bool // what goes here waits for the drain
}

// Sinks is the order every channel uses: the events queue, once more, then the spool.
func Sinks(events, spool queue.Publisher) []Sink {
	return []Sink{
		{Name: "events_queue", Share: queueShare, Queue: events},
		{Name: "events_queue", Share: queueShare, Queue: events},
		{Name: "spool", Share: spoolShare, Queue: spool, Spool: true},
	}
}

// ReceiptSinks is Sinks for receipts: a queue of their own, once more, then the spool, which sends them to that queue later.
func ReceiptSinks(receipts queue.Publisher, spool *Spool) []Sink {
	sinks := Sinks(receipts, spool.lane(receiptsLane))
	sinks[0].Name, sinks[1].Name = "receipts_queue", "receipts_queue"
	return sinks
}

// LaterSinks is where an event waits that another webhook tells better: in the spool until that has had its time, and at once in the events
// queue if there is no room in it.
func LaterSinks(events queue.Publisher, spool *Spool) []Sink {
	return []Sink{
		{Name: "spool", Share: spoolShare, Queue: spool.after(secondAfter)},
		{Name: "events_queue", Share: queueShare, Queue: events},
	}
}

// secondAfter is how long a better webhook has: its tries take less than a minute. It is less than the five in which the events queue drops
// what has the same id, so that a copy costs the router nothing.
const secondAfter = 2 * time.Minute

// publishAll makes everything of a webhook durable, lanes side by side.
func (a *Adapter) publishAll(ctx context.Context, work Batch, all budget) (spooled int, err error) {
	if len(work.Lanes)+len(work.Later) == 0 {
		return a.publish(ctx, a.Sinks, work.Messages, all)
	}
	type lane struct {
		sinks    []Sink
		messages []queue.Message
		spooled  int
		err      error
		thrown   any
	}
	lanes := []*lane{{sinks: a.Sinks, messages: work.Messages}}
	for kind, messages := range work.Lanes {
		lanes = append(lanes, &lane{sinks: a.Lanes[kind], messages: messages})
	}
	if len(work.Later) > 0 {
		lanes = append(lanes, &lane{sinks: a.Later, messages: work.Later})
	}
	var running sync.WaitGroup
	for _, l := range lanes {
		running.Go(func() {
			defer func() { l.thrown = recover() }() // here it would end the process
			l.spooled, l.err = a.publish(ctx, l.sinks, l.messages, all)
		})
	}
	running.Wait()
	for _, l := range lanes {
		if l.thrown != nil {
			panic(l.thrown)
		}
		spooled += l.spooled
		err = errors.Join(err, l.err)
	}
	return spooled, err
}

// publish tries the sinks in order with what the ones before did not accept. It returns how many went to a spool.
func (a *Adapter) publish(ctx context.Context, sinks []Sink, messages []queue.Message, all budget) (spooled int, err error) {
	if len(messages) == 0 {
		return 0, nil
	}
	for _, sink := range sinks {
		attempt, cancel := all.share(ctx, sink.Share)
		err = sink.Queue.Publish(attempt, messages...)
		cancel()
		rest := refused(messages, err)
		if sink.Spool {
			spooled += len(messages) - len(rest)
		}
		if len(rest) == 0 {
			return spooled, nil
		}
		a.Logger.WarnContext(ctx, "events were not accepted", slog.String("place", sink.Name),
			slog.Int("refused", len(rest)), slog.String("code", fault.Of(err).Code), slog.Any("error", err))
		messages = rest
	}
	return spooled, err
}

// refused returns the messages that a Publish did not accept, in their order.
func refused(messages []queue.Message, err error) []queue.Message {
	var rest []queue.Message
	for i, err := range queue.Errors(err, len(messages)) {
		if err != nil {
			rest = append(rest, messages[i])
		}
	}
	return rest
}
