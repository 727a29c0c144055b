// Package session has the tokens by which a page in a visitor's browser talks to the door for canonical events: JSON Web Tokens that the
// tenant's backend mints with the account's key, each for one visitor, one line and one origin, and for fifteen minutes at most. No secret is
// in a page. See https://www.rfc-editor.org/rfc/rfc7519, of which this is one fixed form.
package session

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
)

// MaxLife is how long a token may hold from when it was minted.
const MaxLife = 15 * time.Minute

// leeway is how far ahead of our clock a token may have been minted.
const leeway = time.Minute

// The limits of what a token says, and of a token.
const (
	maxToken   = 4096 // bytes
	maxVisitor = 200  // characters, as of every id that the door takes
	maxName    = 200
	maxLine    = 512
)

// The codes of the faults that Verify returns.
const (
	CodeMalformed = "session_malformed"     // no token of this form
	CodeWrong     = "session_wrong"         // signed by none of the keys
	CodeExpired   = "session_expired"       // its time is over, or has not begun
	CodeAccount   = "session_other_account" // of another account
)

// Claims are what a token says.
type Claims struct {
	Account string `json:"aud"`            // the account in the path
	Visitor string `json:"sub"`            // what the backend calls the visitor: it tells people apart, and is not to be guessed by a page
	Name    string `json:"name,omitempty"` // what the visitor is called, if the backend knows
	Line    string `json:"line"`           // the line's address, as the tenant's file writes it, with or without web: in front
	Origin  string `json:"origin"`         // of the page: https://acme.example
	Issued  int64  `json:"iat"`            // seconds of Unix time
	Expires int64  `json:"exp"`
}

// Mint returns a token that holds for life from now on, at most MaxLife. The key is the account's: whsec_, or whsk_, the private half of the
// whpk_ that the account has.
func Mint(key secret.Value, c Claims, now time.Time, life time.Duration) (string, error) {
	c.Issued, c.Expires = now.Unix(), now.Add(life).Unix()
	if err := c.check(); err != nil {
		return "", err
	}
	shared, isSecret := standardwebhooks.Key(key)
	private, isPrivate := standardwebhooks.PrivateKey(key)
	if !isSecret && !isPrivate {
		return "", errors.New("session: the key is neither whsec_ nor whsk_ with bytes in base64")
	}
	said, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed := encode([]byte(header(isSecret))) + "." + encode(said)
	if isSecret {
		return signed + "." + encode(mac(shared, signed)), nil
	}
	return signed + "." + encode(ed25519.Sign(private, []byte(signed))), nil
}

// Verify returns what a token of the account says that one of the keys signed, if it holds at a time; else a fault.Rejected.
func Verify(token, account string, at time.Time, keys secret.Versions) (Claims, error) {
	c, err := Read(token)
	if err != nil {
		return Claims{}, err
	}
	end := strings.LastIndexByte(token, '.')
	algorithm, _ := algorithmOf(token)
	given, err := base64.RawURLEncoding.Strict().DecodeString(token[end+1:])
	switch now := at.Unix(); {
	case err != nil || !signed(token[:end], algorithm, given, keys):
		return Claims{}, rejected(CodeWrong)
	case c.Account != account:
		return Claims{}, rejected(CodeAccount)
	case now >= c.Expires || c.Issued > now+int64(leeway.Seconds()):
		return Claims{}, rejected(CodeExpired)
	}
	return c, nil
}

// Read returns what a token says without asking who signed it, and when: of one that was verified when it came. The error is a fault.Rejected.
func Read(token string) (c Claims, err error) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return c, rejected(CodeMalformed)
	}
	if _, ok := algorithmOf(token); !ok {
		return c, rejected(CodeMalformed)
	}
	said, err := base64.RawURLEncoding.Strict().DecodeString(strings.Split(token, ".")[1])
	if err != nil || json.Unmarshal(said, &c) != nil || c.check() != nil {
		return Claims{}, rejected(CodeMalformed)
	}
	return c, nil
}

// The two algorithms. Which one a key is for is known by the key; a token does not choose.
const (
	symmetric  = "HS256"
	asymmetric = "EdDSA"
)

func header(isSecret bool) string {
	if isSecret {
		return `{"alg":"` + symmetric + `","typ":"JWT"}`
	}
	return `{"alg":"` + asymmetric + `","typ":"JWT"}`
}

// algorithmOf returns the algorithm that a token names, and false if it asks for more than is known here.
func algorithmOf(token string) (string, bool) {
	var h struct {
		Alg  string          `json:"alg"`
		Crit json.RawMessage `json:"crit"`
	}
	first, _, _ := strings.Cut(token, ".")
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(first)
	if err != nil || json.Unmarshal(decoded, &h) != nil || h.Crit != nil {
		return "", false
	}
	return h.Alg, h.Alg == symmetric || h.Alg == asymmetric
}

// signed reports whether one of the keys signed this, by the one algorithm that it is for.
func signed(content, algorithm string, given []byte, keys secret.Versions) bool {
	for _, k := range keys {
		if key, ok := standardwebhooks.Key(k); ok && algorithm == symmetric && hmac.Equal(given, mac(key, content)) {
			return true
		}
		if key, ok := standardwebhooks.PublicKey(k); ok && algorithm == asymmetric && len(given) == ed25519.SignatureSize && ed25519.Verify(key, []byte(content), given) {
			return true
		}
	}
	return false
}

// mac is over two parts with one dot between them, and a webhook's signature over three, the second of them digits: neither is the other.
func mac(key []byte, content string) []byte {
	m := hmac.New(sha256.New, key)
	_, _ = m.Write([]byte(content))
	return m.Sum(nil)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// check returns what is wrong with the claims themselves.
func (c Claims) check() error {
	switch life := c.Expires - c.Issued; {
	case c.Account == "":
		return errors.New("session: no account")
	case c.Visitor == "" || utf8.RuneCountInString(c.Visitor) > maxVisitor:
		return errors.New("session: the visitor's id has 1 to 200 characters")
	case utf8.RuneCountInString(c.Name) > maxName:
		return errors.New("session: the name has at most 200 characters")
	case c.Line == "" || len(c.Line) > maxLine:
		return errors.New("session: the line is its address, as the tenant's file writes it")
	case !IsOrigin(c.Origin):
		return errors.New("session: the origin is that of a page, such as https://acme.example; http is for this machine alone")
	case life <= 0 || life > int64(MaxLife.Seconds()):
		return errors.New("session: a token holds for at most 15 minutes")
	}
	return nil
}

// IsOrigin reports whether s is the origin of a page as browsers send it: https, or http on the page's own machine.
func IsOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || s != u.Scheme+"://"+strings.ToLower(u.Host) {
		return false
	}
	host := u.Hostname()
	return u.Scheme == "https" || u.Scheme == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1")
}

func rejected(code string) error { return fault.New(fault.Rejected, code, nil) }
