package simulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer" //nolint:gosec // the name of a grant, no credential

// token answers POST /services/oauth2/token: a session for a signed assertion.
// See https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm.
func (s *Simulator) token(r *http.Request, body []byte) reply {
	form, err := url.ParseQuery(string(body))
	if r.Method != http.MethodPost || err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		return oauth("invalid_request", "a form is required")
	}
	if form.Get("grant_type") != jwtBearer {
		return oauth("unsupported_grant_type", "grant type not supported")
	}
	if reason := s.refusedAssertion(form.Get("assertion")); reason != "" {
		return oauth("invalid_grant", reason)
	}
	s.minted++
	token := fmt.Sprintf("00D000000000001!invented-session-%d", s.minted)
	s.sessions[token] = true
	return reply{Status: http.StatusOK, Body: map[string]string{
		"access_token": token, "scope": "api", "instance_url": "http://" + r.Host, "token_type": "Bearer",
		"id": "https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA",
	}}
}

func oauth(code, description string) reply {
	return reply{Status: http.StatusBadRequest, Body: map[string]string{"error": code, "error_description": description}}
}

// refusedAssertion answers why an assertion is refused, or "".
func (s *Simulator) refusedAssertion(assertion string) string {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return "invalid assertion"
	}
	var raw [3][]byte
	for i, part := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return "invalid assertion"
		}
	}
	var header struct{ Alg string }
	var claims struct {
		Iss, Sub, Aud string
		Exp           int64
	}
	if json.Unmarshal(raw[0], &header) != nil || header.Alg != "RS256" || json.Unmarshal(raw[1], &claims) != nil {
		return "invalid assertion"
	}
	ahead := time.Until(time.Unix(claims.Exp, 0))
	switch {
	case claims.Iss == "" || claims.Sub == "":
		return "user hasn't approved this consumer"
	case claims.Aud != "https://login.salesforce.com" && claims.Aud != "https://test.salesforce.com":
		return "audience is invalid"
	case ahead <= 0:
		return "expired authorization code"
	case ahead > 3*time.Minute+time.Second:
		return "exp is too far ahead"
	}
	if s.options.PublicKey == nil {
		return ""
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(s.options.PublicKey, crypto.SHA256, digest[:], raw[2]) != nil {
		return "invalid assertion"
	}
	return ""
}

// NewSession answers a session as a mint would.
func (s *Simulator) NewSession() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.minted++
	token := fmt.Sprintf("00D000000000001!invented-session-%d", s.minted)
	s.sessions[token] = true
	return token
}

// Expire ends all sessions.
func (s *Simulator) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

// Minted answers how many sessions were given so far.
func (s *Simulator) Minted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.minted
}
