package vonage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

const apiKey = "a1b2c3d4"

// provider is what the suite has to be told of the channel.
func provider(tb testing.TB) adaptertest.Provider {
	tb.Helper()
	sample := func(name string) adaptertest.Case { return adaptertest.ReadCase(tb, "testdata/"+name+"/request.json") }
	line := func(id, address string, channels ...canonical.Channel) tenant.Line {
		return tenant.Line{ID: id, TenantID: "demo", AccountID: "demo-vonage", Address: address, Channels: channels}
	}
	return adaptertest.Provider{
		Channel: &Channel{},
		Sign:    func(r webhook.Request, token secret.Value) webhook.Request { return sign(r, token, r.Received) },
		Account: tenant.Account{ID: "demo-vonage", TenantID: "demo", Provider: Provider, ProviderAccount: apiKey},
		Lines: []tenant.Line{
			line("vonage-number", "+15557650060", canonical.SMS, canonical.WhatsApp),
			line("vonage-agent", "AcmeSupport", canonical.RCS),
			line("vonage-page", "9876543210", "messenger"),
			line("vonage-viber", "AcmeViber", "viber_service"),
		},
		Sample:    sample("text"),
		Malformed: sample("malformed"),
		Needed:    []string{"channel", "message_uuid", "to", "from", "text", "status", "content", "content.caption", "image", "image.caption"},
		Update:    *update,
		Stale: func(r webhook.Request, token secret.Value) webhook.Request {
			return sign(r, token, r.Received.Add(-10*time.Minute))
		},
		Unknown: sample("whatsapp-contact"),
	}
}

// sign signs a request as Vonage does, written apart from the code that verifies.
func sign(r webhook.Request, token secret.Value, at time.Time) webhook.Request {
	sum := sha256.Sum256(r.Body)
	encoded := base64.RawURLEncoding.EncodeToString
	signed := encoded([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encoded(fmt.Appendf(nil,
		`{"iat":%d,"jti":"5b1c9f1e-7f2f-4a54-9a53-2f7a1d0c9e11","iss":"Vonage","payload_hash":%q,"api_key":%q,"application_id":"0f0e0d0c-0b0a-4908-8706-050403020100"}`,
		at.Unix(), hex.EncodeToString(sum[:]), apiKey))
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(signed))
	r.Header = r.Header.Clone()
	r.Header.Set("Authorization", "Bearer "+signed+"."+encoded(mac.Sum(nil)))
	return r
}
