package dynamics

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// credentials returns what access tokens are given for.
func (c *CRM) credentials(b Binding) connector.Credentials {
	return connector.Credentials{
		Fingerprint: b.fingerprint(), Ask: func(ctx context.Context) (connector.Token, error) { return c.ask(ctx, b) },
	}
}

// ask asks for an access token.
// See https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow.
func (c *CRM) ask(ctx context.Context, b Binding) (connector.Token, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {b.ClientID}, "client_secret": {string(b.Secret)}, "scope": {b.BaseURL + "/.default"},
	}
	began := time.Now()
	reply, err := c.api.Send(ctx, http.MethodPost, b.LoginURL+"/"+b.Directory+"/oauth2/v2.0/token", http.Header{}, form)
	if err != nil {
		return connector.Token{}, err
	}
	var answer struct {
		Token secret.Value `json:"access_token"`
		Lasts int          `json:"expires_in"` // seconds
		Error string       `json:"error"`
		Codes []int        `json:"error_codes"`
	}
	decoded := json.Unmarshal(reply.Body, &answer)
	switch {
	case reply.Status == http.StatusOK && decoded == nil && answer.Token != "" && answer.Lasts > 0:
		return connector.Token{Value: answer.Token, Ends: began.Add(time.Duration(answer.Lasts) * time.Second)}, nil
	case reply.Status == http.StatusOK:
		return connector.Token{}, fault.New(fault.Retryable, "dynamics_reply_undecodable", nil)
	default:
		return connector.Token{}, connector.Waiting(refusedGrant(reply.Status, answer.Error, answer.Codes), reply.Header)
	}
}

// loginWait is how long Entra is left alone that told of too many requests, without telling how long.
const loginWait = 5 * time.Minute

// refusedGrant sorts a refusal to give an access token: what Entra names is the tenant's to mend, never the fault of a message.
// See https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
func refusedGrant(status int, word string, codes []int) *fault.Error {
	if !grantWord.MatchString(word) {
		word = ""
	}
	cause := &ResponseError{Status: status, Code: word}
	known := map[int]string{
		7000215: "dynamics_secret_invalid", 7000222: "dynamics_secret_expired", 700016: "dynamics_app_unknown", 90002: "dynamics_directory_unknown",
		500011: "dynamics_environment_unknown",
	}
	for _, code := range codes {
		switch {
		case code == 50196: // the same request again and again
			return &fault.Error{Kind: fault.Throttled, Code: "dynamics_login_limit", Wait: loginWait, Err: cause}
		case known[code] != "":
			return fault.New(fault.Blocked, known[code], cause)
		}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return &fault.Error{Kind: fault.Throttled, Code: "dynamics_login_limit", Wait: loginWait, Err: cause}
	case status >= http.StatusInternalServerError, word == "temporarily_unavailable":
		return fault.New(fault.Retryable, "dynamics_login_unavailable", cause)
	default:
		return fault.New(fault.Blocked, "dynamics_grant_refused", cause)
	}
}
