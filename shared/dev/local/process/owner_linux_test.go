package process_test

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"signalbox/shared/dev/local/process"
)

func TestTheOwnerOfAConnection(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	end, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = end.Close() }()
	bound := netip.MustParseAddrPort(end.LocalAddr().String())
	for name, c := range map[string]struct {
		end   netip.AddrPort
		among []int
		want  int
	}{
		"this process":                        {bound, []int{1, os.Getpid()}, os.Getpid()},
		"none of these":                       {bound, []int{1}, 0},
		"no such connection":                  {netip.AddrPortFrom(bound.Addr(), 1), []int{os.Getpid()}, 0},
		"an address that cannot be looked up": {netip.MustParseAddrPort("[::1]:80"), []int{os.Getpid()}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := process.Owner(c.end, c.among); got != c.want || ok != (c.want != 0) {
				t.Errorf("%d, %v; want %d", got, ok, c.want)
			}
		})
	}
}
