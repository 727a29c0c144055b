package sinch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"testing"
	"time"

	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

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
			"app_id", "event", "event.id", "event.channel_identity", "event.channel_identity.channel", "event.channel_identity.identity",
			"message", "message.id", "message.channel_identity", "message.channel_identity.channel", "message.channel_identity.identity",
			"message_delivery_report", "message_delivery_report.message_id", "message_delivery_report.status", "message_delivery_report.channel_identity",
			"message_delivery_report.channel_identity.channel", "message_delivery_report.channel_identity.identity",
			"opt_in_notification", "opt_in_notification.channel", "opt_in_notification.identity", "opt_in_notification.status",
			"unsupported_callback", "unsupported_callback.channel_identity", "unsupported_callback.channel_identity.channel", "unsupported_callback.channel_identity.identity",
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
