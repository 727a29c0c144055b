package media

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/hosts"
)

// The times of one connection. They are short: what a stranger names may be made to be slow.
const (
	connectTimeout = 3 * time.Second
	headerTimeout  = 10 * time.Second
)

// maxHeader is how many bytes of a response's header are read.
const maxHeader = 64 << 10

// Network is where files are fetched from. The zero value is the Internet, and nothing else.
type Network struct {
	Own      []string         // hosts of this deployment, which are not asked: a request to ourselves looks as if it came from inside
	Loopback netip.AddrPort   // where every connection goes, in the clear, whatever the host: a server of this machine that plays all of them
	Allowed  []netip.AddrPort // addresses that are reached although they are not public: servers of tests
	Resolver *net.Resolver    // what finds addresses, nil for the machine's
	Roots    *x509.CertPool   // whom certificates are believed, nil for the machine's
}

// errLoopback is a deployment that was told to fetch every file from its own machine.
var errLoopback = errors.New("MEDIA_LOOPBACK is for AWS on your own machine, and AWS_ENDPOINT_URL is not there: leave the parameter MediaLoopback empty")

// Loopback returns the address of a server of this machine that plays every host, none for "". Where AWS is not on this machine, too, it is an
// error: a deployment has no such server.
func Loopback(text string, local bool) (netip.AddrPort, error) {
	if text == "" {
		return netip.AddrPort{}, nil
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil || !at.Addr().IsLoopback() || !local {
		return netip.AddrPort{}, errLoopback
	}
	return at, nil
}

// transport returns what connects within n. Every connection is checked by the address that is dialled, after its name was resolved: what
// a name led to before says nothing of it. No connection is used twice and no proxy dials in its place.
func (n Network) transport() *http.Transport {
	dialer := &net.Dialer{Timeout: connectTimeout, Control: n.control, Resolver: n.Resolver}
	t := &http.Transport{
		DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true, // what is compressed is bounded where it is read
		TLSClientConfig:     &tls.Config{RootCAs: n.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: headerTimeout, MaxResponseHeaderBytes: maxHeader,
	}
	if n.Loopback.Addr().IsLoopback() {
		t.DialTLSContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, network, n.Loopback.String())
		}
	}
	return t
}

// control refuses connections to addresses that are not the Internet's, or are this machine's own. It is that of a net.Dialer.
func (n Network) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	switch {
	case err != nil:
	case slices.Contains(n.Allowed, at):
		return nil
	case hosts.IsPublic(at.Addr()) && !isOwn(at.Addr()):
		return nil
	}
	return fault.New(fault.Permanent, CodeHost, nil)
}

// isOwn reports whether an address is one of this machine's. What cannot be told is.
func isOwn(ip netip.Addr) bool {
	own, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(own, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Unmap() == ip.Unmap()
	})
}
