package connector

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/fault"
)

// maxReply bounds what is read of a reply, and maxRefusal of one that is no success: what is cut off that is no JSON any more, and the status
// decides.
const (
	maxReply   = 16 << 20
	maxRefusal = 1 << 20
)

// longestWait is how long a limit may ask a message to wait. What asks for more is the tenant's trouble, not the message's.
const longestWait = 15 * time.Minute

// API is the HTTP API of a CRM: requests and replies in JSON, replies bounded. Its errors are faults whose codes begin with the name
// of the CRM and which hold nothing of what was sent. It is safe for concurrent use.
type API struct {
	name   string
	client *http.Client
	usage  func(http.Header) Usage
}

// NewAPI returns the API of a CRM. The client follows no redirect here, whatever its own policy. Usage reads what a reply tells of the
// limits; nil: no reply does.
func NewAPI(name string, client *http.Client, usage func(http.Header) Usage) *API {
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &API{name: name, client: &own, usage: usage}
}

// Raw is a body that was encoded by whoever sends it.
type Raw struct {
	Type string
	Data []byte
}

// Response is the response to a request, whatever its status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Send makes one request, which is counted for whose Budget ctx is of. The header is not nil and becomes the request's: Send adds to it. The body is nothing for nil, a form for
// url.Values, a Raw as it stands, the JSON of anything else.
func (a *API) Send(ctx context.Context, method, address string, header http.Header, body any) (Response, error) {
	kind, encoded := "", []byte(nil)
	switch body := body.(type) {
	case nil:
	case url.Values:
		kind, encoded = "application/x-www-form-urlencoded", []byte(body.Encode())
	case Raw:
		kind, encoded = body.Type, body.Data
	default:
		var err error
		if encoded, err = json.Marshal(body); err != nil {
			return Response{}, fault.New(fault.Permanent, a.name+"_request_unencodable", nil)
		}
		kind = "application/json"
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(encoded))
	if err != nil {
		return Response{}, fault.New(fault.Blocked, a.name+"_base_url_invalid", nil)
	}
	request.Header = header
	if header.Get("Accept") == "" {
		request.Header.Set("Accept", "application/json")
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	spend(ctx)
	reply, err := a.client.Do(request)
	if err != nil {
		return Response{}, a.unreachable(err)
	}
	defer func() { _ = reply.Body.Close() }()
	if a.usage != nil {
		tell(ctx, a.usage(reply.Header))
	}
	most, succeeds := int64(maxRefusal), 200 <= reply.StatusCode && reply.StatusCode <= 299
	if succeeds {
		most = maxReply
	}
	var read bytes.Buffer
	if announced := reply.ContentLength; 0 < announced && announced <= most {
		read.Grow(int(announced) + bytes.MinRead) // so that it is not copied while it grows
	}
	if _, err := read.ReadFrom(io.LimitReader(reply.Body, most+1)); err != nil {
		return Response{}, a.unreachable(err)
	}
	if succeeds && int64(read.Len()) > most { // no CRM says so much: it came from something in between
		return Response{}, fault.New(fault.Retryable, a.name+"_reply_too_large", nil)
	}
	return Response{reply.StatusCode, reply.Header, read.Bytes()}, nil
}

func (a *API) unreachable(err error) error {
	return TransportFault(err, a.name+"_timeout", a.name+"_unreachable")
}

// Decode reads the body of a success into out, which is nil where nothing of it is used. What is not JSON came from something in
// between, whatever its status.
func (a *API) Decode(r Response, out any) error {
	if out == nil {
		if len(bytes.TrimSpace(r.Body)) == 0 {
			return nil
		}
		out = new(json.RawMessage)
	}
	if err := json.Unmarshal(r.Body, out); err != nil {
		return fault.New(fault.Retryable, a.name+"_reply_undecodable", nil)
	}
	return nil
}

// ByStatus returns the fault of a refusal by the CRM of a name whose words decide nothing. It knows no limits: a 429 is permanent
// here, and a CRM that has them sorts those before.
func ByStatus(name string, status int) *fault.Error {
	kind, code := fault.Permanent, "_refused"
	switch {
	case status == http.StatusUnauthorized:
		kind, code = fault.Blocked, "_unauthenticated"
	case slices.Contains([]int{http.StatusPaymentRequired, http.StatusForbidden, http.StatusProxyAuthRequired}, status):
		kind, code = fault.Blocked, "_forbidden"
	case slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusMisdirectedRequest, http.StatusUpgradeRequired}, status):
		kind, code = fault.Blocked, "_path_unknown" // without a word for a missing record the path itself is wrong
	case status == http.StatusRequestTimeout:
		kind, code = fault.Retryable, "_timeout"
	case status == http.StatusRequestURITooLong:
		kind, code = fault.Permanent, "_too_long"
	case status >= 500:
		kind, code = fault.Retryable, "_unavailable"
	case status < 400: // an API that redirects is not the one that was configured
		kind, code = fault.Blocked, "_redirected"
	}
	return fault.New(kind, name+code, nil)
}

// Waiting gives f the wait that the reply asked for, if it did, unless f is permanent, and returns it. A throttled fault becomes a
// blocked one where the wait is longer than a message is to wait for a limit.
func Waiting(f *fault.Error, h http.Header) *fault.Error {
	if asked := RetryAfter(h); asked > 0 && f.Kind != fault.Permanent {
		f.Wait = asked
	}
	if f.Kind == fault.Throttled && f.Wait > longestWait {
		f.Kind = fault.Blocked
	}
	return f
}

// RetryAfter returns the header's wait, at most a day; zero when there is none or it is a date.
func RetryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(strings.TrimSpace(h.Get("Retry-After")))
	if err != nil || seconds <= 0 {
		return 0
	}
	return time.Duration(min(seconds, 24*60*60)) * time.Second
}
