package hosts

import (
	"net"
	"net/http"
	"time"

	"signalbox/shared/fault"
)

// NewClient returns an HTTP client for hosts that tenants name. It has time-outs for every part of an exchange and enough idle
// connections for the messages one invocation holds. It reaches what policy allows, whatever a name leads to, and follows no
// redirect: credentials go to the host that the tenant named.
func NewClient(policy Policy) *http.Client {
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
	policy Policy
	*http.Transport
}

// RoundTrip implements http.RoundTripper.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && g.policy != Any {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fault.New(fault.Blocked, CodeRefused, nil)
	}
	return g.Transport.RoundTrip(r)
}
