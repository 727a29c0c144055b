package cloud

import (
	"bytes"
	"maps"
	"net/http"
	"strings"
)

// Call is one request to a service.
type Call struct {
	Service   string // sqs, dynamodb, kms, secretsmanager, lambda, or a CRM's name
	Operation string // as the service calls it, e.g. SendMessageBatch, or method and path
	Caller    string // the access key id of the process that makes it; empty if it gave none
}

// Function returns the caller without the number of its process.
func (c Call) Function() string {
	name, _, _ := strings.Cut(c.Caller, ".")
	return name
}

// Observer sees every call.
type Observer interface {
	// Pass passes a call on by calling effect, or does not. It returns false if there is to be no reply, for the caller is dead.
	Pass(c Call, effect func()) bool
}

// Observe passes what find finds for a request by an observer, who may be nil. A reply is held back until the observer has seen the
// call.
func Observe(o Observer, find func(*http.Request) (Call, http.Handler)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call, next := find(r)
		if o == nil {
			next.ServeHTTP(w, r)
			return
		}
		held := &bufferedResponse{header: http.Header{}, status: http.StatusOK}
		if !o.Pass(call, func() { next.ServeHTTP(held, r) }) {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), held.header)
		w.WriteHeader(held.status)
		_, _ = w.Write(held.body.Bytes())
	})
}

// bufferedResponse is a reply that has not left.
type bufferedResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *bufferedResponse) Header() http.Header         { return h.header }
func (h *bufferedResponse) WriteHeader(status int)      { h.status = status }
func (h *bufferedResponse) Write(p []byte) (int, error) { return h.body.Write(p) }
