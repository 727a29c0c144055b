// Package inprocess is an HTTP transport without a network: each request is answered by a handler in the same goroutine, so
// that an SDK client and a local service run inside one testing/synctest bubble.
package inprocess

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// Transport is an http.RoundTripper. A handler that panics with http.ErrAbortHandler closes the connection without a reply,
// as net/http's server does.
type Transport struct{ Handler http.Handler }

// RoundTrip returns what the handler wrote.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer func() { _ = r.Body.Close() }()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	served := r.Clone(r.Context())
	served.RequestURI = r.URL.RequestURI()
	if served.Host == "" {
		served.Host = r.URL.Host
	}
	reply := &reply{header: http.Header{}}
	if aborted := serve(t.Handler, reply, served); aborted {
		return nil, fmt.Errorf("inprocess: the connection was closed: %w", io.ErrUnexpectedEOF)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return reply.response(r), nil
}

func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			aborted = true
		default:
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

// reply is what a handler wrote.
type reply struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int
	body   bytes.Buffer
}

// Header returns the header to be sent.
func (r *reply) Header() http.Header { return r.header }

// WriteHeader sends status and header; only the first counts.
func (r *reply) WriteHeader(status int) {
	if r.status == 0 {
		r.status, r.sent = status, r.header.Clone()
	}
}

// Write sends a part of the body.
func (r *reply) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

func (r *reply) response(request *http.Request) *http.Response {
	r.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)), StatusCode: r.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.sent, Body: io.NopCloser(&r.body), ContentLength: int64(r.body.Len()), Request: request,
	}
}
