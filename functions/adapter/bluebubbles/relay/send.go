package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"signalbox/shared/standardwebhooks"
)

// The times between attempts: each twice the one before, and somewhere in its upper half, so that many Macs do not come at once.
const (
	leastPause = time.Second
	mostPause  = 5 * time.Minute
)

// sendAll sends what is to be sent, one after another, until ctx is done. What is not accepted holds up what is behind it: they may be of one
// person.
func (r *Relay) sendAll(ctx context.Context) {
	pause := leastPause
	for ctx.Err() == nil {
		e, ok := r.journal.first()
		if !ok {
			await(ctx, r.unsent, nil)
			continue
		}
		asked, err := r.send(ctx, e)
		if err == nil {
			err = r.journal.done(e.IDs[0])
		}
		if err == nil {
			pause = leastPause
			continue
		}
		if ctx.Err() != nil {
			return
		}
		wait := max(asked, pause/2+rand.N(pause/2)) //nolint:gosec // nobody gains by guessing it
		r.log.WarnContext(ctx, "not accepted, and tried again", slog.Any("error", err), slog.Duration("in", wait), slog.Int("waiting", len(r.journal.all())))
		pause = min(2*pause, mostPause)
		await(ctx, nil, time.After(wait))
	}
}

// await waits for one of two, or until ctx is done.
func await(ctx context.Context, one <-chan struct{}, other <-chan time.Time) {
	select {
	case <-ctx.Done():
	case <-one:
	case <-other:
	}
}

// send sends an entry, signed now. It returns nil when it need not be sent again: it was accepted, or it is too large to be ever. Otherwise it
// also returns how long the endpoint asks to wait.
func (r *Relay) send(ctx context.Context, e entry) (wait time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.config.Endpoint, bytes.NewReader(e.Body))
	if err != nil {
		return 0, err
	}
	request.Header = standardwebhooks.Sign(r.config.Secret, e.IDs[0], time.Now(), e.Body)
	request.Header.Set("Content-Type", "application/json")
	response, err := r.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16)) // so that the connection can be used again
	switch status := response.StatusCode; {
	case status/100 == http.StatusOK/100:
		return 0, nil
	case status == http.StatusRequestEntityTooLarge:
		r.log.ErrorContext(ctx, "a message is too large to be accepted, and is not sent", slog.Int("bytes", len(e.Body)))
		return 0, nil
	case status == http.StatusForbidden:
		err = errors.New("the endpoint answers 403: secret is not the account's authToken, or this Mac's clock is off by more than five minutes")
	case status == http.StatusNotFound:
		err = errors.New("the endpoint answers 404: there is no such account, or endpoint is misspelt")
	default:
		err = errors.New("the endpoint answers " + strconv.Itoa(status))
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return min(time.Duration(max(seconds, 0))*time.Second, mostPause), err
}
