package whatsapp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"testing"

	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

const hook = "/v1/accounts/demo-whatsapp/whatsapp/messages"

func provider(tb testing.TB) adaptertest.Provider {
	tb.Helper()
	line := func(id, owner, address string) tenant.Line {
		return tenant.Line{ID: id, TenantID: owner, AccountID: "demo-whatsapp", Address: address, Channels: []canonical.Channel{canonical.WhatsApp}}
	}
	sample := func(name string) adaptertest.Case { return adaptertest.ReadCase(tb, "testdata/"+name+"/request.json") }
	return adaptertest.Provider{
		Channel: &Channel{},
		Sign:    sign,
		Account: tenant.Account{ID: "demo-whatsapp", TenantID: "demo", Provider: Provider, ProviderAccount: "900800700600500"},
		Lines: []tenant.Line{
			line("whatsapp-number", "demo", "106540352240030"), line("whatsapp-by-number", "demo", "+15557654330"), line("rival-number", "rival", "106540352240031"),
		},
		Sample: sample("text"), Malformed: sample("malformed"), Unknown: sample("unknown-type"), Several: sample("several"),
		Needed: needed(),
		Handshakes: []adaptertest.Handshake{{
			Name: "the URL or the verify token was saved", Ask: ask,
			Answer: webhook.Response{Status: http.StatusOK, ContentType: "text/plain", Body: []byte("1158201444")},
		}},
		Update: *update,
	}
}

// needed returns the members that hold the others, and those that tell what kind of thing happened and what was said.
func needed() []string {
	all := []string{"object", "entry", "entry.changes", "entry.changes.value"}
	for _, name := range []string{
		"messages", "messages.type", "messages.text", "messages.text.body", "messages.image", "messages.image.caption", "messages.document",
		"messages.document.caption", "messages.reaction", "messages.edit", "messages.edit.message", "messages.edit.message.type",
		"messages.edit.message.text", "messages.edit.message.text.body", "messages.edit.message.image", "messages.edit.message.image.caption",
		"messages.revoke", "messages.system", "messages.system.type", "messages.errors",
		"statuses", "statuses.status", "statuses.type", "message_echoes", "message_echoes.type", "message_echoes.text", "message_echoes.text.body", "message_echoes.edit",
		"message_echoes.edit.message", "message_echoes.edit.message.text", "message_echoes.edit.message.type", "message_echoes.edit.message.text.body",
		"message_echoes.revoke", "user_preferences", "history", "history.threads", "history.threads.messages", "history.threads.messages.type",
		"history.threads.messages.text", "history.threads.messages.text.body", "history.threads.id", "history.threads.messages.id", "message_echoes.id",
		"messages.system.new_wa_id", "user_preferences.category", "user_preferences.value",
	} {
		all = append(all, "entry.changes.value."+name)
	}
	return all
}

// ask is what Meta asks, with a verify token.
func ask(token secret.Value) webhook.Request {
	query := url.Values{"hub.mode": {"subscribe"}, "hub.challenge": {"1158201444"}, "hub.verify_token": {string(token)}}
	return webhook.Request{Method: http.MethodGet, Path: hook, RawQuery: query.Encode(), Header: http.Header{}}
}

// sign signs a request as Meta does, written apart from the code that verifies.
func sign(r webhook.Request, secret secret.Value) webhook.Request {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(r.Body)
	r.Header = r.Header.Clone()
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	return r
}
