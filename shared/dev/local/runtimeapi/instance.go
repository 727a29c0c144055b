package runtimeapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"signalbox/shared/dev/local/process"
)

// instance is one process with the server it fetches its events from.
type instance struct {
	id     string
	pool   *Pool
	child  *process.Child
	output io.Writer
	server *http.Server
	work   chan *invocation
	over   chan struct{} // closed when the process has ended and the pool knows

	started time.Time      // just before it was
	asked   chan time.Time // when it asked for its first event

	ready   bool        // it has asked for an event at least once
	current *invocation // what it works on
}

// newInstance starts a process. Its server listens before, and the process is kept from being called ready until it is known.
func (p *Pool) newInstance(id string) (*instance, error) {
	listener, err := (&net.ListenConfig{}).Listen(p.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("runtimeapi: listen: %w", err)
	}
	in := &instance{id: id, pool: p, output: p.log.Lines(p.spec.Name), work: make(chan *invocation, 1), over: make(chan struct{}), asked: make(chan time.Time, 1)}
	mux := http.NewServeMux()
	const base = "/2018-06-01/runtime/"
	mux.HandleFunc("GET "+base+"invocation/next", in.next)
	mux.HandleFunc("POST "+base+"invocation/{id}/response", in.response)
	mux.HandleFunc("POST "+base+"invocation/{id}/error", in.failed)
	mux.HandleFunc("POST "+base+"init/error", in.initFailed)
	in.server = &http.Server{Handler: mux, ReadHeaderTimeout: initLimit, BaseContext: func(net.Listener) context.Context { return p.ctx }}
	environment := append(p.spec.Environment(id), "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String())
	in.started = time.Now()
	in.child, err = p.guardian.Start(p.ctx, process.Spec{Path: p.spec.Path, Dir: p.spec.Dir, Env: environment, Output: in.output})
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	go func() { _ = in.server.Serve(listener) }() // it ends by Close
	return in, nil
}

// attend waits for the end of the process.
func (in *instance) attend() {
	limit := time.AfterFunc(initLimit, func() {
		in.pool.mu.Lock()
		ready := in.ready
		in.pool.mu.Unlock()
		if !ready {
			_, _ = io.WriteString(in.output, "the process did not ask for an event within the limit of its start\n")
			in.child.Kill()
		}
	})
	<-in.child.Ended()
	limit.Stop()
	in.pool.gone(in)
	_ = in.server.Close()
	close(in.over)
}

// next is the long poll for an event.
func (in *instance) next(w http.ResponseWriter, _ *http.Request) {
	select {
	case in.asked <- time.Now():
	default: // it was not the first time
	}
	in.pool.ready(in)
	select {
	case <-in.child.Ended(): // not before: a process takes any answer for an event
		panic(http.ErrAbortHandler)
	case inv := <-in.work:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", in.pool.spec.ARN)
		h.Set("Lambda-Runtime-Trace-Id", inv.trace)
		h.Set("Content-Length", strconv.Itoa(len(inv.payload)))
		_, _ = w.Write(inv.payload)
	}
}

// response takes what the function answered, chunked or not.
func (in *instance) response(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		reason := fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", tooLarge.Limit)
		in.finish(w, r, failure("Function.ResponseSizeTooLarge", reason), http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		return // the process died over it
	}
	if kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
		in.finish(w, r, failure(kind, "the response ended with an error"), http.StatusAccepted)
		return
	}
	in.finish(w, r, Result{Payload: payload}, http.StatusAccepted)
}

// failed takes the function's error.
func (in *instance) failed(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	if err != nil {
		return
	}
	in.finish(w, r, Result{Payload: payload, Error: "Unhandled"}, http.StatusAccepted)
}

// initFailed takes the error of a process that could not start. It ends by itself.
func (*instance) initFailed(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, MaxPayload))
	w.WriteHeader(http.StatusAccepted)
}

func (in *instance) finish(w http.ResponseWriter, r *http.Request, result Result, status int) {
	if !in.pool.finish(in, r.PathValue("id"), result) {
		http.Error(w, `{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}`, http.StatusBadRequest)
		return
	}
	w.WriteHeader(status)
}
