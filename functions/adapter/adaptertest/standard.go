package adaptertest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// StandardSecret makes a secret of Standard Webhooks of a word.
func StandardSecret(word string) secret.Value {
	sum := sha256.Sum256([]byte(word))
	return secret.Value("whsec_" + base64.StdEncoding.EncodeToString(sum[:]))
}

// SignStandard signs a request by Standard Webhooks, with an id and as it would be sent at the moment it is received. It is written apart
// from the code that verifies.
func SignStandard(r webhook.Request, token secret.Value, id string) webhook.Request {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(token), "whsec_"))
	timestamp := strconv.FormatInt(r.Received.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "." + string(r.Body)))
	r.Header = r.Header.Clone()
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", timestamp)
	r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return r
}
