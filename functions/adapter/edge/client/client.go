// Package client tells events to the door for canonical events, from a program in Go: it signs, repeats what was not answered for good by the
// policy of the door's page, and keeps in order what cannot be sent yet. It uses the standard library and the keys of this module alone.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/adapter/edge/session"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
)

// Patience is how long Send repeats a request.
const Patience = 24 * time.Hour

// The pauses between repeats: a random part of a bound that doubles.
const (
	firstPause = time.Second
	mostPause  = 15 * time.Minute
	mostWait   = time.Hour // that Retry-After is followed
)

// maxAnswer is how much of an answer is read: a batch of a hundred, with every problem.
const maxAnswer = 1 << 20

// Options are what a Client is made of.
type Options struct {
	URL     string       // of the deployment, without a slash at its end
	Account string       // the account's id, as in the tenant's file
	Key     secret.Value // the account's whsec_, or the whsk_ of its whpk_
	HTTP    *http.Client // nil is one that waits 30 seconds. Redirects are not followed
}

// Client sends requests to one account's door. It is safe for concurrent use.
type Client struct {
	Options
	events string
}

// New returns a Client.
func New(o Options) (*Client, error) {
	_, isSecret := standardwebhooks.Key(o.Key)
	_, isPrivate := standardwebhooks.PrivateKey(o.Key)
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.HasSuffix(o.URL, "/"):
		return nil, errors.New("client: the URL is the deployment's, such as https://hooks.acme.example, without a slash at its end")
	case o.Account == "" || url.PathEscape(o.Account) != o.Account:
		return nil, errors.New("client: the account is its id in the tenant's file")
	case !isSecret && !isPrivate:
		return nil, errors.New("client: the key is whsec_ or whsk_ with its bytes in base64")
	}
	c := &Client{o, o.URL + "/v1/accounts/" + o.Account + "/edge/events"}
	inner := http.Client{Timeout: 30 * time.Second}
	if o.HTTP != nil {
		inner = *o.HTTP
	}
	inner.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // a signature is for one URL's owner
	c.HTTP = &inner
	return c, nil
}

// Session returns a token for the page of a visitor, which holds for session.MaxLife: what a backend's own page of sessions returns. Who the
// visitor is, the backend knows; it never asks the page.
func (c *Client) Session(visitor, name, line, origin string) (string, error) {
	claims := session.Claims{Account: c.Account, Visitor: visitor, Name: name, Line: line, Origin: origin}
	return session.Mint(c.Key, claims, time.Now(), session.MaxLife)
}

// Request is one request: the id and the body are the same on every repeat.
type Request struct {
	ID   string `json:"id"`
	Body []byte `json:"body"`
}

// NewRequest returns a request of its own id that tells events, 1 to 100: each anything whose JSON is one, such as a
// canonical.Event that names its conversation.
func NewRequest(events ...any) (Request, error) {
	if len(events) == 0 {
		return Request{}, errors.New("client: a request tells at least one event")
	}
	var told any = events
	if len(events) == 1 {
		told = events[0]
	}
	body, err := json.Marshal(told)
	return Request{ID: "msg_" + rand.Text(), Body: body}, err
}

// Verdict is what became of one event.
type Verdict struct {
	Status   string              `json:"status"`  // accepted, refused
	EventID  string              `json:"eventId"` // what an accepted one is called by the deployment
	Code     string              `json:"error"`
	Message  string              `json:"message"`
	Problems []canonical.Problem `json:"problems"`
}

// RefusedError is that a request was not taken, and will not be as it is.
type RefusedError struct {
	Status int
	Verdict
}

// Error says what to correct; it holds nothing of the request.
func (e *RefusedError) Error() string {
	text := []string{strings.TrimSpace(fmt.Sprintf("client: answered %d %s", e.Status, e.Code))}
	for _, p := range e.Problems {
		text = append(text, p.Path+" "+p.Reason)
	}
	return strings.Join(text, "; ")
}

// Send sends a request until it is answered for good, at most for Patience and as long as ctx lasts. It returns a verdict for each event: with
// several, some may be refused. If none was accepted the error is a *RefusedError.
func (c *Client) Send(ctx context.Context, r Request) ([]Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	return c.send(ctx, r, nil)
}

// send is Send for as long as ctx lasts. If blocked is there it is called with what is answered because of the account, its key or the clock,
// and not because of the request, which is then sent again, too.
func (c *Client) send(ctx context.Context, r Request, blocked func(error)) ([]Verdict, error) {
	var last error
	for bound := firstPause; ; bound = min(2*bound, mostPause) {
		verdicts, wait, err := c.attempt(ctx, r)
		refused, _ := errors.AsType[*RefusedError](err)
		switch {
		case wait < 0 && refused != nil && blocked != nil && !isOfRequest(refused.Status):
			blocked(err)
		case wait < 0:
			return verdicts, err
		}
		last = err
		pause := time.NewTimer(max(wait, jitter(bound)))
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil, errors.Join(ctx.Err(), last)
		case <-pause.C:
		}
	}
}

// attempt sends a request once, signed now. It returns how long to wait at least before the next, and less than nothing if there is none.
func (c *Client) attempt(ctx context.Context, r Request) (verdicts []Verdict, wait time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.events, bytes.NewReader(r.Body))
	if err != nil {
		return nil, -1, err
	}
	request.Header = standardwebhooks.Sign(c.Key, r.ID, time.Now(), r.Body)
	request.Header.Set("Content-Type", "application/json")
	answer, err := c.HTTP.Do(request)
	if err != nil {
		return nil, 0, errors.New("client: no answer") // the cause names the URL
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case repeats(answer.StatusCode):
		return nil, retryAfter(answer.Header.Get("Retry-After")), fmt.Errorf("client: answered %d", answer.StatusCode)
	case err != nil: // what became of it is not known
		return nil, 0, errors.New("client: the answer was cut short")
	}
	verdicts, err = read(answer.StatusCode, body)
	return verdicts, -1, err
}

// repeats reports whether the same request may be accepted later.
func repeats(status int) bool {
	return slices.Contains([]int{
		http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	}, status)
}

// isOfRequest reports whether a refusal is the request's own fault.
func isOfRequest(status int) bool {
	return slices.Contains([]int{
		http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity,
	}, status)
}

// read returns the verdicts of an answer for good.
func read(status int, body []byte) ([]Verdict, error) {
	var told struct {
		Verdict

		Events []Verdict `json:"events"`
	}
	_ = json.Unmarshal(body, &told) // some have no body
	if told.Events == nil {
		told.Events = []Verdict{told.Verdict}
	}
	if status/100 == 2 {
		return told.Events, nil
	}
	first := told.Events[0]
	return told.Events, &RefusedError{Status: status, Verdict: first}
}

// retryAfter returns the wait that an answer asks for, in seconds or until a time, as far as it is followed.
func retryAfter(value string) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(seconds, int(mostWait.Seconds()))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), mostWait)
}

// jitter returns a random part of a bound, at least half of it: many who were cut off together do not come back together.
func jitter(bound time.Duration) time.Duration {
	var b [2]byte
	_, _ = rand.Read(b[:]) // it never fails
	part := float64(binary.BigEndian.Uint16(b[:])) / (1 << 16)
	return bound/2 + time.Duration(part*float64(bound/2))
}
