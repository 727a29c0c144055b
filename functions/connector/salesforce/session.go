package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// credentials returns what sessions with an org are given for.
func (c *CRM) credentials(b Binding) connector.Credentials {
	return connector.Credentials{
		Fingerprint: b.fingerprint(), Ask: func(ctx context.Context) (connector.Token, error) { return c.ask(ctx, b) },
	}
}

// ask asks for a session. It has no known end: it is used until Salesforce refuses it.
func (c *CRM) ask(ctx context.Context, b Binding) (connector.Token, error) {
	assertion, err := b.assertion(time.Now())
	if err != nil {
		return connector.Token{}, err
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	reply, err := c.api.Send(ctx, http.MethodPost, b.LoginURL+"/services/oauth2/token", http.Header{}, form)
	if err != nil {
		return connector.Token{}, err
	}
	var answer struct {
		Token    secret.Value `json:"access_token"`
		Identity string       `json:"id"` // a URL that ends with the user's id
		Error    string       `json:"error"`
	}
	decoded := json.Unmarshal(reply.Body, &answer)
	switch {
	case reply.Status == http.StatusOK && decoded == nil && answer.Token != "" && b.ofAnother(orgOf(answer.Identity)):
		return connector.Token{}, fault.New(fault.Blocked, codeOtherOrg, nil)
	case reply.Status == http.StatusOK && decoded == nil && answer.Token != "":
		return connector.Token{Value: answer.Token, User: userOf(answer.Identity)}, nil
	case reply.Status == http.StatusOK:
		return connector.Token{}, fault.New(fault.Retryable, codeUndecodable, nil)
	default:
		return connector.Token{}, refusedGrant(reply.Status, answer.Error, reply.Header)
	}
}

// codeOtherOrg is a session of another org than the settings name.
const codeOtherOrg = "salesforce_other_org"

// ofAnother reports whether an org is known not to be the one that the settings name. Ids of 18 characters are those of 15 and a check.
func (b Binding) ofAnother(org string) bool {
	return b.OrgID != "" && org != "" && b.OrgID[:min(len(b.OrgID), 15)] != org[:15]
}

// orgOf returns the id of the org in a session's identity URL, "" if there is none.
func orgOf(identity string) string {
	parts := strings.Split(identity, "/")
	if len(parts) < 2 || !recordID.MatchString(parts[len(parts)-2]) {
		return ""
	}
	return parts[len(parts)-2]
}

// userOf returns the id of the user at the end of a session's identity URL, "" if there is none.
func userOf(identity string) string {
	id := identity[strings.LastIndexByte(identity, '/')+1:]
	if !recordID.MatchString(id) || !strings.HasPrefix(id, userPrefix) {
		return ""
	}
	return id
}

// grantWords are the words for refusals that have a code of their own.
// See https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flow_errors.htm.
const grantWords = "invalid_grant invalid_client inactive_user inactive_org invalid_app_access"

// refusedGrant sorts a refusal to open a session: what Salesforce names is the tenant's to mend.
func refusedGrant(status int, word string, header http.Header) error {
	cause := &ResponseError{Status: status}
	if grantWord.MatchString(word) {
		cause.Code = word
	}
	known := strings.TrimSuffix(cause.Code, "_id")
	if slices.Contains(strings.Fields(grantWords), known) && status < http.StatusInternalServerError && status != http.StatusTooManyRequests {
		return fault.New(fault.Blocked, "salesforce_"+known, cause)
	}
	f := cause.byStatus()
	if f.Kind == fault.Permanent {
		f = fault.New(fault.Blocked, "salesforce_grant_refused", nil) // never the fault of a message
	}
	f.Err = cause
	if f.Kind == fault.Blocked {
		return f
	}
	return connector.Waiting(f, header)
}
