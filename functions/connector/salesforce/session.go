package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/secret"
	"signalbox/shared/store"
)

// Times of sessions.
const (
	mintEvery  = time.Minute            // of a tenant's org, by whichever process: asking more often gets an integration user locked
	mintTime   = 8 * time.Second        // one request for a session
	waitFor    = 5 * time.Second        // how long a process waits for another's request
	waitLook   = 200 * time.Millisecond // how often it looks
	recordKept = 180 * 24 * time.Hour   // a session that nobody refuses is used on; the record of a tenant that left ends
)

// sessions hands out access tokens: from memory, else from the record that all processes share, else by asking Salesforce under
// a lease. A session has no known end: it is used until Salesforce refuses it.
type sessions struct {
	Options
	api *connector.API

	mu   sync.Mutex
	held map[connector.BindingKey]*session
}

// session is what one process holds of an org. Turn is had by one goroutine at a time.
type session struct {
	turn        chan struct{}
	fingerprint string
	granted
}

// granted is what Salesforce gave: a token, and whose it is.
type granted struct {
	token secret.Value
	user  string // the id of the integration user, "" of a session of a release before
}

// shared is the record's data. The lease is the minute after Asked, the record's version is its fence.
type shared struct {
	Fingerprint string    `json:"fingerprint"`      // of the credentials
	Sealed      []byte    `json:"sealed,omitempty"` // the token
	User        string    `json:"user,omitempty"`   // whose it is
	Asked       time.Time `json:"asked"`            // when somebody last began to ask for one
	Failed      string    `json:"failed,omitempty"` // the code of the blocked fault that came of it
}

func recordKey(at connector.BindingKey) store.Key {
	return store.Key{Partition: at.Tenant + "/token/" + at.CRM, Sort: "current"}
}

func purpose(at connector.BindingKey) keyring.Binding {
	return keyring.Binding{Tenant: at.Tenant, Purpose: "token"}
}

// token returns an access token other than refused, which is empty unless Salesforce has just refused it.
func (s *sessions) token(ctx context.Context, at connector.BindingKey, b Binding, refused secret.Value) (secret.Value, error) {
	s.mu.Lock()
	held := s.held[at]
	if held == nil {
		held = &session{turn: make(chan struct{}, 1)}
		s.held[at] = held
	}
	s.mu.Unlock()
	select {
	case held.turn <- struct{}{}:
		defer func() { <-held.turn }()
	case <-ctx.Done():
		return "", fault.New(fault.Retryable, "salesforce_timeout", ctx.Err())
	}
	fingerprint := b.fingerprint()
	if held.fingerprint == fingerprint && held.token != "" && held.token != refused {
		return held.token, nil
	}
	got, err := s.fetch(ctx, at, b, fingerprint, refused)
	if err != nil {
		held.token = ""
		return "", err
	}
	held.fingerprint, held.granted = fingerprint, got
	return got.token, nil
}

// user returns the id of the integration user of an org that was called, "" if it is not known.
func (s *sessions) user(ctx context.Context, at connector.BindingKey) (string, error) {
	s.mu.Lock()
	held := s.held[at]
	s.mu.Unlock()
	if held == nil {
		return "", nil
	}
	select {
	case held.turn <- struct{}{}:
		defer func() { <-held.turn }()
		return held.user, nil
	case <-ctx.Done(): // somebody asks for a session, and takes longer than this step may
		return "", fault.New(fault.Retryable, "salesforce_timeout", ctx.Err())
	}
}

// fetch reads the record, and asks for a session if it holds none that is good and nobody asked within the minute. Somebody
// who is asking is waited for.
func (s *sessions) fetch(ctx context.Context, at connector.BindingKey, b Binding, fingerprint string, refused secret.Value) (granted, error) {
	for began := time.Now(); ; {
		records, err := s.Store.Get(ctx, recordKey(at))
		if err != nil {
			return granted{}, err
		}
		known := read(records[0])
		token, err := s.open(ctx, at, known, fingerprint)
		if err != nil || token != "" && token != refused {
			return granted{token, known.User}, err
		}
		if time.Since(known.Asked) >= mintEvery {
			got, err := s.lease(ctx, at, b, fingerprint, records[0])
			if !errors.Is(err, errTaken) {
				return got, err
			}
			continue
		}
		if err := known.unavailing(fingerprint, began); err != nil {
			return granted{}, err
		}
		if err := connector.Wait(ctx, waitLook); err != nil {
			return granted{}, fault.New(fault.Retryable, "salesforce_timeout", err)
		}
	}
}

// unavailing returns why it is of no use to wait for whoever asked within the minute, nil if it is.
func (known shared) unavailing(fingerprint string, began time.Time) error {
	mine := known.Fingerprint == fingerprint
	switch {
	case mine && known.Failed != "":
		return fault.New(fault.Blocked, known.Failed, nil)
	case mine && len(known.Sealed) > 0: // asked for within the minute and refused already
		return fault.New(fault.Blocked, "salesforce_session_refused", nil)
	case !mine || time.Since(began) >= waitFor:
		return &fault.Error{Kind: fault.Throttled, Code: "salesforce_session_awaited", Wait: mintEvery - time.Since(known.Asked)}
	default:
		return nil
	}
}

// errTaken is a lease that another process has taken.
var errTaken = errors.New("salesforce: another process asks for a session")

// lease writes down that this process asks for a session, asks, and shares what it gets.
func (s *sessions) lease(ctx context.Context, at connector.BindingKey, b Binding, fingerprint string, record store.Record) (granted, error) {
	note := shared{Fingerprint: fingerprint, Asked: time.Now().UTC()}
	version, err := s.write(ctx, at, record.Version, note)
	if _, lost := errors.AsType[*store.ConflictError](err); lost {
		return granted{}, errTaken
	}
	if err != nil {
		return granted{}, err
	}
	got, err := s.ask(ctx, b)
	if err == nil {
		note.User = got.user
		note.Sealed, err = s.Sealer.Seal(ctx, purpose(at), []byte(got.token), []byte(recordKey(at).Partition))
	} else if f := fault.Of(err); f.Kind == fault.Blocked {
		note.Failed = f.Code
	}
	// What came of it is written even when the attempt's time is over: others wait for it.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if _, written := s.write(within, at, version, note); written != nil && (len(note.Sealed) > 0 || note.Failed != "") {
		s.Logger.WarnContext(ctx, "the session was not shared", slog.String("tenant", at.Tenant), slog.String("code", fault.Of(written).Code))
	}
	if err != nil {
		return granted{}, err
	}
	return got, nil
}

func (s *sessions) write(ctx context.Context, at connector.BindingKey, version int64, note shared) (int64, error) {
	data, err := json.Marshal(note)
	if err != nil {
		return 0, fault.New(fault.Permanent, "salesforce_session_unencodable", nil)
	}
	written, err := s.Store.Write(ctx, store.Change{Kind: store.Put, Record: store.Record{
		Key: recordKey(at), Version: version, Expires: time.Now().Add(recordKept), Data: data,
	}})
	if err != nil {
		return 0, err
	}
	return written[0].Version, nil
}

// open decrypts the shared token. One that was asked for with other credentials, or that will never open, is as good as none.
func (s *sessions) open(ctx context.Context, at connector.BindingKey, known shared, fingerprint string) (secret.Value, error) {
	if known.Fingerprint != fingerprint || len(known.Sealed) == 0 {
		return "", nil
	}
	plain, err := s.Sealer.Open(ctx, purpose(at), known.Sealed, []byte(recordKey(at).Partition))
	if errors.Is(err, keyring.ErrMalformed) {
		s.Logger.WarnContext(ctx, "the shared session cannot be opened", slog.String("tenant", at.Tenant))
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return secret.Value(plain), nil
}

func read(record store.Record) shared {
	var known shared
	if record.Version == 0 || json.Unmarshal(record.Data, &known) != nil {
		return shared{}
	}
	return known
}

// ask asks for a session.
func (s *sessions) ask(ctx context.Context, b Binding) (granted, error) {
	ctx, cancel := context.WithTimeout(ctx, mintTime)
	defer cancel()
	assertion, err := b.assertion(time.Now())
	if err != nil {
		return granted{}, err
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	reply, err := s.api.Send(ctx, http.MethodPost, b.LoginURL+"/services/oauth2/token", http.Header{}, form)
	if err != nil {
		return granted{}, err
	}
	var answer struct {
		Token    secret.Value `json:"access_token"`
		Identity string       `json:"id"` // a URL that ends with the user's id
		Error    string       `json:"error"`
	}
	decoded := json.Unmarshal(reply.Body, &answer)
	switch {
	case reply.Status == http.StatusOK && decoded == nil && answer.Token != "":
		return granted{answer.Token, userOf(answer.Identity)}, nil
	case reply.Status == http.StatusOK:
		return granted{}, fault.New(fault.Retryable, "salesforce_reply_undecodable", nil)
	default:
		return granted{}, refusedGrant(reply.Status, answer.Error, reply.Header)
	}
}

// userOf returns the id of the user at the end of a session's identity URL, "" if there is none.
func userOf(identity string) string {
	id := identity[strings.LastIndexByte(identity, '/')+1:]
	if !recordID.MatchString(id) || !strings.HasPrefix(id, userPrefix) {
		return ""
	}
	return id
}

// refusedGrant sorts a refusal to open a session: what Salesforce names is the tenant's to mend.
func refusedGrant(status int, word string, header http.Header) error {
	cause := &ResponseError{Status: status}
	if grantWord.MatchString(word) {
		cause.Code = word
	}
	if cause.Code != "" && status < http.StatusInternalServerError && status != http.StatusTooManyRequests {
		return fault.New(fault.Blocked, "salesforce_"+strings.TrimSuffix(word, "_id"), cause)
	}
	f := cause.byStatus()
	if f.Kind == fault.Permanent {
		f = fault.New(fault.Blocked, "salesforce_grant_refused", nil) // never the fault of a message
	}
	f.Err = cause
	if f.Kind == fault.Blocked {
		return f
	}
	return connector.Waiting(f, header)
}
