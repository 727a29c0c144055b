// Package jwt signs and verifies JSON Web Tokens in the one form that providers sign webhooks in: HMAC-SHA-256 (HS256). It knows no other
// algorithm, so that a token cannot choose one. See RFC 7515 and RFC 7519.
package jwt

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/secret"
)

// The codes of tokens that Verify refuses.
const (
	CodeMissing   = "token_missing"   // the header holds none
	CodeAlgorithm = "token_algorithm" // it asks for another algorithm
	CodeSignature = "token_signature" // it is signed with none of the keys
)

const (
	maxDepth = 32
	length   = (sha256.Size*8 + 5) / 6 // of a signature in base64 without padding
)

// Sign returns a token of claims, which are an object of JSON.
func Sign(claims, key []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256"}`)) + "." + encode(claims)
	signature := sign([]byte(signed), key)
	return signed + "." + string(signature[:])
}

// Verify returns the claims of the token in an Authorization header of the scheme Bearer, "" if they are no JSON. Its error is a fault.Rejected:
// the key of one of secrets has to have signed it, and an empty one, with which anybody could sign, is none.
func Verify(authorization string, secrets secret.Versions, key func(secret.Value) []byte) (jsontext.Value, error) {
	scheme, text, _ := strings.Cut(authorization, " ")
	token := []byte(text)
	end := bytes.LastIndexByte(token, '.')
	if !strings.EqualFold(scheme, "Bearer") || end < 0 {
		return "", fault.New(fault.Rejected, CodeMissing, nil)
	}
	head, claims, _ := bytes.Cut(token[:end], []byte("."))
	if decode(head).TextAt("alg") != "HS256" {
		return "", fault.New(fault.Rejected, CodeAlgorithm, nil)
	}
	for _, s := range secrets {
		k := key(s)
		expected := sign(token[:end], k)
		if len(k) > 0 && subtle.ConstantTimeCompare(expected[:], token[end+1:]) == 1 {
			return decode(claims), nil
		}
	}
	return "", fault.New(fault.Rejected, CodeSignature, nil)
}

func sign(signed, key []byte) (signature [length]byte) {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(signed)
	var sum [sha256.Size]byte
	base64.RawURLEncoding.Encode(signature[:], mac.Sum(sum[:0]))
	return signature
}

// decode reads a part of a token. What cannot be read says nothing.
func decode(part []byte) jsontext.Value {
	var room [512]byte // for a usual one
	data, err := base64.RawURLEncoding.AppendDecode(room[:0], part)
	if err != nil {
		return ""
	}
	v, _ := jsontext.Parse(data, maxDepth) // "" for what is none
	return v
}
