package connector_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// replying is a transport that returns one reply to all requests.
type replying struct {
	status int
	header http.Header
	body   io.Reader
}

func (r replying) RoundTrip(request *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: r.status, Header: r.header, Body: io.NopCloser(r.body), ContentLength: -1, Request: request}, nil
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, strings.Repeat(" ", len(p))), nil }

func TestAReplyWithoutAnEndIsNotTheMessagesFault(t *testing.T) {
	send := func(status int) (connector.Response, error) {
		api := connector.NewAPI("toy", &http.Client{Transport: replying{status: status, body: endless{}}}, nil)
		return api.Send(t.Context(), http.MethodGet, "https://crm.example", http.Header{}, nil)
	}
	for _, status := range []int{http.StatusMovedPermanently, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		if reply, err := send(status); err != nil || reply.Status != status {
			t.Errorf("%d: %d %v; a refusal is told by its status", status, reply.Status, err)
		}
	}
	_, err := send(http.StatusOK)
	if f := fault.Of(err); f == nil || f.Kind != fault.Retryable || f.Code != "toy_reply_too_large" || !connector.Unanswered("toy", f) {
		t.Errorf("%v, want what is tried again, and closes the gate if it lasts", err)
	}
}

func TestARefusalWithoutAWordIsSortedByItsStatus(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusBadRequest:         "permanent toy_refused",
		http.StatusUnauthorized:       "blocked toy_unauthenticated",
		http.StatusPaymentRequired:    "blocked toy_forbidden",
		http.StatusForbidden:          "blocked toy_forbidden",
		http.StatusNotFound:           "blocked toy_path_unknown",
		http.StatusMethodNotAllowed:   "blocked toy_path_unknown",
		http.StatusProxyAuthRequired:  "blocked toy_forbidden",
		http.StatusRequestTimeout:     "retryable toy_timeout",
		http.StatusGone:               "blocked toy_path_unknown",
		http.StatusRequestURITooLong:  "permanent toy_too_long",
		http.StatusMisdirectedRequest: "blocked toy_path_unknown",
		http.StatusUpgradeRequired:    "blocked toy_path_unknown",
		http.StatusNotImplemented:     "retryable toy_unavailable",
		http.StatusFound:              "blocked toy_redirected",
	} {
		if f := connector.ByStatus("toy", status); f.Kind.String()+" "+f.Code != want {
			t.Errorf("%d: %s %s, want %s", status, f.Kind, f.Code, want)
		}
	}
}
