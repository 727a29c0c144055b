package connector

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/hosts"
)

// NewClient returns an HTTP client for hosts that tenants name. It has time-outs for every part of an exchange and enough idle
// connections for the messages one invocation holds. It reaches what policy allows, whatever a name leads to, and follows no
// redirect: credentials go to the host that the tenant named.
func NewClient(policy hosts.Policy) *http.Client {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second, Control: policy.Control}
	return &http.Client{
		Timeout:       30 * time.Second, // above every attempt's own deadline
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &guarded{policy, &http.Transport{ // without a proxy, which would dial in its place
			DialContext:           dialer.DialContext,
			ForceAttemptHTTP2:     true,
			TLSHandshakeTimeout:   3 * time.Second,
			ResponseHeaderTimeout: 20 * time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConns:          32,
			MaxIdleConnsPerHost:   16,
		}},
	}
}

// guarded is a transport that sends nothing in the clear over the Internet.
type guarded struct {
	policy hosts.Policy
	*http.Transport
}

// RoundTrip implements http.RoundTripper.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && g.policy != hosts.Any {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fault.New(fault.Blocked, hosts.CodeRefused, nil)
	}
	return g.Transport.RoundTrip(r)
}

// Wait waits for a time, or until ctx is over: then it returns why.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// TransportFault sorts an error of a client's exchange: code is that of a CRM that cannot be reached, timeout that of one that took
// too long. The URL is cut off: it is not ours to log.
func TransportFault(err error, timeout, code string) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if sorted, ok := errors.AsType[*fault.Error](err); ok { // the client itself refused
		return sorted
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		code = timeout
	}
	return fault.New(fault.Retryable, code, err)
}
