package simulator

import (
	"encoding/json"
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

// App is an app registration of a directory. An empty field is not checked.
type App struct {
	TenantID string
	ClientID string
	Secret   secret.Value
}

// NewApp returns the app of a tenant's binding: the token is its secret, and the settings name the directory and the app, or are empty.
func NewApp(token string, settings json.RawMessage) (App, error) {
	var named struct{ TenantID, ClientID string }
	if len(settings) > 0 {
		if err := json.Unmarshal(settings, &named); err != nil {
			return App{}, fmt.Errorf("simulator: the settings are not a JSON object: %w", err)
		}
	}
	return App{TenantID: named.TenantID, ClientID: named.ClientID, Secret: secret.Value(token)}, nil
}

// token is what a bearer may do.
type token struct {
	audience string // the host of the environment, empty for any
	ends     time.Time
}

// tokenLife is what Entra says of a token by default.
const tokenLife = 3599 * time.Second

// grant returns POST {tenant}/oauth2/v2.0/token. See
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow and, for the codes,
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
func (s *Simulator) grant(r *http.Request, tenant string, body []byte) reply {
	form, err := url.ParseQuery(string(body))
	if r.Method != http.MethodPost || err != nil || simulatortest.MediaType(r) != "application/x-www-form-urlencoded" {
		return oauth(http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.")
	}
	of := func(field func(App) string, value string) []App {
		return slices.DeleteFunc(slices.Clone(s.apps()), func(a App) bool { return field(a) != "" && field(a) != value })
	}
	inTenant := of(func(a App) string { return a.TenantID }, tenant)
	ofClient := of(func(a App) string { return a.ClientID }, form.Get("client_id"))
	bySecret := of(func(a App) string { return string(a.Secret) }, form.Get("client_secret"))
	resource, all := strings.CutSuffix(form.Get("scope"), "/.default")
	environment, err := url.Parse(resource)
	switch {
	case form.Get("grant_type") != "client_credentials":
		return oauth(http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '"+form.Get("grant_type")+"'.")
	case len(inTenant) == 0:
		return oauth(http.StatusBadRequest, "invalid_request", 90002, "Tenant '"+tenant+"' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.")
	case form.Get("client_id") == "" || len(ofClient) == 0:
		return oauth(http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '"+form.Get("client_id")+"' was not found in the directory '"+tenant+"'.")
	case form.Get("client_secret") == "" || len(bySecret) == 0:
		return oauth(http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.")
	case !all:
		return oauth(http.StatusBadRequest, "invalid_scope", 1002012, "The provided value for scope "+form.Get("scope")+" is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.")
	case err != nil || environment.Host == "" || environment.Path != "":
		return oauth(http.StatusBadRequest, "invalid_resource", 500011, "The resource principal named "+resource+" was not found in the tenant named "+tenant+".")
	}
	made := s.mint(audience(environment.Host))
	life := int(time.Until(s.tokens[made].ends) / time.Second)
	return reply{Status: http.StatusOK, Body: map[string]any{"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": made}}
}

// login returns GET {tenant}/v2.0/.well-known/openid-configuration: where a directory gives tokens. See
// https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc.
func login(host, tenant string) reply {
	at := "https://" + host + "/" + tenant
	return reply{Status: http.StatusOK, Body: map[string]string{
		"issuer": at + "/v2.0", "token_endpoint": at + "/oauth2/v2.0/token", "authorization_endpoint": at + "/oauth2/v2.0/authorize",
	}}
}

// oauth returns a refusal in Entra's shape.
func oauth(status int, kind string, code int, reason string) reply {
	const trace, at = "00000000-0000-4000-a000-000000000001", "2026-01-18 14:23:12Z"
	return reply{Status: status, Body: map[string]any{
		"error":             kind,
		"error_description": "AADSTS" + strconv.Itoa(code) + ": " + reason + " Trace ID: " + trace + " Correlation ID: " + trace + " Timestamp: " + at,
		"error_codes":       []int{code}, "timestamp": at, "trace_id": trace, "correlation_id": trace,
		"error_uri": "https://login.microsoftonline.com/error?code=" + strconv.Itoa(code),
	}}
}

// apps returns the apps that are known; where none is, any is.
func (s *Simulator) apps() []App {
	if len(s.options.Apps) == 0 {
		return []App{{}}
	}
	return s.options.Apps
}

func (s *Simulator) mint(audience string) string {
	s.minted++
	life := s.options.TokenLife
	if life == 0 {
		life = tokenLife
	}
	made := fmt.Sprintf("invented-token-%d", s.minted)
	s.tokens[made] = token{audience, time.Now().Add(life + time.Millisecond)} // so that expires_in is the whole of it
	return made
}

// NewToken returns a token as a grant would, for any host.
func (s *Simulator) NewToken() string {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return s.mint("")
}

// Expire ends all tokens.
func (s *Simulator) Expire() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	clear(s.tokens)
}

// Minted returns how many tokens were given so far.
func (s *Simulator) Minted() int {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return s.minted
}
