package simulator

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/secret"
)

// App is an external client app and the user who has approved it. An empty field is not checked.
type App struct {
	ClientID  string         // iss of assertions
	Username  string         // sub of assertions
	PublicKey *rsa.PublicKey // of the certificate that the app holds: assertions must be signed with its private key
}

// NewApp returns the app of a tenant's binding: the token is its private key in PEM, and the settings name it and the user, or
// are empty.
func NewApp(token string, settings json.RawMessage) (App, error) {
	key, ok := secret.RSAKey(secret.Value(token))
	if !ok {
		return App{}, errors.New("simulator: the token is not an RSA private key in PEM")
	}
	var named struct{ ClientID, Username string }
	if len(settings) > 0 {
		if err := json.Unmarshal(settings, &named); err != nil {
			return App{}, fmt.Errorf("simulator: the settings are not a JSON object: %w", err)
		}
	}
	return App{ClientID: named.ClientID, Username: named.Username, PublicKey: &key.PublicKey}, nil
}

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer" //nolint:gosec // the name of a grant, no credential

// assertionLife is how far ahead exp may be, with a second for rounding.
const assertionLife = 3*time.Minute + time.Second

// token returns POST /services/oauth2/token: a session for a signed assertion.
// See https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm.
func (s *Simulator) token(r *http.Request, body []byte) reply {
	form, err := url.ParseQuery(string(body))
	if r.Method != http.MethodPost || err != nil || simulatortest.MediaType(r) != "application/x-www-form-urlencoded" {
		return oauth("invalid_request", "a form is required")
	}
	if form.Get("grant_type") != jwtBearer {
		return oauth("unsupported_grant_type", "grant type not supported")
	}
	if code, reason := s.refusedAssertion(form.Get("assertion")); code != "" {
		return oauth(code, reason)
	}
	return reply{Status: http.StatusOK, Body: map[string]string{
		"access_token": s.begin(), "scope": "api", "instance_url": "http://" + r.Host, "token_type": "Bearer",
		"id": "https://login.salesforce.com/id/" + orgID + "/" + integrationUser,
	}}
}

func oauth(code, description string) reply {
	return reply{Status: http.StatusBadRequest, Body: map[string]string{"error": code, "error_description": description}}
}

// claims are what an assertion says. Exp is a number, or one in a string: clients write both, and Salesforce takes both.
type claims struct {
	Iss, Sub, Aud string
	Exp           json.RawMessage
}

func (c claims) expires() (time.Time, bool) {
	seconds, err := strconv.ParseFloat(strings.Trim(string(c.Exp), `"`), 64)
	return time.Unix(int64(seconds), 0), err == nil
}

// refusedAssertion returns the code and the reason of a refusal, or "".
func (s *Simulator) refusedAssertion(assertion string) (code, reason string) {
	const grant, malformed = "invalid_grant", "invalid assertion"
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return grant, malformed
	}
	var raw [3][]byte
	for i, part := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return grant, malformed
		}
	}
	var header struct{ Alg string }
	var c claims
	if json.Unmarshal(raw[0], &header) != nil || header.Alg != "RS256" || json.Unmarshal(raw[1], &c) != nil {
		return grant, malformed
	}
	apps := slices.DeleteFunc(slices.Clone(s.apps()), func(a App) bool { return a.ClientID != "" && a.ClientID != c.Iss })
	if c.Iss == "" || len(apps) == 0 {
		return "invalid_client_id", "client identifier invalid"
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	apps = slices.DeleteFunc(apps, func(a App) bool {
		return a.PublicKey != nil && rsa.VerifyPKCS1v15(a.PublicKey, crypto.SHA256, digest[:], raw[2]) != nil
	})
	expires, sensible := c.expires()
	ahead := time.Until(expires)
	switch {
	case len(apps) == 0 || !sensible:
		return grant, malformed
	case c.Sub == "" || !slices.ContainsFunc(apps, func(a App) bool { return a.Username == "" || a.Username == c.Sub }):
		return grant, "user hasn't approved this consumer"
	case c.Aud != "https://login.salesforce.com" && c.Aud != "https://test.salesforce.com":
		return grant, "audience is invalid"
	case ahead <= 0:
		return grant, "expired authorization code"
	case ahead > assertionLife:
		return grant, "exp is too far ahead"
	default:
		return "", ""
	}
}

// apps returns the apps that are known; where none is, any is.
func (s *Simulator) apps() []App {
	if len(s.options.Apps) == 0 {
		return []App{{}}
	}
	return s.options.Apps
}

// begin begins a session.
func (s *Simulator) begin() string {
	s.minted++
	token := fmt.Sprintf("00D000000000001!invented-session-%d", s.minted)
	s.sessions[token] = time.Now()
	return token
}

// goesOn reports whether a session has not ended. Using it makes it last.
func (s *Simulator) goesOn(token string) bool {
	used, known := s.sessions[token]
	now := time.Now()
	if !known || s.options.SessionLife > 0 && now.Sub(used) > s.options.SessionLife {
		delete(s.sessions, token)
		return false
	}
	s.sessions[token] = now
	return true
}

// NewSession returns a session as a mint would.
func (s *Simulator) NewSession() string {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return s.begin()
}

// Expire ends all sessions.
func (s *Simulator) Expire() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	clear(s.sessions)
}

// Minted returns how many sessions were given so far.
func (s *Simulator) Minted() int {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return s.minted
}
