// Package standardwebhooks signs and verifies requests by Standard Webhooks 1.0.0, version v1 of its signatures (HMAC-SHA256):
// what programs use that call us. Asymmetric signatures (v1a) are skipped like any version it does not know.
// See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
package standardwebhooks

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// The headers. A request has each of them once.
const (
	HeaderID        = "Webhook-Id"        // the same on every attempt of one request
	HeaderTimestamp = "Webhook-Timestamp" // of the attempt, in seconds of Unix time
	HeaderSignature = "Webhook-Signature" // "v1,<base64>", several with spaces between them while a secret is being changed
)

// Tolerance is how far the time of an attempt may be from the time of its receipt, on either side.
const Tolerance = 5 * time.Minute

// The codes of the faults that Verify returns.
const (
	CodeMissing   = "signature_missing"   // a header is not there
	CodeMalformed = "signature_malformed" // a header is there twice, or is none of the form
	CodeTime      = "timestamp_outside_tolerance"
	CodeWrong     = "signature_wrong"
)

// What is read of a request that nobody has authenticated yet.
const (
	maxID         = 256
	maxTimestamp  = 12 // digits
	maxSignature  = 4096
	maxSignatures = 10
)

// The form of a secret: whsec_ and so many bytes in base64.
const (
	prefix   = "whsec_"
	leastKey = 24
	mostKey  = 64
)

// Key returns the key that a secret stands for, and false for what is not whsec_ and 24 to 64 bytes in base64. Two keys that sign
// alike are equal: zero bytes at the end, which HMAC adds itself, are left out.
func Key(s secret.Value) ([]byte, bool) {
	encoded, ok := strings.CutPrefix(string(s), prefix)
	if !ok || len(encoded) > base64.StdEncoding.EncodedLen(mostKey) || strings.ContainsAny(encoded, "\r\n") { // which the decoder would skip
		return nil, false
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) < leastKey || len(key) > mostKey {
		return nil, false
	}
	return bytes.TrimRight(key, "\x00"), true
}

// Sign returns the three headers of a request with this body that is sent at this time. The secret is one that Key accepts; with
// any other the request is not authentic.
func Sign(s secret.Value, id string, at time.Time, body []byte) http.Header {
	key, _ := Key(s)
	timestamp := strconv.FormatInt(at.Unix(), 10)
	return http.Header{
		HeaderID:        {id},
		HeaderTimestamp: {timestamp},
		HeaderSignature: {"v1," + string(signature(key, id, timestamp, body))},
	}
}

// Verify returns nil if the request was signed with one of secrets not far from the time it was received, and a fault.Rejected
// otherwise. A secret that Key does not accept signs nothing.
func Verify(header http.Header, body []byte, received time.Time, secrets secret.Versions) error {
	id, err1 := once(header, HeaderID, maxID)
	timestamp, err2 := once(header, HeaderTimestamp, maxTimestamp)
	signatures, err3 := once(header, HeaderSignature, maxSignature)
	if err := cmp.Or(err1, err2, err3); err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || !isID(id) || strings.Trim(timestamp, "0123456789") != "" {
		return rejected(CodeMalformed)
	}
	if off := received.Sub(time.Unix(seconds, 0)); off > Tolerance || off < -Tolerance {
		return rejected(CodeTime)
	}
	if !signed(signatures, id, timestamp, body, secrets) {
		return rejected(CodeWrong)
	}
	return nil
}

// signed reports whether one of the first signatures is that of one of the secrets. What is compared is the encoded form, of which
// there is one.
func signed(signatures, id, timestamp string, body []byte, secrets secret.Versions) bool {
	for _, s := range secrets {
		key, ok := Key(s)
		if !ok {
			continue
		}
		expected := signature(key, id, timestamp, body)
		rest := signatures
		for range maxSignatures {
			var one string
			one, rest, _ = strings.Cut(rest, " ")
			version, given, _ := strings.Cut(one, ",")
			if version == "v1" && subtle.ConstantTimeCompare(expected, []byte(given)) == 1 {
				return true
			}
		}
	}
	return false
}

// signature returns the base64 of the MAC over what is signed. Neither id nor timestamp holds a ".", so that nothing can be moved
// from one part into another.
func signature(key []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id + "." + timestamp + "."))
	_, _ = mac.Write(body)
	return base64.StdEncoding.AppendEncode(nil, mac.Sum(nil))
}

// once returns the value of a header that is there once.
func once(header http.Header, name string, most int) (string, error) {
	values := header.Values(name)
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", rejected(CodeMissing)
	case len(values) > 1 || len(values[0]) > most:
		return "", rejected(CodeMalformed)
	}
	return values[0], nil
}

// isID reports whether s is printable ASCII without blanks and dots, and without commas: a gateway joins a header that is there twice
// by one.
func isID(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '.' || c == ',' {
			return false
		}
	}
	return s != ""
}

func rejected(code string) error { return fault.New(fault.Rejected, code, nil) }
