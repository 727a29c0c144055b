package twilio

import (
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
	"signalbox/shared/webhook"
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

// verify checks a request's signature: base64(HMAC-SHA-1(token, URL ‖ fields)), the fields sorted by name, each distinct
// value of a name sorted behind it. The URL is the configured one, never rebuilt from headers that anybody can send. Where
// it carries bodySHA256, the hash stands in for the fields.
// See https://www.twilio.com/docs/usage/webhooks/webhooks-security.
func verify(bases []string, r webhook.Request, tokens secret.Versions) error {
	given := r.Header.Get(header)
	if given == "" {
		return fault.New(fault.Rejected, "signature_missing", nil)
	}
	fields, err := signedFields(r)
	if err != nil {
		return err
	}
	for _, base := range bases {
		text := signedText(base, r, fields)
		for _, token := range tokens {
			if token == "" { // an empty key would let anybody sign
				continue
			}
			mac := hmac.New(sha1.New, []byte(token))
			_, _ = mac.Write(text)
			var sum [sha1.Size]byte
			var expected [(sha1.Size + 2) / 3 * 4]byte
			base64.StdEncoding.Encode(expected[:], mac.Sum(sum[:0]))
			if subtle.ConstantTimeCompare(expected[:], []byte(given)) == 1 {
				return nil
			}
		}
	}
	return fault.New(fault.Rejected, "signature_wrong", nil)
}

// signedFields returns the fields that are signed behind the URL, sorted. A body is always covered: by its hash in the URL,
// or as a form, even when it claims to be something else.
func signedFields(r webhook.Request) (form, error) {
	if want, ok := queryValue(r.RawQuery, bodyHash); ok {
		sum := sha256.Sum256(r.Body)
		if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(strings.ToLower(want))) != 1 {
			return nil, fault.New(fault.Rejected, "body_hash_wrong", nil)
		}
		return nil, nil
	}
	fields, complete := decodeForm(r.Body)
	if !complete {
		return nil, fault.New(fault.Rejected, "too_many_fields", nil)
	}
	slices.SortFunc(fields, func(a, b field) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	return fields, nil
}

// signedText returns what was signed: the URL, then each name and value that differs from the one before.
func signedText(base string, r webhook.Request, sorted form) []byte {
	text := make([]byte, 0, len(base)+len(r.Path)+1+len(r.RawQuery)+len(r.Body))
	text = append(append(text, base...), r.Path...)
	if r.RawQuery != "" {
		text = append(append(text, '?'), r.RawQuery...)
	}
	for i, f := range sorted {
		if i == 0 || f != sorted[i-1] {
			text = append(append(text, f.name...), f.value...)
		}
	}
	return text
}

// queryValue returns the first value of a parameter. It is tolerant like the form decoder.
func queryValue(raw, name string) (string, bool) {
	for raw != "" {
		var segment string
		segment, raw, _ = strings.Cut(raw, "&")
		var text strings.Builder
		key, value, _ := strings.Cut(segment, "=")
		if unescape(&text, key) == name {
			return unescape(&text, value), true
		}
	}
	return "", false
}
