// Package standardwebhooks signs and verifies requests by Standard Webhooks 1.0.0: what programs use that call us. A secret (whsec_)
// verifies signatures of the version v1 (HMAC-SHA256), a public key (whpk_) those of v1a (Ed25519), and neither the other's.
// See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
package standardwebhooks

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
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
	HeaderSignature = "Webhook-Signature" // "v1,<base64>" or "v1a,<base64>", several with spaces between them while a key is being changed
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

// The forms of a secret, whsec_ and so many bytes in base64, and of a public key.
const (
	prefix       = "whsec_"
	leastKey     = 24
	mostKey      = 64
	prefixPublic = "whpk_"
	prefixSecret = "whsk_" // of an asymmetric pair: who signs alone has it
)

// Key returns the key that a secret stands for, and false for what is not whsec_ and 24 to 64 bytes in base64. Two keys that sign
// alike are equal: zero bytes at the end, which HMAC adds itself, are left out.
func Key(s secret.Value) ([]byte, bool) {
	key, ok := decode(s, prefix, leastKey, mostKey)
	return bytes.TrimRight(key, "\x00"), ok
}

// PublicKey returns the key that a whpk_ and 32 bytes in base64 stand for, and false for anything else.
func PublicKey(s secret.Value) (ed25519.PublicKey, bool) {
	return decode(s, prefixPublic, ed25519.PublicKeySize, ed25519.PublicKeySize)
}

// PrivateKey returns the key that a whsk_ and 64 bytes in base64, seed and public key, stand for, and false for anything else.
func PrivateKey(s secret.Value) (ed25519.PrivateKey, bool) {
	return decode(s, prefixSecret, ed25519.PrivateKeySize, ed25519.PrivateKeySize)
}

// Identify returns what tells keys apart, of a Key and of a PublicKey, and false for what is neither.
func Identify(s secret.Value) ([]byte, bool) {
	if key, ok := Key(s); ok {
		return key, true
	}
	return PublicKey(s)
}

// decode returns the bytes behind a prefix.
func decode(s secret.Value, prefix string, least, most int) ([]byte, bool) {
	encoded, ok := strings.CutPrefix(string(s), prefix)
	if !ok || len(encoded) > base64.StdEncoding.EncodedLen(most) || strings.ContainsAny(encoded, "\r\n") { // which the decoder would skip
		return nil, false
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) < least || len(key) > most {
		return nil, false
	}
	return key, true
}

// Sign returns the three headers of a request with this body that is sent at this time. The secret is one that Key or PrivateKey accepts;
// with any other the request is not authentic.
func Sign(s secret.Value, id string, at time.Time, body []byte) http.Header {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	header := http.Header{HeaderID: {id}, HeaderTimestamp: {timestamp}}
	if private, ok := PrivateKey(s); ok {
		signed := ed25519.Sign(private, append([]byte(id+"."+timestamp+"."), body...))
		header.Set(HeaderSignature, "v1a,"+base64.StdEncoding.EncodeToString(signed))
		return header
	}
	key, _ := Key(s)
	header.Set(HeaderSignature, "v1,"+string(signature(key, id, timestamp, body)))
	return header
}

// Verify returns nil if the request was signed with one of secrets, or with the private half of one that is a public key, not far from the
// time it was received, and a fault.Rejected otherwise. What neither Key nor PublicKey accepts signs nothing.
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

// signed reports whether one of the first signatures is that of one of the secrets. Of v1 the encoded form is compared, of which there
// is one.
func signed(signatures, id, timestamp string, body []byte, secrets secret.Versions) bool {
	for _, s := range secrets {
		var expected []byte
		key, symmetric := Key(s)
		public, asymmetric := PublicKey(s)
		switch {
		case symmetric:
			expected = signature(key, id, timestamp, body)
		case !asymmetric:
			continue
		}
		rest := signatures
		for range maxSignatures {
			var one string
			one, rest, _ = strings.Cut(rest, " ")
			version, given, _ := strings.Cut(one, ",")
			switch {
			case symmetric && version == "v1" && subtle.ConstantTimeCompare(expected, []byte(given)) == 1:
				return true
			case asymmetric && version == "v1a" && signedBy(public, given, id, timestamp, body):
				return true
			}
		}
	}
	return false
}

// signedBy reports whether a signature in base64 is one of the private half of a key.
func signedBy(key ed25519.PublicKey, encoded, id, timestamp string, body []byte) bool {
	given, err := base64.StdEncoding.Strict().DecodeString(encoded)
	return err == nil && len(given) == ed25519.SignatureSize && ed25519.Verify(key, append([]byte(id+"."+timestamp+"."), body...), given)
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
