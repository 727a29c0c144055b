package connectortest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"

	"signalbox/shared/hosts"
	"signalbox/shared/store"
)

// errKilled is what everything outside a killed process returns to it: whatever it still tries has no effect.
var errKilled = errors.New("connectortest: the process was killed")

// process is one life of a connector. Its calls to the store and to the CRM are counted together; at call kill (from 1) it
// dies, before the call has its effect or after.
type process struct {
	kill  int
	after bool

	mu    sync.Mutex
	calls int
	dead  bool
}

// pass makes a call and returns errKilled if the process does not live to see its result.
func (p *process) pass(call func() error) error {
	p.mu.Lock()
	p.calls++
	fatal := p.calls == p.kill
	if fatal {
		p.dead = true
	}
	dead := p.dead
	p.mu.Unlock()
	if dead && (!fatal || !p.after) {
		return errKilled
	}
	err := call()
	if fatal {
		return errKilled
	}
	return err
}

// died reports whether call kill was reached.
func (p *process) died() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// storage is the store as a process sees it.
type storage struct {
	*process
	store store.Store
}

func (s storage) Get(ctx context.Context, keys ...store.Key) (records []store.Record, err error) {
	err = s.pass(func() (err error) {
		records, err = s.store.Get(ctx, keys...)
		return err
	})
	return records, err
}

func (s storage) Write(ctx context.Context, changes ...store.Change) (records []store.Record, err error) {
	err = s.pass(func() (err error) {
		records, err = s.store.Write(ctx, changes...)
		return err
	})
	return records, err
}

func (s storage) WriteEach(ctx context.Context, changes ...store.Change) (outcomes []store.Outcome) {
	err := s.pass(func() (err error) {
		outcomes = s.store.WriteEach(ctx, changes...)
		return nil
	})
	if err != nil {
		return store.Failed(len(changes), err)
	}
	return outcomes
}

// spoiling is how a request goes wrong.
type spoiling uint8

const (
	refuse     spoiling = iota // answered with a status, without effect
	hang                       // never answered, without effect
	hangAfter                  // never answered, after its effect
	reset                      // the connection breaks, without effect
	resetAfter                 // the connection breaks, after the effect
	truncate                   // half of the answer, then the connection breaks, after the effect
	forbidden                  // not sent: the client may not reach the host
	unreadable                 // a 200 that is not the CRM's: from something in between, without effect
	meanwhile                  // nothing goes wrong, but do comes first
)

// trouble spoils requests: the at-th (from 1) of the world, or all that match.
type trouble struct {
	how    spoiling
	at     int
	match  func(body []byte) bool
	status int
	header http.Header
	body   string
	do     func()                             // of meanwhile
	met    func(r *http.Request, body []byte) // is told of the request; nil: nobody is
}

// tell tells of a request that is spoilt.
func (t *trouble) tell(r *http.Request, body []byte) {
	if t != nil && t.met != nil {
		t.met(r, body)
	}
}

// wire is the transport between every process and the simulator.
type wire struct {
	simulator http.Handler

	mu       sync.Mutex
	requests int
	trouble  *trouble
}

func (w *wire) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests
}

func (w *wire) spoil(t *trouble) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests, w.trouble = 0, t
}

// meets counts a request and returns what is to go wrong with it.
func (w *wire) meets(body []byte) *trouble {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests++
	if t := w.trouble; t != nil && (t.match != nil && t.match(body) || t.match == nil && t.at == w.requests) {
		return t
	}
	return nil
}

// client returns the HTTP client of a process.
func (w *wire) client(p *process) *http.Client {
	return &http.Client{Transport: tripper(func(r *http.Request) (reply *http.Response, err error) {
		err = p.pass(func() (err error) {
			reply, err = w.roundTrip(r) //nolint:bodyclose // the client closes it; the body is in memory
			return err
		})
		if err != nil {
			return nil, err
		}
		return reply, nil
	})}
}

type tripper func(*http.Request) (*http.Response, error)

func (t tripper) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func (w *wire) roundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	t := w.meets(append([]byte(r.URL.String()), body...))
	if t.tell(r, body); t == nil {
		return w.serve(r, body), nil
	}
	switch t.how {
	case meanwhile:
		t.do()
		return w.serve(r, body), nil
	case hang, hangAfter:
		if t.how == hangAfter {
			w.serve(r, body)
		}
		<-r.Context().Done()
		return nil, r.Context().Err()
	case reset:
		return nil, broken()
	case forbidden:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: hosts.Public.Control("tcp4", "127.0.0.1:443", nil)}
	case resetAfter:
		w.serve(r, body)
		return nil, broken()
	case truncate:
		reply := w.serve(r, body)
		whole, err := io.ReadAll(reply.Body)
		if err != nil {
			return nil, err
		}
		reply.Body = io.NopCloser(io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), failing{}))
		return reply, nil
	case unreadable:
		return answer(r, http.StatusOK, http.Header{"Content-Type": {"text/html"}}, "<html>a proxy says hello</html>"), nil
	default:
		return answer(r, t.status, t.header, t.body), nil
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func broken() error { return &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET} }

// serve lets the simulator answer.
func (w *wire) serve(r *http.Request, body []byte) *http.Response {
	in := r.Clone(r.Context())
	in.RequestURI, in.Host = r.URL.RequestURI(), r.URL.Host
	in.RemoteAddr = "192.0.2.1:1234"
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	recorder := httptest.NewRecorder()
	w.simulator.ServeHTTP(recorder, in)
	reply := recorder.Result()
	reply.Request = r
	return reply
}

func answer(r *http.Request, status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header.Clone(), Request: r,
		Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)),
	}
}
