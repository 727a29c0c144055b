package media

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/jwt"
	"signalbox/shared/tenant"
)

// The codes of the faults of fetching. What is permanent is told of the file; the rest is tried again.
const (
	CodeAddress     = "media_address_invalid"     // permanent: the address is not that of a file, or not https
	CodeHost        = "media_host_refused"        // permanent: it leads to a private network, or to this deployment
	CodeRedirects   = "media_redirects"           // permanent: it leads on too often, or nowhere
	CodeLarge       = "media_too_large"           // permanent
	CodeType        = "media_type_refused"        // permanent: no type of file that is kept, or not the one that it says it is
	CodeEncoding    = "media_encoding_unknown"    // permanent: compressed in a way that nobody asked for
	CodeDigest      = "media_digest_mismatch"     // permanent: not the bytes that the provider told of
	CodeGone        = "media_gone"                // permanent: the provider has it no more, or refuses it to everybody who has no credentials
	CodeAccess      = "media_access_unknown"      // permanent: it is read in a way that this release does not know
	CodeMember      = "media_member_missing"      // permanent: the provider's answer does not name the file
	CodeCipher      = "media_cipher_invalid"      // permanent: it cannot be decrypted as the provider said
	CodeCredentials = "media_credentials_refused" //nolint:gosec // no credential. Blocked: the provider refuses the account's credentials
	CodeThrottled   = "media_throttled"           // throttled
	CodeUnavailable = "media_unavailable"         // retryable: no answer, a broken one, or a server's error
	CodeRefused     = "media_refused"             // retryable: the provider refuses the request for a reason that may pass or that somebody mends
	CodeSlow        = "media_timeout"             // retryable: it takes too long
)

// Limits bound what is read of one file.
type Limits struct {
	Bytes int64         // as it is kept
	Time  time.Duration // of all requests for it
}

// Bounds that no deployment changes.
const (
	maxRedirects = 5
	maxAnswer    = 64 << 10 // of an answer that names the file
	maxWait      = 15 * time.Minute
)

// Fetcher fetches files from where strangers say that they are. It is safe for concurrent use.
type Fetcher struct {
	network   Network
	limits    Limits
	transport http.RoundTripper
}

// NewFetcher returns a Fetcher.
func NewFetcher(n Network, l Limits) *Fetcher { return &Fetcher{n, l, n.transport()} }

// File is what was fetched.
type File struct {
	Type string // a MIME type without parameters
	Body []byte
}

// Fetch returns the file of an attachment, by the credentials of the account that it came to where it says that it is read with them. They
// are sent to the host of its address and to those of its Access, whatever that leads to. Errors are faults with one of the codes
// above, and hold nothing of the address.
func (f *Fetcher) Fetch(ctx context.Context, a canonical.Attachment, account tenant.Account) (File, error) {
	limited, cancel := context.WithTimeout(ctx, f.limits.Time)
	defer cancel()
	file, err := f.fetch(limited, a, account)
	if f := fault.Of(err); f != nil && f.Code == CodeUnavailable && limited.Err() != nil {
		err = fault.New(fault.Retryable, CodeSlow, nil)
	}
	return file, err
}

func (f *Fetcher) fetch(ctx context.Context, a canonical.Attachment, account tenant.Account) (File, error) {
	if a.Size > f.limits.Bytes {
		return File{}, fault.New(fault.Permanent, CodeLarge, nil)
	}
	address, err := url.Parse(a.URL)
	if err != nil {
		return File{}, fault.New(fault.Permanent, CodeAddress, nil)
	}
	access := canonical.Access{}
	if a.Access != nil {
		access = *a.Access
	}
	as, err := newCredentials(access, address, account)
	if err != nil {
		return File{}, err
	}
	if access.Member != "" {
		if address, err = f.lookUp(ctx, address, access.Member, as); err != nil {
			return File{}, err
		}
		as.header = nil // they are of the first request
	}
	header, body, err := f.get(ctx, address, as, f.limits.Bytes)
	if err == nil {
		body, err = decrypt(body, access)
	}
	if err == nil && a.SHA256 != "" && digest(body) != a.SHA256 {
		err = fault.New(fault.Permanent, CodeDigest, nil)
	}
	if err != nil {
		return File{}, err
	}
	kind, err := typeOf(header.Get("Content-Type"), a.ContentType, body)
	if err != nil {
		return File{}, err
	}
	return File{kind, body}, nil
}

// lookUp returns the address of the file that the answer of another address names in a member.
func (f *Fetcher) lookUp(ctx context.Context, at *url.URL, member string, as credentials) (*url.URL, error) {
	_, answer, err := f.get(ctx, at, as, maxAnswer)
	if err != nil {
		return nil, err
	}
	return memberOf(answer, member, at)
}

// get reads what an address leads to, which is at most so many bytes.
func (f *Fetcher) get(ctx context.Context, address *url.URL, as credentials, most int64) (http.Header, []byte, error) {
	for range maxRedirects + 1 {
		reply, err := f.request(ctx, address, as)
		if err != nil {
			return nil, nil, err
		}
		next, err := location(reply, address)
		if err == nil && next == nil {
			err = faultOf(reply, as.any(), as.goTo(address))
		}
		var body []byte
		if err == nil && next == nil {
			body, err = read(reply, most)
		}
		_ = reply.Body.Close()
		if err != nil || next == nil {
			return reply.Header, body, err
		}
		address = next
	}
	return nil, nil, fault.New(fault.Permanent, CodeRedirects, nil)
}

// request makes one request, with credentials only to a host that they are for.
func (f *Fetcher) request(ctx context.Context, to *url.URL, as credentials) (*http.Response, error) {
	if !f.allows(to) {
		return nil, fault.New(fault.Permanent, CodeAddress, nil)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return nil, fault.New(fault.Permanent, CodeAddress, nil)
	}
	r.Header = http.Header{"User-Agent": {"signalbox"}, "Accept-Encoding": {"identity"}}
	if as.goTo(to) {
		as.set(r)
	}
	reply, err := f.transport.RoundTrip(r)
	if err == nil {
		return reply, nil
	}
	if sorted, ok := errors.AsType[*fault.Error](err); ok { // the guard's
		return nil, sorted
	}
	return nil, fault.New(fault.Retryable, CodeUnavailable, nil) // its words hold the address
}

// allows reports whether an address may be asked at all, before its host is looked up.
func (f *Fetcher) allows(u *url.URL) bool {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	return u.Scheme == "https" && host != "" && u.User == nil && u.Opaque == "" && !slices.Contains(f.network.Own, host)
}

// location returns where a reply leads on to, nil if it does not.
func location(reply *http.Response, from *url.URL) (*url.URL, error) {
	switch reply.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		next, err := from.Parse(reply.Header.Get("Location"))
		if err != nil || reply.Header.Get("Location") == "" {
			return nil, fault.New(fault.Permanent, CodeRedirects, nil)
		}
		return next, nil
	}
	return nil, nil //nolint:nilnil // it leads nowhere
}

// faultOf returns the fault of a reply that is not the file, nil for one that is. Of a file that is read with credentials, wherever they led to
// and whether this request had them, a refusal is final only if its status says so: providers answer 400 for a permission that the
// account lacks or a limit that is reached, too, and an address that was signed for us can have ended.
func faultOf(reply *http.Response, credentials, authenticated bool) error {
	switch status := reply.StatusCode; {
	case status == http.StatusOK:
		return nil
	case status == http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(reply.Header.Get("Retry-After"))
		return &fault.Error{Kind: fault.Throttled, Code: CodeThrottled, Wait: min(time.Duration(max(seconds, 1))*time.Second, maxWait)}
	case status == http.StatusRequestTimeout || status >= 500:
		return fault.New(fault.Retryable, CodeUnavailable, nil)
	case authenticated && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		return fault.New(fault.Blocked, CodeCredentials, nil)
	case credentials && status != http.StatusNotFound && status != http.StatusGone && status != http.StatusUnavailableForLegalReasons:
		return fault.New(fault.Retryable, CodeRefused, nil)
	default:
		return fault.New(fault.Permanent, CodeGone, nil)
	}
}

// memberOf returns the address that an answer holds in a member of a dotted name.
func memberOf(answer []byte, name string, from *url.URL) (*url.URL, error) {
	missing := fault.New(fault.Permanent, CodeMember, nil)
	for part := range strings.SplitSeq(name, ".") {
		var object map[string]json.RawMessage
		if json.Unmarshal(answer, &object) != nil {
			return nil, missing
		}
		answer = object[part]
	}
	var address string
	if json.Unmarshal(answer, &address) != nil || address == "" {
		return nil, missing
	}
	to, err := from.Parse(address)
	if err != nil {
		return nil, missing
	}
	return to, nil
}

// credentials are what is sent, and to which hosts. The zero value is none.
type credentials struct {
	access  canonical.Access
	account tenant.Account
	hosts   []string
	port    string
	header  map[string]string
}

func newCredentials(a canonical.Access, address *url.URL, account tenant.Account) (credentials, error) {
	as := credentials{access: a, account: account, port: address.Port(), header: a.Headers}
	as.hosts = append([]string{strings.ToLower(address.Hostname())}, a.Hosts...)
	switch a.Scheme {
	case "":
		return as, nil
	case canonical.AccessBasic, canonical.AccessBearer, canonical.AccessApp, canonical.AccessKey, canonical.AccessJWT, canonical.AccessHeader:
		if account.APIToken == "" {
			return as, fault.New(fault.Blocked, CodeCredentials, nil)
		}
		return as, nil
	default:
		return as, fault.New(fault.Permanent, CodeAccess, nil)
	}
}

// any reports whether a file is read with credentials at all.
func (c credentials) any() bool { return c.access.Scheme != "" || len(c.access.Headers) > 0 }

// goTo reports whether credentials are sent to an address: to a host of theirs, or to one below a host that is written with a leading dot, by
// the port of the first.
func (c credentials) goTo(to *url.URL) bool {
	host := strings.ToLower(to.Hostname())
	return (c.access.Scheme != "" || len(c.header) > 0) && to.Port() == c.port && slices.ContainsFunc(c.hosts, func(own string) bool {
		return host == own || strings.HasPrefix(own, ".") && strings.HasSuffix(host, own)
	})
}

func (c credentials) set(r *http.Request) {
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	switch token := string(c.account.APIToken); c.access.Scheme {
	case canonical.AccessBasic:
		r.SetBasicAuth(c.account.ProviderAccount, token)
	case canonical.AccessBearer:
		r.Header.Set("Authorization", "Bearer "+token)
	case canonical.AccessApp:
		r.Header.Set("Authorization", "App "+token)
	case canonical.AccessKey:
		r.Header.Set("Authorization", "AccessKey "+token)
	case canonical.AccessJWT:
		r.Header.Set("Authorization", "Bearer "+webToken(c.account.ProviderAccount, token, time.Now()))
	case canonical.AccessHeader:
		r.Header.Set(c.access.Header, token)
	}
}

// webToken returns a JSON Web Token that an account issues at a time: HS256, its key what a secret in base64 stands for.
func webToken(issuer, secret string, at time.Time) string {
	key, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		return "" // which the provider refuses
	}
	claims, _ := json.Marshal(struct { // a string and a number always encode
		Issuer string `json:"iss"`
		At     int64  `json:"iat"`
	}{issuer, at.Unix()})
	return jwt.Sign(claims, key)
}
