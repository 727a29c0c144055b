package applebusiness

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/jsontext"
	"signalbox/shared/secret"
)

// tolerance is how far the time at which a token was issued may be from when it came, either way.
const tolerance = time.Hour

// verify checks the Authorization header of a webhook: a JSON Web Token signed by HMAC-SHA-256 and no other algorithm, whose key are the bytes
// that the secret is the base64 of, issued to the MSP, and of now.
// See https://register.apple.com/resources/messages/msp-rest-api/authorizing-messages.
func verify(authorization, msp string, received time.Time, secrets secret.Versions) error {
	scheme, token, _ := strings.Cut(authorization, " ")
	end := strings.LastIndexByte(token, '.')
	if !strings.EqualFold(scheme, "Bearer") || end < 0 {
		return rejected("token_missing")
	}
	signed, signature := token[:end], token[end+1:]
	head, body, _ := strings.Cut(signed, ".")
	if decode(head, msp).alg != "HS256" {
		return rejected("token_algorithm")
	}
	if !slices.ContainsFunc(secrets, func(s secret.Value) bool { return isSigned(signed, signature, s) }) {
		return rejected("token_signature")
	}
	said := decode(body, msp)
	switch {
	case said.issued == 0:
		return rejected("token_malformed")
	case !said.ours:
		return rejected("token_audience")
	}
	now := float64(received.UnixMilli()) / 1000
	if age := now - said.issued; age > tolerance.Seconds() || age < -tolerance.Seconds() || said.expires != 0 && now > said.expires {
		return rejected("token_stale")
	}
	return nil
}

// isSigned reports whether a token has the signature of a secret. An empty one would let anybody sign.
func isSigned(signed, signature string, s secret.Value) bool {
	key, err := base64.StdEncoding.DecodeString(string(s))
	if err != nil || len(key) == 0 {
		return false
	}
	text := []byte(signed)
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(text)
	var expected [43]byte // of unpadded base64
	base64.RawURLEncoding.Encode(expected[:], mac.Sum(text[:0]))
	return subtle.ConstantTimeCompare(expected[:], []byte(signature)) == 1
}

// claims is what a part of a token says.
type claims struct {
	alg             string
	ours            bool    // the MSP is the audience, or one of several
	issued, expires float64 // seconds
}

// decode reads a part of a token. What cannot be read says nothing.
func decode(part, msp string) (c claims) {
	const depth = 10
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return claims{}
	}
	object, err := jsontext.Parse(data, depth)
	if err != nil || object[0] != '{' {
		return claims{}
	}
	for name, v := range object.Members() {
		switch name {
		case "alg":
			c.alg = text(v)
		case "iat":
			c.issued, _ = strconv.ParseFloat(string(v), 64)
		case "exp":
			c.expires, _ = strconv.ParseFloat(string(v), 64)
		case "aud":
			if v[0] != '[' {
				c.ours = strings.EqualFold(text(v), msp)
				continue
			}
			for one := range v.Elements() {
				c.ours = c.ours || strings.EqualFold(text(one), msp)
			}
		}
	}
	return c
}

// text returns what a string says, and "" for what is none.
func text(v jsontext.Value) string {
	if v[0] != '"' {
		return ""
	}
	return v.Text()
}
