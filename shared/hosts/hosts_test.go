package hosts_test

import (
	"net/netip"
	"testing"

	"signalbox/shared/fault"
	"signalbox/shared/hosts"
)

func TestABaseURLIsChecked(t *testing.T) {
	t.Parallel()
	const (
		remedy = "write the CRM's public host, or, for a simulator of yours, deploy with the parameter CrmHosts=any"
		inside = "has a loopback, private, link-local or reserved address as its host, which this deployment does not call: " + remedy
		named  = "has a host that only a private network knows, which this deployment does not call: " + remedy
		host   = "has a host that is neither a name in ASCII nor an address: write an international name in its xn-- form"
		port   = "has a port that is not 1 to 65535"
		http   = "is http: credentials go there, so that it must be https"
	)
	for raw, want := range map[string][2]string{ // public, any
		"https://api.example.com":                {"", ""},
		"https://API.example.com.:8443/base":     {"", ""},
		"https://xn--bcher-kva.example.com":      {"", ""},
		"https://93.184.215.14":                  {"", ""},
		"https://[2606:2800:220:1::1]":           {"", ""},
		"http://api.example.com":                 {http, ""},
		"http://127.0.0.1:8092":                  {inside, ""},
		"https://127.0.0.1":                      {inside, ""},
		"https://10.1.2.3":                       {inside, ""},
		"https://169.254.169.254/latest":         {inside, ""},
		"https://100.100.100.200":                {inside, ""},
		"https://0.0.0.0":                        {inside, ""},
		"https://224.0.0.1":                      {inside, ""},
		"https://255.255.255.255":                {inside, ""},
		"https://[::1]":                          {inside, ""},
		"https://[::]":                           {inside, ""},
		"https://[fd00:ec2::254]":                {inside, ""},
		"https://[fe80::1%25eth0]":               {inside, ""},
		"https://[::ffff:169.254.169.254]":       {inside, ""},
		"https://[64:ff9b::a9fe:a9fe]":           {inside, ""},
		"https://[64:ff9b:1::a9fe:a9fe]":         {inside, ""},
		"https://[2002:7f00:1::]":                {inside, ""},
		"https://localhost":                      {named, ""},
		"https://hubspot-simulator":              {named, ""},
		"https://metadata.google.internal.":      {named, ""},
		"https://a.localhost":                    {named, ""},
		"https://2130706433":                     {host, host},
		"https://127.1":                          {host, host},
		"https://0x7f.0x1":                       {host, host},
		"https://bücher.example.com":             {host, host},
		"https://a..example.com":                 {host, host},
		"https://api.example.com:0":              {port, port},
		"https://api.example.com:65536":          {port, port},
		"https://api.example.com:":               {port, port},
		"https://api.example.com:99999999999999": {port, port},
		"https://api.example.com/":               {"ends in a slash", "ends in a slash"},
		"https://me:hunter2@api.example.com":     {"holds more than scheme, host and path", "holds more than scheme, host and path"},
		"https://api.example.com?key=hunter2":    {"holds more than scheme, host and path", "holds more than scheme, host and path"},
		"ftp://api.example.com":                  {"is not https", "is not https"},
		"file:///etc/passwd":                     {"is not an absolute URL", "is not an absolute URL"},
		"api.example.com":                        {"is not an absolute URL", "is not an absolute URL"},
		"":                                       {"is not an absolute URL", "is not an absolute URL"},
	} {
		for i, policy := range []hosts.Policy{hosts.Public, hosts.Any} {
			if got := policy.Check(raw); got != want[i] {
				t.Errorf("%s: %q %s, want %q", policy, raw, got, want[i])
			}
		}
	}
}

func TestAWordThatIsNoPolicyAllowsPublicHostsAlone(t *testing.T) {
	t.Parallel()
	for _, word := range []hosts.Policy{"", "ANY", "all", hosts.Public} {
		if err := word.Control("tcp4", "127.0.0.1:80", nil); fault.Of(err) == nil || fault.Of(err).Kind != fault.Blocked || fault.Of(err).Code != hosts.CodeRefused {
			t.Errorf("%q: %v", word, err)
		}
	}
	if err := hosts.Any.Control("tcp4", "127.0.0.1:80", nil); err != nil {
		t.Error(err)
	}
}

// FuzzControl: no way to write an address of this machine or of a private network gets through.
func FuzzControl(f *testing.F) {
	for _, address := range []string{"127.0.0.1:1", "[::ffff:10.0.0.1]:443", "[64:ff9b::7f00:1]:443", "93.184.215.14:443", "x", "[fe80::1%1]:1"} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if hosts.Public.Control("tcp", address, nil) != nil {
			return
		}
		at, err := netip.ParseAddrPort(address)
		ip := at.Addr().Unmap()
		if err != nil || ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
			t.Errorf("%s gets through", address)
		}
	})
}
