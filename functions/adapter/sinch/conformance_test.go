package sinch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/receipt"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

var update = flag.Bool("update", false, "write the golden files")

const app = "01HDEMOAPP0000000000000000"

func provider(tb testing.TB) adaptertest.Provider {
	tb.Helper()
	line := func(id, address string, channels ...canonical.Channel) tenant.Line {
		return tenant.Line{ID: id, TenantID: "demo", AccountID: "demo-sinch", Address: address, Channels: channels}
	}
	return adaptertest.Provider{
		Channel: &Channel{},
		Sign:    func(r webhook.Request, token secret.Value) webhook.Request { return signAt(r, token, r.Received) },
		Stale: func(r webhook.Request, token secret.Value) webhook.Request {
			return signAt(r, token, r.Received.Add(-25*time.Hour))
		},
		Account: tenant.Account{ID: "demo-sinch", TenantID: "demo", Provider: Provider, ProviderAccount: app},
		Lines: []tenant.Line{
			line("sinch-number", "+15557654321", canonical.SMS),
			line("sinch-app", app, canonical.RCS, canonical.WhatsApp, canonical.IMessage, "messenger", "instagram", "zalo", canonical.SMS),
		},
		Sample:    sample(tb, "text"),
		Malformed: sample(tb, "malformed"),
		Unknown:   sample(tb, "kind-nobody-knows"),
		Needed: []string{
			"message.contact_message", "message.contact_message.text_message", "message.contact_message.text_message.text",
			"message.contact_message.media_card_message", "message.contact_message.media_card_message.caption",
			"message_redaction.contact_message", "message_redaction.contact_message.text_message", "message_redaction.contact_message.text_message.text",
			"event.contact_event", "event.contact_event.conversation_deleted_event", "event.contact_event.comment_event", "event.contact_event.comment_event.text",
			"unsupported_callback.id", "event.contact_event.composing_event", "event.contact_event.composing_end_event",
		},
		Update: *update,
	}
}

func sample(tb testing.TB, name string) adaptertest.Case {
	tb.Helper()
	return adaptertest.ReadCase(tb, "testdata/"+name+"/request.json")
}

// signAt signs a request as Sinch does.
func signAt(r webhook.Request, token secret.Value, at time.Time) webhook.Request {
	const nonce = "01JDEXAMPLENONCE0000000001"
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(string(r.Body) + "." + nonce + "." + timestamp))
	r.Header = r.Header.Clone()
	r.Header.Set("x-sinch-webhook-signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	r.Header.Set("x-sinch-webhook-signature-nonce", nonce)
	r.Header.Set("x-sinch-webhook-signature-timestamp", timestamp)
	r.Header.Set("x-sinch-webhook-signature-algorithm", "HmacSHA256")
	return r
}

func TestChannel(t *testing.T) { adaptertest.Run(t, provider(t)) }

func BenchmarkWebhook(b *testing.B) { adaptertest.Bench(b, provider(b)) }

func FuzzWebhook(f *testing.F) { adaptertest.Fuzz(f, provider(f)) }

// TestSignatures holds Verify against vectors that were computed apart from this code, one of them by the provider's own SDK.
func TestSignatures(t *testing.T) {
	var vectors []struct {
		Name, Secret, Body, Nonce, Timestamp, Signature string
	}
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors) < 2 {
		t.Fatalf("%d vectors: %v", len(vectors), err)
	}
	const name = "X-Sinch-Webhook-Signature"
	for _, v := range vectors {
		for sentence, c := range map[string]struct {
			change func(h http.Header)
			after  time.Duration
			code   string
		}{
			"as it is":                 {func(http.Header) {}, 0, ""},
			"a day later":              {func(http.Header) {}, 24 * time.Hour, ""},
			"more than a day later":    {func(http.Header) {}, 24*time.Hour + time.Second, "timestamp_stale"},
			"ahead of the clock":       {func(http.Header) {}, -6 * time.Minute, "timestamp_stale"},
			"without an algorithm":     {func(h http.Header) { h.Del(name + "-Algorithm") }, 0, ""},
			"of another algorithm":     {func(h http.Header) { h.Set(name+"-Algorithm", "HmacSHA1") }, 0, "signature_algorithm"},
			"of another nonce":         {func(h http.Header) { h.Set(name+"-Nonce", "another") }, 0, "signature_wrong"},
			"of another time":          {func(h http.Header) { h.Set(name+"-Timestamp", "1") }, 0, "signature_wrong"},
			"of a time that is none":   {func(h http.Header) { h.Set(name+"-Timestamp", "noon") }, 0, "signature_wrong"},
			"without a time":           {func(h http.Header) { h.Del(name + "-Timestamp") }, 0, "signature_missing"},
			"without a nonce":          {func(h http.Header) { h.Del(name + "-Nonce") }, 0, "signature_missing"},
			"with another's signature": {func(h http.Header) { h.Set(name, "AAAA") }, 0, "signature_wrong"},
		} {
			seconds, err := strconv.ParseInt(v.Timestamp, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			h := http.Header{}
			h.Set(name, v.Signature)
			h.Set(name+"-Nonce", v.Nonce)
			h.Set(name+"-Timestamp", v.Timestamp)
			h.Set(name+"-Algorithm", "HmacSHA256")
			c.change(h)
			r := webhook.Request{Header: h, Body: []byte(v.Body), Received: time.Unix(seconds, 0).Add(c.after)}
			err = (&Channel{}).Decode(adapter.Webhook{Request: r}).Verify(secret.Versions{"", secret.Value(v.Secret)})
			if got := fault.Of(err); err == nil && c.code != "" || err != nil && got.Code != c.code {
				t.Errorf("%s %s: %v, want %q", v.Name, sentence, err, c.code)
			}
		}
	}
}

// TestEveryReasonMeansSomething: what a failed message is told by is a word that the rest knows, and nobody is opted out by a setting.
func TestEveryReasonMeansSomething(t *testing.T) {
	codes := []string{
		"UNKNOWN", "INTERNAL_ERROR", "RATE_LIMITED", "RECIPIENT_INVALID_CHANNEL_IDENTITY", "RECIPIENT_NOT_REACHABLE", "RECIPIENT_NOT_OPTED_IN",
		"OUTSIDE_ALLOWED_SENDING_WINDOW", "CHANNEL_FAILURE", "CHANNEL_BAD_CONFIGURATION", "CHANNEL_CONFIGURATION_MISSING", "MEDIA_TYPE_UNSUPPORTED",
		"MEDIA_TOO_LARGE", "MEDIA_NOT_REACHABLE", "NO_CHANNELS_LEFT", "TEMPLATE_NOT_FOUND", "TEMPLATE_INSUFFICIENT_PARAMETERS",
		"TEMPLATE_NON_EXISTING_LANGUAGE_OR_VERSION", "DELIVERY_TIMED_OUT", "DELIVERY_REJECTED_DUE_TO_POLICY", "CONTACT_NOT_FOUND", "BAD_REQUEST",
		"UNKNOWN_APP", "NO_CHANNEL_IDENTITY_FOR_CONTACT", "CHANNEL_REJECT", "NO_PERMISSION", "NO_PROFILE_AVAILABLE", "UNSUPPORTED_OPERATION",
	}
	unknown := 0
	for _, code := range codes {
		reason := reasonOf(code)
		if reason == receipt.Unknown {
			unknown++
		} else if receipt.Words(reason) == "" {
			t.Errorf("%s is %q", code, reason)
		}
		if reason == receipt.OptedOut {
			t.Errorf("%s opts somebody out", code)
		}
	}
	if unknown != 3 {
		t.Errorf("%d codes mean nothing", unknown)
	}
}
