// Package hosts says which hosts requests may go to that tenants name: where their CRMs are. Without it a tenant's file, or a name
// that its owner lets lead elsewhere, makes our functions talk to our own network, and shows them the metadata service's
// credentials. Names are checked when a file is applied, which gives its author a reason, and addresses whenever a connection is
// made, which is what counts.
package hosts

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"signalbox/shared/fault"
)

// CodeRefused is the code of a connection to an address that is not allowed.
const CodeRefused = "crm_host_refused"

// Policy is which hosts are allowed. Every word but Any allows Public ones alone.
type Policy string

// The policies.
const (
	Public Policy = "public" // addresses of the Internet, by https
	Any    Policy = "any"    // also this machine and private networks, by http too: for simulators
)

// remedy is what to do about a host that is not public.
const remedy = "write the CRM's public host, or, for a simulator of yours, deploy with the parameter CrmHosts=any"

// Check returns what is wrong with a URL as the base of requests that carry credentials, "" for nothing. It looks nothing up.
func (p Policy) Check(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return "is not an absolute URL"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(raw, "?#"):
		return "holds more than scheme, host and path"
	case strings.HasSuffix(u.Path, "/"):
		return "ends in a slash"
	case u.Scheme != "https" && u.Scheme != "http":
		return "is not https"
	case !isPort(u):
		return "has a port that is not 1 to 65535"
	}
	host := strings.ToLower(u.Hostname())
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil && !isName(host):
		return "has a host that is neither a name in ASCII nor an address: write an international name in its xn-- form"
	case p == Any:
		return ""
	case err == nil && !IsPublic(ip):
		return "has a loopback, private, link-local or reserved address as its host, which this deployment does not call: " + remedy
	case err != nil && !isPublicName(host):
		return "has a host that only a private network knows, which this deployment does not call: " + remedy
	case u.Scheme == "http":
		return "is http: credentials go there, so that it must be https"
	}
	return ""
}

func isPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.Atoi(u.Port())
	return err == nil && n >= 1 && n <= 65535
}

// isName reports whether a host consists of labels of letters, digits and hyphens. Resolvers take a last label of digits, or of
// 0x and digits, for an address in one of its older spellings.
func isName(host string) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for _, label := range labels {
		other := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' }
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, other) {
			return false
		}
	}
	last := labels[len(labels)-1]
	_, err := strconv.ParseUint(last, 0, 64)
	return len(host) <= 254 && err != nil && strings.Trim(last, "0123456789") != ""
}

// isPublicName reports whether a name may be one of the Internet's. See the special-use names of RFC 6761 and RFC 8375.
func isPublicName(host string) bool {
	host = strings.TrimSuffix(host, ".")
	for _, suffix := range []string{".localhost", ".local", ".internal", ".localdomain", ".home.arpa", ".lan", ".test", ".invalid", ".onion"} {
		if strings.HasSuffix(host, suffix) {
			return false
		}
	}
	return strings.Contains(host, ".")
}

// Control is that of a net.Dialer. It sees the address that a name led to, at every connection.
func (p Policy) Control(_, address string, _ syscall.RawConn) error {
	if p == Any {
		return nil
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil || !IsPublic(at.Addr()) {
		return fault.New(fault.Blocked, CodeRefused, nil)
	}
	return nil
}

// IsPublic reports whether an address is one of the Internet's. Where one stands for another, as in IPv6 for networks that still
// reach IPv4, the other counts.
func IsPublic(ip netip.Addr) bool {
	ip = ip.Unmap()
	if nat64 := netip.MustParsePrefix("64:ff9b::/96"); nat64.Contains(ip) {
		bytes := ip.As16()
		ip = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" {
		return false
	}
	if ip.Is6() && !netip.MustParsePrefix("2000::/3").Contains(ip) {
		return false
	}
	for _, special := range specials() {
		if netip.MustParsePrefix(special).Contains(ip) {
			return false
		}
	}
	return true
}

// specials are blocks that are global unicast by their form and not by their use.
// See https://www.iana.org/assignments/iana-ipv4-special-registry and .../iana-ipv6-special-registry.
func specials() []string {
	return []string{
		"0.0.0.0/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	}
}
