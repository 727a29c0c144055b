package salesforce

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// assertionLife is how long an assertion is good for: Salesforce takes at most three minutes.
const assertionLife = 2 * time.Minute

// assertion returns the signed statement that a session is given for.
// See https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm.
func (b Binding) assertion(now time.Time) (string, error) {
	key, err := privateKey(b.Key)
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		Expires  int64  `json:"exp"`
	}{b.ClientID, b.Username, b.Audience, now.Add(assertionLife).Unix()})
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

// privateKey reads an RSA key in PEM, PKCS #8 or PKCS #1.
func privateKey(encoded secret.Value) (*rsa.PrivateKey, error) {
	invalid := fault.New(fault.Blocked, "salesforce_key_invalid", nil)
	block, _ := pem.Decode([]byte(encoded))
	if block == nil {
		return nil, invalid
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, invalid
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, invalid
	}
	return key, nil
}
