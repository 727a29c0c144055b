package twilio

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the provider signs with HMAC-SHA-1, which SHA-1's collisions do not touch
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strings"

	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// header is where the signature is.
const header = "X-Twilio-Signature"

// bodyHash is the query parameter that carries the hash of a body that is not a form.
const bodyHash = "bodySHA256"

// ErrBaseURL is a public base URL that nothing can be signed against.
var ErrBaseURL = errors.New("twilio: the public base URL must be http or https with a host and without query, fragment or user")

// bases returns the public base URL without and with its port, each with its path (a named stage is part of it). The sender
// is inconsistent about the port, so that its own libraries accept both forms.
func bases(public string) ([]string, error) {
	u, err := url.Parse(strings.TrimSuffix(public, "/"))
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, ErrBaseURL
	}
	port := u.Port()
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, ErrBaseURL
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	bare := u.Scheme + "://" + strings.TrimSuffix(u.Host, ":"+u.Port())
	return []string{bare + u.EscapedPath(), bare + ":" + port + u.EscapedPath()}, nil
}

// Verify implements adapter.Content. The signature is base64(HMAC-SHA-1(token, URL ‖ fields)), the fields sorted by name, each
// distinct value of a name sorted behind it. The URL is the configured one, never rebuilt from headers that anybody can send. A body
// is always covered: by the hash of it in the URL, bodySHA256, or as a form, even when it claims to be something else.
// See https://www.twilio.com/docs/usage/webhooks/webhooks-security.
func (c *content) Verify(tokens secret.Versions) error {
	given := c.Header.Get(header)
	switch {
	case given == "":
		return rejected("signature_missing")
	case c.hashed && !isHash(c.hash, c.Body):
		return rejected("body_hash_wrong")
	case !c.hashed && !c.complete:
		return rejected("too_many_fields")
	}
	text := c.signedText(!c.hashed)
	for _, base := range c.bases {
		for _, token := range tokens {
			if token == "" { // an empty key would let anybody sign
				continue
			}
			mac := hmac.New(sha1.New, []byte(token))
			_, _ = mac.Write([]byte(base))
			_, _ = mac.Write(text)
			var sum [sha1.Size]byte
			var expected [(sha1.Size + 2) / 3 * 4]byte
			base64.StdEncoding.Encode(expected[:], mac.Sum(sum[:0]))
			if subtle.ConstantTimeCompare(expected[:], []byte(given)) == 1 {
				return nil
			}
		}
	}
	return rejected("signature_wrong")
}

func rejected(code string) error { return fault.New(fault.Rejected, code, nil) }

func isHash(given string, body []byte) bool {
	var decoded [sha256.Size]byte
	if len(given) != hex.EncodedLen(len(decoded)) {
		return false
	}
	sum := sha256.Sum256(body)
	_, err := hex.Decode(decoded[:], []byte(given))
	return subtle.ConstantTimeCompare(sum[:], decoded[:]) == 1 && err == nil
}

// signedText returns what was signed behind the base URL: the rest of the URL, then each name and value that differs from the one
// before.
func (c *content) signedText(withFields bool) []byte {
	text := make([]byte, 0, len(c.Path)+1+len(c.RawQuery)+len(c.Body))
	text = append(text, c.Path...)
	if c.RawQuery != "" {
		text = append(append(text, '?'), c.RawQuery...)
	}
	if !withFields {
		return text
	}
	sorted := slices.Clone(c.fields)
	slices.SortFunc(sorted, func(a, b field) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	for _, f := range slices.Compact(sorted) {
		text = append(append(text, f.name...), f.value...)
	}
	return text
}
