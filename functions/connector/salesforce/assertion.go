package salesforce

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// assertionLife is how long an assertion is good for: Salesforce takes at most three minutes.
const assertionLife = 2 * time.Minute

// assertion returns the signed statement that a session is given for.
// See https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm.
func (b Binding) assertion(now time.Time) (string, error) {
	key, ok := secret.RSAKey(b.Key)
	if !ok {
		return "", fault.New(fault.Blocked, "salesforce_key_invalid", nil)
	}
	claims, err := json.Marshal(connector.Object{"iss", b.ClientID, "sub", b.Username, "aud", b.Audience, "exp", now.Add(assertionLife).Unix()})
	if err != nil {
		return "", fault.New(fault.Blocked, "salesforce_credentials_missing", nil)
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fault.New(fault.Blocked, "salesforce_key_invalid", nil)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
