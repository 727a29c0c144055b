package adapter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/webhook"
)

// requestRetention is how long a request is known by its id: longer than senders repeat one, which they are told to do for a day.
const requestRetention = 7 * 24 * time.Hour

// RequestStore keeps requests. Its Write of one change is a plain write: what faces the internet has no rights to more.
type RequestStore interface {
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Requests remembers what was answered to requests, by the ids that their senders gave them, and what of each was received.
type Requests struct{ store RequestStore }

// NewRequests returns Requests that are kept in s.
func NewRequests(s RequestStore) *Requests { return &Requests{s} }

// request is one that was received: its body's digest and, once everything of it is durable, its answer.
type request struct {
	Digest []byte  `json:"digest"`
	Answer *answer `json:"answer,omitempty"`

	held store.Record
}

// answer is a webhook.Response as it is kept.
type answer struct {
	Status int    `json:"status"`
	Type   string `json:"type,omitempty"`
	Body   string `json:"body,omitempty"`
}

// response returns the answer as it is given.
func (a answer) response() webhook.Response {
	return webhook.Response{Status: a.Status, ContentType: a.Type, Body: []byte(a.Body)}
}

// requestKey returns where a request is kept. The id is the sender's, so that it goes in as a digest: rights go by the form of the key.
func requestKey(account, id string) store.Key {
	sum := sha256.Sum256([]byte(account + "/" + id)) // an account's name has no slash
	return store.Key{Partition: account + "/request/" + hex.EncodeToString(sum[:]), Sort: "answer"}
}

// claim notes that a webhook is worked on, by one write, and returns it as it was noted first. Whoever finds it unanswered may work on it as
// well: its events have the same ids. The error is a Permanent fault with CodeReused where the first had another body.
func (q *Requests) claim(ctx context.Context, w Webhook, id string) (*request, error) {
	digest := sha256.Sum256(w.Body)
	r := &request{Digest: digest[:], held: store.Record{Key: requestKey(w.AccountID, id), Expires: w.Received.Add(requestRetention)}}
	err := q.write(ctx, r)
	conflict, lost := errors.AsType[*store.ConflictError](err)
	if !lost {
		return r, err
	}
	first := &request{held: conflict.Held}
	if err := json.Unmarshal(conflict.Held.Data, first); err != nil {
		return nil, fault.New(fault.Retryable, "request_malformed", nil)
	}
	if !bytes.Equal(first.Digest, digest[:]) {
		return nil, fault.New(fault.Permanent, CodeReused, nil)
	}
	return first, nil
}

// complete notes the answer to a request, and returns the one that stands: another who worked on it may have been first.
func (q *Requests) complete(ctx context.Context, r *request, given webhook.Response) (webhook.Response, error) {
	r.Answer = &answer{given.Status, given.ContentType, string(given.Body)}
	err := q.write(ctx, r)
	if conflict, lost := errors.AsType[*store.ConflictError](err); lost {
		var first request
		if err := json.Unmarshal(conflict.Held.Data, &first); err == nil && first.Answer != nil {
			return first.Answer.response(), nil
		}
	}
	return given, err
}

func (q *Requests) write(ctx context.Context, r *request) (err error) {
	if r.held.Data, err = json.Marshal(r); err != nil {
		return err
	}
	written, err := q.store.Write(ctx, store.Change{Kind: store.Put, Record: r.held})
	if err == nil {
		r.held = written[0]
	}
	return err
}

// reasonRepeated is that of a webhook that was answered before.
const reasonRepeated = "repeated"

// respond makes what can be used of a webhook durable, and sets the response. A webhook of which nothing can be used leaves nothing behind, so that its
// sender may correct it under the same id.
func (a *Adapter) respond(ctx context.Context, w Webhook, content Answerer, work Batch, all budget, o *outcome) error {
	given := content.Answer(work.Verdicts)
	if work.Unused != nil {
		o.reason = fault.Of(work.Unused).Code
	}
	if work.count() == 0 {
		o.answer, o.refused = given, true
		return nil
	}
	claiming, cancel := all.share(ctx, requestShare)
	r, err := a.Requests.claim(claiming, w, content.RequestID())
	cancel()
	switch {
	case err != nil && fault.Of(err).Code == CodeReused:
		return err
	case err != nil:
		a.Logger.ErrorContext(ctx, "request cannot be claimed", slog.String("code", fault.Of(err).Code), slog.Any("error", err))
		return fault.New(fault.Retryable, codeNotDurable, nil)
	case r.Answer != nil:
		o.answer, o.reason = r.Answer.response(), reasonRepeated
		return nil
	}
	if o.spool, err = a.publishAll(ctx, work, all); err != nil {
		return fault.New(fault.Retryable, codeNotDurable, nil)
	}
	completing, cancel := all.share(ctx, requestShare)
	defer cancel()
	if err := a.Outbox.keepAll(completing, work.outbox); err != nil { // the events are durable: a repeat brings the rest
		a.Logger.ErrorContext(ctx, "a reply cannot be kept", slog.String("code", fault.Of(err).Code), slog.Any("error", err))
		return fault.New(fault.Retryable, codeNotDurable, nil)
	}
	o.events = work.count()
	if o.answer, err = a.Requests.complete(completing, r, given); err != nil { // a repeat is worked on again, to no effect
		a.Logger.WarnContext(ctx, "answer cannot be noted", slog.String("code", fault.Of(err).Code), slog.Any("error", err))
	}
	return nil
}
