package adapter

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
)

// Place is somewhere an event becomes durable.
type Place struct {
	Name    string
	Timeout time.Duration // of the one attempt made here; the same queue may be in the list again
	Queue   queue.Publisher
	Spool   bool // what goes here waits for the drain
}

// Places is the order every channel uses: the events queue, once more, then the spool. A provider waits ten seconds and
// more for its answer; all three together are well below.
func Places(events, spool queue.Publisher) []Place {
	return []Place{
		{Name: "events_queue", Timeout: 700 * time.Millisecond, Queue: events},
		{Name: "events_queue", Timeout: 700 * time.Millisecond, Queue: events},
		{Name: "spool", Timeout: 2 * time.Second, Queue: spool, Spool: true},
	}
}

// ReceiptPlaces is Places for receipts: a queue of their own, once more, then the spool, which sends them to that queue later.
func ReceiptPlaces(receipts queue.Publisher, spool *Spool) []Place {
	places := Places(receipts, spool.lane(laneReceipts))
	places[0].Name, places[1].Name = "receipts_queue", "receipts_queue"
	return places
}

// putAll makes everything of a webhook durable: what has an order first.
func (a *Adapter) putAll(ctx context.Context, work Work) (spooled int, err error) {
	spooled, err = a.put(ctx, a.Places, work.Messages)
	for kind, messages := range work.Lanes {
		if err != nil {
			break
		}
		var n int
		n, err = a.put(ctx, a.Lanes[kind], messages)
		spooled += n
	}
	return spooled, err
}

// put tries the places in order with what the ones before did not accept. It answers how many went to a spool.
func (a *Adapter) put(ctx context.Context, places []Place, messages []queue.Message) (spooled int, err error) {
	if len(messages) == 0 {
		return 0, nil
	}
	for _, place := range places {
		err = attempt(ctx, place, messages)
		rest := refused(messages, err)
		if place.Spool {
			spooled += len(messages) - len(rest)
		}
		if len(rest) == 0 {
			return spooled, nil
		}
		a.Logger.WarnContext(ctx, "events were not accepted", slog.String("place", place.Name),
			slog.Int("refused", len(rest)), slog.String("code", fault.Of(err).Code), slog.Any("error", err))
		messages = rest
	}
	return spooled, err
}

func attempt(ctx context.Context, place Place, messages []queue.Message) error {
	ctx, cancel := context.WithTimeout(ctx, place.Timeout)
	defer cancel()
	return place.Queue.Publish(ctx, messages...)
}

// refused answers the messages that a Publish did not accept, in their order.
func refused(messages []queue.Message, err error) []queue.Message {
	if err == nil {
		return nil
	}
	partial, ok := errors.AsType[*queue.PartialError](err)
	if !ok || len(partial.Errs) != len(messages) {
		return messages
	}
	var rest []queue.Message
	for i, err := range partial.Errs {
		if err != nil {
			rest = append(rest, messages[i])
		}
	}
	return rest
}
