package connector

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/secret"
	"signalbox/shared/store"
)

// Times of access tokens.
const (
	askEvery  = time.Minute            // of a binding, by whichever process: a CRM locks out who asks more often
	askTime   = 8 * time.Second        // one request for a token
	askLook   = 200 * time.Millisecond // how often a process looks whether another's request was answered
	askWait   = 5 * time.Second        // how long it does
	tokenKept = 180 * 24 * time.Hour   // one without an end is used until it is refused; the record of a tenant that left ends
	tokenLeft = 5 * time.Minute        // one that ends sooner is used no more
)

// Sealer encrypts what is shared; *keyring.Box is one.
type Sealer interface {
	Seal(ctx context.Context, b keyring.Binding, plain, additional []byte) ([]byte, error)
	Open(ctx context.Context, b keyring.Binding, sealed, additional []byte) ([]byte, error)
}

// Token is what a CRM gave for credentials.
type Token struct {
	Value secret.Value
	User  string    // whose it is, as far as the CRM told
	Ends  time.Time // zero: it is good until it is refused
}

// Credentials are what a binding gets access tokens for.
type Credentials struct {
	Fingerprint string // names them: a token that was given for others is of no use
	// Ask asks the CRM for a token. What it returns of a kind other than blocked is tried again.
	Ask func(ctx context.Context) (Token, error)
}

// Tokens hands out the access tokens of a kind of CRM: from memory, else from the record that all processes share, else by asking the CRM
// under a lease, at most once a minute for each binding. It is safe for concurrent use.
type Tokens struct {
	name   string
	store  Store
	sealer Sealer
	logger *slog.Logger

	mu   sync.Mutex
	held map[BindingKey]*heldToken
}

// NewTokens returns the tokens of the CRM of a name, with which the codes of faults begin.
func NewTokens(name string, s Store, sealer Sealer, logger *slog.Logger) *Tokens {
	return &Tokens{name: name, store: s, sealer: sealer, logger: logger, held: map[BindingKey]*heldToken{}}
}

// heldToken is what one process holds of a binding. Turn is had by one goroutine at a time.
type heldToken struct {
	turn        chan struct{}
	fingerprint string
	Token
}

// tokenRecord is what processes share. The lease is the minute after Asked, the record's version is its fence.
type tokenRecord struct {
	Fingerprint string    `json:"fingerprint"`      // of the credentials
	Sealed      []byte    `json:"sealed,omitempty"` // the token
	User        string    `json:"user,omitempty"`   // whose it is
	Ends        time.Time `json:"ends,omitzero"`
	Asked       time.Time `json:"asked"`            // when somebody last began to ask for one
	Failed      string    `json:"failed,omitempty"` // the code of the blocked fault that came of it
}

func tokenKey(at BindingKey) store.Key {
	return store.Key{Partition: at.Tenant + "/token/" + at.CRM, Sort: "current"}
}

func tokenPurpose(at BindingKey) keyring.Binding {
	return keyring.Binding{Tenant: at.Tenant, Purpose: "token"}
}

// Use calls exchange with a token, and once more with another one if the CRM refused the first.
func (t *Tokens) Use(ctx context.Context, at BindingKey, c Credentials, exchange func(token secret.Value) (refused bool, err error)) error {
	token, err := t.get(ctx, at, c, "")
	if err != nil {
		return err
	}
	refused, err := exchange(token)
	if !refused {
		return err
	}
	if token, err = t.get(ctx, at, c, token); err != nil {
		return err
	}
	_, err = exchange(token)
	return err
}

// User returns whose the token of a binding is that was used last, "" if that is not known.
func (t *Tokens) User(ctx context.Context, at BindingKey) (string, error) {
	held := t.of(at)
	if err := t.take(ctx, held); err != nil { // somebody asks for a token, and takes longer than this step may
		return "", err
	}
	defer func() { <-held.turn }()
	return held.User, nil
}

func (t *Tokens) of(at BindingKey) *heldToken {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := t.held[at]
	if held == nil {
		held = &heldToken{turn: make(chan struct{}, 1)}
		t.held[at] = held
	}
	return held
}

func (t *Tokens) take(ctx context.Context, held *heldToken) error {
	select {
	case held.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.New(fault.Retryable, t.name+"_timeout", ctx.Err())
	}
}

// good reports whether a token is there, is not the one that was refused, and does not end soon.
func (k Token) good(refused secret.Value) bool {
	return k.Value != "" && k.Value != refused && (k.Ends.IsZero() || time.Until(k.Ends) > tokenLeft)
}

// get returns a token other than refused, which is empty unless the CRM has just refused it.
func (t *Tokens) get(ctx context.Context, at BindingKey, c Credentials, refused secret.Value) (secret.Value, error) {
	held := t.of(at)
	if err := t.take(ctx, held); err != nil {
		return "", err
	}
	defer func() { <-held.turn }()
	if held.fingerprint == c.Fingerprint && held.good(refused) {
		return held.Value, nil
	}
	got, err := t.fetch(ctx, at, c, refused)
	if err != nil {
		held.Value = ""
		return "", err
	}
	held.fingerprint, held.Token = c.Fingerprint, got
	return got.Value, nil
}

// fetch reads the record, and asks for a token if it holds none that is good and nobody asked within the minute. Somebody who is asking
// is waited for.
func (t *Tokens) fetch(ctx context.Context, at BindingKey, c Credentials, refused secret.Value) (Token, error) {
	for began := time.Now(); ; {
		records, err := t.store.Get(ctx, tokenKey(at))
		if err != nil {
			return Token{}, err
		}
		known := readToken(records[0])
		token, err := t.open(ctx, at, known, c.Fingerprint)
		if err != nil || token.good(refused) {
			return token, err
		}
		if time.Since(known.Asked) >= askEvery {
			got, err := t.lease(ctx, at, c, records[0])
			if !errors.Is(err, errTaken) {
				return got, err
			}
			continue
		}
		if err := t.unavailing(known, c.Fingerprint, began); err != nil {
			return Token{}, err
		}
		if err := Wait(ctx, askLook); err != nil {
			return Token{}, fault.New(fault.Retryable, t.name+"_timeout", err)
		}
	}
}

// unavailing returns why it is of no use to wait for whoever asked within the minute, nil if it is.
func (t *Tokens) unavailing(known tokenRecord, fingerprint string, began time.Time) error {
	mine := known.Fingerprint == fingerprint
	switch {
	case mine && known.Failed != "":
		return fault.New(fault.Blocked, known.Failed, nil)
	case mine && len(known.Sealed) > 0: // asked for within the minute and refused already
		return fault.New(fault.Blocked, t.name+"_session_refused", nil)
	case !mine || time.Since(began) >= askWait:
		return &fault.Error{Kind: fault.Throttled, Code: t.name + "_session_awaited", Wait: askEvery - time.Since(known.Asked), Err: errAwaited}
	default:
		return nil
	}
}

// errAwaited is the cause of the outcome of a call that was not made, because another process asks for a token and has none yet.
var errAwaited = errors.New("connector: another process has no token yet")

// errTaken is a lease that another process has taken.
var errTaken = errors.New("connector: another process asks for a token")

// lease writes down that this process asks for a token, asks, and shares what it gets.
func (t *Tokens) lease(ctx context.Context, at BindingKey, c Credentials, record store.Record) (Token, error) {
	note := tokenRecord{Fingerprint: c.Fingerprint, Asked: time.Now().UTC()}
	version, err := t.write(ctx, at, record.Version, note)
	if _, lost := errors.AsType[*store.ConflictError](err); lost {
		return Token{}, errTaken
	}
	if err != nil {
		return Token{}, err
	}
	got, err := ask(ctx, c)
	if err == nil {
		note.User, note.Ends = got.User, got.Ends
		note.Sealed, err = t.sealer.Seal(ctx, tokenPurpose(at), []byte(got.Value), []byte(tokenKey(at).Partition))
	} else if f := fault.Of(err); f.Kind == fault.Blocked {
		note.Failed = f.Code
	}
	// What came of it is written even when the attempt's time is over: others wait for it.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if _, written := t.write(within, at, version, note); written != nil && (len(note.Sealed) > 0 || note.Failed != "") {
		t.logger.WarnContext(ctx, "the session was not shared", slog.String("tenant", at.Tenant), slog.String("code", fault.Of(written).Code))
	}
	if err != nil {
		return Token{}, err
	}
	return got, nil
}

func ask(ctx context.Context, c Credentials) (Token, error) {
	ctx, cancel := context.WithTimeout(unspent(ctx), askTime)
	defer cancel()
	return c.Ask(ctx)
}

func (t *Tokens) write(ctx context.Context, at BindingKey, version int64, note tokenRecord) (int64, error) {
	data, err := json.Marshal(note)
	if err != nil {
		return 0, fault.New(fault.Permanent, t.name+"_session_unencodable", nil)
	}
	written, err := t.store.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{
		Key: tokenKey(at), Version: version, Expires: time.Now().Add(tokenKept), Data: data,
	}})
	if err != nil {
		return 0, err
	}
	return written[0].Version, nil
}

// open decrypts the shared token. One that was asked for with other credentials, or that will never open, is as good as none.
func (t *Tokens) open(ctx context.Context, at BindingKey, known tokenRecord, fingerprint string) (Token, error) {
	if known.Fingerprint != fingerprint || len(known.Sealed) == 0 {
		return Token{}, nil
	}
	plain, err := t.sealer.Open(ctx, tokenPurpose(at), known.Sealed, []byte(tokenKey(at).Partition))
	if errors.Is(err, keyring.ErrMalformed) {
		t.logger.WarnContext(ctx, "the shared session cannot be opened", slog.String("tenant", at.Tenant))
		return Token{}, nil
	}
	if err != nil {
		return Token{}, err
	}
	return Token{secret.Value(plain), known.User, known.Ends}, nil
}

func readToken(record store.Record) tokenRecord {
	var known tokenRecord
	if record.Version == 0 || json.Unmarshal(record.Data, &known) != nil {
		return tokenRecord{}
	}
	return known
}
