package relay

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"signalbox/functions/adapter/bluebubbles/imessage"
)

// askAlways asks the server for what it has: at once, then every so often, and when there is a sign that something was not told.
func (r *Relay) askAlways(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.ask(ctx); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "the server was not asked to the end", slog.Any("error", err))
		}
		next := time.NewTimer(r.config.Every)
		await(ctx, r.behind, next.C)
		next.Stop()
	}
}

// ask reads all messages since the position, and those before it of which there may be news, and moves the position to when it began. What of
// them was told already is not told again.
func (r *Relay) ask(ctx context.Context) (err error) {
	r.remember(map[string][]imessage.Handle{})
	defer r.remember(nil)
	began := time.Now().UnixMilli()
	after := max(r.journal.position()-r.config.Lookback.Milliseconds(), 0)
	for offset := 0; ; {
		messages, failed := r.server.since(ctx, after, offset)
		if failed != nil {
			return failed
		}
		count := 0
		for one := range messages.Elements() { // one chat that cannot be asked for holds up no other
			err = errors.Join(err, r.consider(ctx, imessage.New, one, nil))
			count++
		}
		if offset += count; count < page {
			break
		}
	}
	if err != nil {
		return err
	}
	return r.journal.reached(began)
}

// remember keeps who takes part in chats, for as long as a round takes.
func (r *Relay) remember(round map[string][]imessage.Handle) {
	r.taking.Lock()
	defer r.taking.Unlock()
	r.round = round
}
