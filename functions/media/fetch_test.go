package media_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/functions/media"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

const token = "local-use-only-api-token"

// png is what a picture begins with.
const png = "\x89PNG\x0D\x0A\x1A\x0A and so on"

// internet is servers of this machine that names lead to, and what they were asked.
type internet struct {
	*httptest.Server
	mu        sync.Mutex
	addresses map[string][]string // by name: what it leads to, the first time, the second and so on; the last stays
	asked     []string            // host, path and credentials
}

// newInternet returns servers in which files.example.com and other.example.com lead to handler, and nothing else does.
func newInternet(t *testing.T, handler http.HandlerFunc) *internet {
	t.Helper()
	n := &internet{}
	n.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		name, _, _ := strings.Cut(r.Host, ":")
		n.asked = append(n.asked, strings.TrimSpace(name+r.URL.Path+" "+r.Header.Get("Authorization")+r.Header.Get("X-Key")+r.Header.Get("X-Signature")))
		n.mu.Unlock()
		handler(w, r)
	}))
	t.Cleanup(n.Close)
	n.addresses = map[string][]string{"files.example.com.": {"127.0.0.1"}, "other.example.com.": {"127.0.0.1"}}
	return n
}

func (n *internet) port() string {
	_, port, _ := net.SplitHostPort(n.Listener.Addr().String())
	return port
}

// at returns an address of a host of these servers.
func (n *internet) at(host, path string) string { return "https://" + host + ":" + n.port() + path }

// network returns the network that finds them. They alone are allowed.
func (n *internet) network() media.Network {
	roots := x509.NewCertPool()
	roots.AddCert(n.Certificate())
	return media.Network{
		Allowed: []netip.AddrPort{netip.MustParseAddrPort(n.Listener.Addr().String())}, Roots: roots,
		Resolver: &net.Resolver{PreferGo: true, Dial: n.dialNameServer},
	}
}

// dialNameServer returns a connection to what answers questions for names (RFC 1035, with the length before each message as over TCP).
func (n *internet) dialNameServer(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer func() { _ = theirs.Close() }()
		for {
			var length uint16
			if binary.Read(theirs, binary.BigEndian, &length) != nil {
				return
			}
			question := make([]byte, length)
			if _, err := io.ReadFull(theirs, question); err != nil {
				return
			}
			answer := n.resolve(question)
			_, _ = theirs.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
		}
	}()
	return ours, nil
}

func (n *internet) resolve(question []byte) []byte {
	name, end := "", 12
	for question[end] != 0 {
		name += string(question[end+1:end+1+int(question[end])]) + "."
		end += 1 + int(question[end])
	}
	end += 5 // the root, type and class
	answer := append(bytes.Clone(question[:2]), 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	answer = append(answer, question[12:end]...)
	n.mu.Lock()
	defer n.mu.Unlock()
	all, isA := n.addresses[name], question[end-3] == 1
	switch {
	case len(all) == 0:
		answer[3] |= 3 // there is no such name
	case isA:
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		answer = append(answer, netip.MustParseAddr(all[0]).AsSlice()...)
		if len(all) > 1 {
			n.addresses[name] = all[1:]
		}
	}
	return answer
}

func limits() media.Limits { return media.Limits{Bytes: 1 << 20, Time: 20 * time.Second} }

func account() tenant.Account {
	return tenant.Account{ID: "demo", Provider: "any", ProviderAccount: "AC1", APIToken: token}
}

// file serves a picture.
func file(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "image/png")
	_, _ = io.WriteString(w, png)
}

func TestAFileIsReadAsItsAccessSays(t *testing.T) {
	t.Parallel()
	secretKey := bytes.Repeat([]byte{7}, 32)
	block, _ := aes.NewCipher(secretKey)
	encrypted := []byte(png)
	cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(encrypted, encrypted)
	sum := sha256.Sum256([]byte(png))
	handler := func(n **internet) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/moved":
				http.Redirect(w, r, "/file", http.StatusFound)
			case "/elsewhere":
				http.Redirect(w, r, (*n).at("other.example.com", "/file"), http.StatusTemporaryRedirect)
			case "/index":
				_, _ = fmt.Fprintf(w, `{"media":{"url":%q}}`, (*n).at("other.example.com", "/file"))
			case "/encrypted":
				_, _ = w.Write(encrypted)
			case "/gzip":
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				_, _ = io.WriteString(z, png)
				_ = z.Close()
			default:
				file(w, r)
			}
		}
	}
	const basic = "Basic QUMxOmxvY2FsLXVzZS1vbmx5LWFwaS10b2tlbg=="
	for sentence, c := range map[string]struct {
		path   string
		access *canonical.Access
		kind   string
		sha    string
		asked  []string
	}{
		"as any page where it says nothing":      {path: "/file", asked: []string{"files.example.com/file"}},
		"with the digest that the provider told": {path: "/file", sha: hex.EncodeToString(sum[:]), asked: []string{"files.example.com/file"}},
		"by account and token":                   {path: "/file", access: &canonical.Access{Scheme: "basic"}, asked: []string{"files.example.com/file " + basic}},
		"by token of another word":               {path: "/file", access: &canonical.Access{Scheme: "app"}, asked: []string{"files.example.com/file App " + token}},
		"by access key":                          {path: "/file", access: &canonical.Access{Scheme: "accesskey"}, asked: []string{"files.example.com/file AccessKey " + token}},
		"by token":                               {path: "/file", access: &canonical.Access{Scheme: "bearer"}, asked: []string{"files.example.com/file Bearer " + token}},
		"by token in a header":                   {path: "/file", access: &canonical.Access{Scheme: "header", Header: "x-key"}, asked: []string{"files.example.com/file " + token}},
		"with headers of its own":                {path: "/file", access: &canonical.Access{Headers: map[string]string{"x-signature": "00ff"}}, asked: []string{"files.example.com/file 00ff"}},
		"a redirect on its host keeps credentials": {
			path: "/moved", access: &canonical.Access{Scheme: "bearer"},
			asked: []string{"files.example.com/moved Bearer " + token, "files.example.com/file Bearer " + token},
		},
		"a redirect to another host drops them": {
			path: "/elsewhere", access: &canonical.Access{Scheme: "header", Header: "x-key", Headers: map[string]string{"x-signature": "00ff"}},
			asked: []string{"files.example.com/elsewhere " + token + "00ff", "other.example.com/file"},
		},
		"unless they are for that one, too": {
			path: "/elsewhere", access: &canonical.Access{Scheme: "bearer", Hosts: []string{".example.com"}},
			asked: []string{"files.example.com/elsewhere Bearer " + token, "other.example.com/file Bearer " + token},
		},
		"by an answer that names it": {
			path: "/index", access: &canonical.Access{Scheme: "bearer", Member: "media.url"},
			asked: []string{"files.example.com/index Bearer " + token, "other.example.com/file"},
		},
		"by an answer that names it on a host of theirs": {
			path: "/index", access: &canonical.Access{Scheme: "bearer", Member: "media.url", Hosts: []string{"other.example.com"}, Headers: map[string]string{"x-signature": "00ff"}},
			asked: []string{"files.example.com/index Bearer " + token + "00ff", "other.example.com/file Bearer " + token},
		},
		"decrypted": {
			path: "/encrypted", kind: "image/png", sha: hex.EncodeToString(sum[:]),
			access: &canonical.Access{Cipher: "aes-256-ctr", Key: hex.EncodeToString(secretKey)}, asked: []string{"files.example.com/encrypted"},
		},
		"though it is compressed": {path: "/gzip", kind: "image/png", asked: []string{"files.example.com/gzip"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var n *internet
			n = newInternet(t, handler(&n))
			got, err := media.NewFetcher(n.network(), limits()).Fetch(t.Context(), canonical.Attachment{
				URL: n.at("files.example.com", c.path), ContentType: c.kind, SHA256: c.sha, Access: c.access,
			}, account())
			if diff := cmp.Diff(media.File{Type: "image/png", Body: []byte(png)}, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
			if diff := cmp.Diff(c.asked, n.asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAHostileServer: what is refused, and with which code. Whatever happens, credentials are shown to nobody else.
func TestAHostileServer(t *testing.T) {
	t.Parallel()
	bomb := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "image/png")
		z := gzip.NewWriter(w)
		for range 64 {
			if _, err := z.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
		_ = z.Close()
	}
	says := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
		}
	}
	status := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	to := func(address string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, address, http.StatusFound) }
	}
	for sentence, c := range map[string]struct {
		address string // of the attachment; "" is the server's
		handler http.HandlerFunc
		told    canonical.Attachment
		dns     []string // what files.example.com leads to
		time    time.Duration
		want    string
		kind    fault.Kind
	}{
		"plain http":                        {address: "http://files.example.com/file", want: media.CodeAddress, kind: fault.Permanent},
		"a file of this machine":            {address: "file:///etc/passwd", want: media.CodeAddress, kind: fault.Permanent},
		"credentials in the address":        {address: "https://me:hunter2@files.example.com/", want: media.CodeAddress, kind: fault.Permanent},
		"our own gateway":                   {address: "https://Hooks.example.com/v1/accounts", want: media.CodeAddress, kind: fault.Permanent},
		"our own gateway, in other words":   {address: "https://hooks.example.com.:443/v1/accounts", want: media.CodeAddress, kind: fault.Permanent},
		"the metadata service":              {address: "https://169.254.169.254/latest/meta-data/", want: media.CodeHost, kind: fault.Permanent},
		"the metadata service in IPv6":      {address: "https://[fd00:ec2::254]/latest/", want: media.CodeHost, kind: fault.Permanent},
		"it mapped":                         {address: "https://[::ffff:169.254.169.254]/", want: media.CodeHost, kind: fault.Permanent},
		"it by NAT64":                       {address: "https://[64:ff9b::a9fe:a9fe]/", want: media.CodeHost, kind: fault.Permanent},
		"the Runtime API":                   {address: "https://127.0.0.1:9001/", want: media.CodeHost, kind: fault.Permanent},
		"a private network":                 {address: "https://10.0.0.7/", want: media.CodeHost, kind: fault.Permanent},
		"a carrier's network":               {address: "https://100.64.0.1/", want: media.CodeHost, kind: fault.Permanent},
		"multicast":                         {address: "https://224.0.0.1/", want: media.CodeHost, kind: fault.Permanent},
		"everywhere":                        {address: "https://0.0.0.0/", want: media.CodeHost, kind: fault.Permanent},
		"a name of a private address":       {dns: []string{"192.168.1.1"}, want: media.CodeHost, kind: fault.Permanent},
		"a name that leads elsewhere later": {dns: []string{"127.0.0.1", "127.0.0.2"}, handler: to("/again"), want: media.CodeHost, kind: fault.Permanent},
		"a redirect to the metadata":        {handler: to("https://169.254.169.254/latest/meta-data/iam/"), want: media.CodeHost, kind: fault.Permanent},
		"a redirect to plain http":          {handler: to("http://other.example.com/file"), want: media.CodeAddress, kind: fault.Permanent},
		"a redirect without a place":        {handler: status(http.StatusFound), want: media.CodeRedirects, kind: fault.Permanent},
		"redirects without an end":          {handler: to("/again"), want: media.CodeRedirects, kind: fault.Permanent},
		"3 GB by the provider's word":       {told: canonical.Attachment{Size: 3 << 30}, handler: file, want: media.CodeLarge, kind: fault.Permanent},
		"3 GB by its own word": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3221225472")
			_, _ = io.WriteString(w, png)
		}, want: media.CodeLarge, kind: fault.Permanent},
		"a body without an end": {handler: func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		}, want: media.CodeLarge, kind: fault.Permanent},
		"a bomb": {handler: bomb, want: media.CodeLarge, kind: fault.Permanent},
		"a compression nobody asked for": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, png)
		}, want: media.CodeEncoding, kind: fault.Permanent},
		"a body that is cut": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			_, _ = io.WriteString(w, png)
		}, want: media.CodeUnavailable, kind: fault.Retryable},
		"a header without an end": {handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 256<<10))
		}, want: media.CodeUnavailable, kind: fault.Retryable},
		"a page as a picture":        {handler: says("image/png", "<!DOCTYPE html><script>alert(1)</script>"), want: media.CodeType, kind: fault.Permanent},
		"a page":                     {handler: says("text/html", "<html>Sign in</html>"), want: media.CodeType, kind: fault.Permanent},
		"a drawing that runs":        {handler: says("image/svg+xml", "<svg onload=alert(1)>"), want: media.CodeType, kind: fault.Permanent},
		"a program":                  {handler: says("application/x-msdownload", "MZ\x90\x00"), want: media.CodeType, kind: fault.Permanent},
		"a picture as a document":    {handler: says("application/pdf", png), want: media.CodeType, kind: fault.Permanent},
		"nobody knows what":          {handler: says("application/octet-stream", "\x00\x01\x02"), want: media.CodeType, kind: fault.Permanent},
		"other bytes than were told": {told: canonical.Attachment{SHA256: strings.Repeat("0", 64)}, handler: file, want: media.CodeDigest, kind: fault.Permanent},
		"one that says nothing":      {handler: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, time: 100 * time.Millisecond, want: media.CodeSlow, kind: fault.Retryable},
		"one that says a byte at a time": {handler: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
				<-tick.C
			}
		}, time: 200 * time.Millisecond, want: media.CodeSlow, kind: fault.Retryable},
		"one that fails":               {handler: status(500), want: media.CodeUnavailable, kind: fault.Retryable},
		"one that has it no more":      {handler: status(404), want: media.CodeGone, kind: fault.Permanent},
		"one that asks who we are":     {handler: status(401), want: media.CodeGone, kind: fault.Permanent},
		"one that refuses the account": {told: canonical.Attachment{Access: &canonical.Access{Scheme: "bearer"}}, handler: status(401), want: media.CodeCredentials, kind: fault.Blocked},
		"one that has no room for us":  {told: canonical.Attachment{Access: &canonical.Access{Scheme: "bearer"}}, handler: status(400), want: media.CodeRefused, kind: fault.Retryable},
		"one that is never for us":     {told: canonical.Attachment{Access: &canonical.Access{Scheme: "bearer"}}, handler: status(451), want: media.CodeGone, kind: fault.Permanent},
		"one that had it for us once":  {told: canonical.Attachment{Access: &canonical.Access{Scheme: "bearer"}}, handler: status(410), want: media.CodeGone, kind: fault.Permanent},
		"one that lost it":             {told: canonical.Attachment{Access: &canonical.Access{Scheme: "bearer"}}, handler: status(404), want: media.CodeGone, kind: fault.Permanent},
		"one that it leads to has no room": {told: canonical.Attachment{Access: &canonical.Access{Scheme: "bearer"}}, handler: func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.Host, "files.") {
				_, port, _ := net.SplitHostPort(r.Host)
				http.Redirect(w, r, "https://other.example.com:"+port+"/file", http.StatusFound)
				return
			}
			w.WriteHeader(http.StatusForbidden)
		}, want: media.CodeRefused, kind: fault.Retryable},
		"one that is asked wrongly":   {handler: status(400), want: media.CodeGone, kind: fault.Permanent},
		"a scheme of a later release": {told: canonical.Attachment{Access: &canonical.Access{Scheme: "dpop"}}, handler: file, want: media.CodeAccess, kind: fault.Permanent},
		"a member that is not there":  {told: canonical.Attachment{Access: &canonical.Access{Member: "media.url"}}, handler: says("application/json", `{"media":[]}`), want: media.CodeMember, kind: fault.Permanent},
		"a member that leads inside": {
			told: canonical.Attachment{Access: &canonical.Access{Member: "url"}}, handler: says("application/json", `{"url":"https://10.0.0.1/"}`),
			want: media.CodeHost, kind: fault.Permanent,
		},
		"an answer without an end": {told: canonical.Attachment{Access: &canonical.Access{Member: "url"}}, handler: bomb, want: media.CodeLarge, kind: fault.Permanent},
		"a key that is none":       {told: canonical.Attachment{Access: &canonical.Access{Cipher: "aes-256-ctr", Key: "00"}}, handler: file, want: media.CodeCipher, kind: fault.Permanent},
		"a cipher nobody knows":    {told: canonical.Attachment{Access: &canonical.Access{Cipher: "rot13", Key: strings.Repeat("0", 64)}}, handler: file, want: media.CodeCipher, kind: fault.Permanent},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			n := newInternet(t, func(w http.ResponseWriter, r *http.Request) {
				if c.handler != nil {
					c.handler(w, r)
				}
			})
			if c.dns != nil {
				n.addresses["files.example.com."] = c.dns
			}
			network, limits := n.network(), limits()
			network.Own = []string{"hooks.example.com"}
			if c.time > 0 {
				limits.Time = c.time
			}
			a := c.told
			if a.URL = c.address; a.URL == "" {
				a.URL = n.at("files.example.com", "/file")
			}
			got, err := media.NewFetcher(network, limits).Fetch(t.Context(), a, account())
			if f := fault.Of(err); f == nil || f.Code != c.want || f.Kind != c.kind || got.Body != nil {
				t.Fatalf("%v, %d bytes, want %s %s", err, len(got.Body), c.kind, c.want)
			}
			if host := mustParse(t, a.URL).Hostname(); host != "" && strings.Contains(err.Error(), host) {
				t.Errorf("the error tells the address: %v", err)
			}
		})
	}
}

// TestNothingIsReachedThatIsNotAllowedByItsAddress: what tests may reach they name.
func TestNothingIsReachedThatIsNotAllowedByItsAddress(t *testing.T) {
	t.Parallel()
	n := newInternet(t, file)
	network := n.network()
	network.Allowed = nil
	_, err := media.NewFetcher(network, limits()).Fetch(t.Context(), canonical.Attachment{URL: n.at("files.example.com", "/file")}, account())
	if !fault.Is(err, media.CodeHost) || len(n.asked) > 0 {
		t.Errorf("%v, asked %v", err, n.asked)
	}
}

func TestThrottlingSaysHowLong(t *testing.T) {
	t.Parallel()
	for after, want := range map[string]time.Duration{"7": 7 * time.Second, "": time.Second, "86400": 15 * time.Minute, "soon": time.Second} {
		n := newInternet(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		_, err := media.NewFetcher(n.network(), limits()).Fetch(t.Context(), canonical.Attachment{URL: n.at("files.example.com", "/file")}, account())
		if f := fault.Of(err); f == nil || f.Kind != fault.Throttled || f.Wait != want {
			t.Errorf("%q: %v, wait %s", after, err, f.Wait)
		}
	}
}

// TestLoopbackIsWhereEverythingGoes: with a server that plays all hosts, nothing leaves the machine.
func TestLoopbackIsWhereEverythingGoes(t *testing.T) {
	t.Parallel()
	var host string
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host = r.Host
		file(w, r)
	}))
	defer plain.Close()
	network := media.Network{Loopback: netip.MustParseAddrPort(plain.Listener.Addr().String())}
	got, err := media.NewFetcher(network, limits()).Fetch(t.Context(), canonical.Attachment{URL: "https://api.example.com/media/1"}, account())
	if err != nil || string(got.Body) != png || host != "api.example.com" {
		t.Errorf("%v %q of %q", err, got.Body, host)
	}
}

func TestADeploymentFetchesNothingFromItsOwnMachine(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct{ local, deployed bool }{
		"": {true, true}, "127.0.0.1:8080": {true, false}, "10.0.0.1:8080": {false, false}, "169.254.169.254:80": {false, false}, "localhost:80": {false, false},
	} {
		for local, ok := range map[bool]bool{true: c.local, false: c.deployed} {
			if at, err := media.Loopback(text, local); (err == nil) != ok || err != nil && at.IsValid() {
				t.Errorf("%q, local %t: %v %v", text, local, at, err)
			}
		}
	}
}

func mustParse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
