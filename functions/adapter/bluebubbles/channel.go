// Package bluebubbles is the channel of an agent who writes with customers by iMessage from their own Mac: a BlueBubbles server there tells of
// messages, and the relay beside it (package relay) decides which of them leave the Mac, signs them and sends them here. What people did before,
// and what becomes of a message later, is in the same shape. The server's own webhooks have no signature and are refused.
// See https://docs.bluebubbles.app/server/developer-guides/rest-api-and-webhooks.
package bluebubbles

import (
	"net/http"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/bluebubbles/imessage"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
	"signalbox/shared/webhook"
)

// Provider is the channel's name in paths and events.
const Provider = "bluebubbles"

// Messages is the only kind of webhook: the last part of the path.
const Messages = "messages"

// The codes of webhooks that are authentic and cannot be read.
const (
	CodeBody   = "body_malformed" // it is no JSON of a server's webhook
	CodeEvent  = "event_unknown"  // its type is none that the server is known to send
	CodeGUID   = "guid_missing"   // the message has no name
	CodeChat   = "chat_missing"   // it does not say in which chat: it did not come by a relay
	CodeSender = "sender_missing" // of a group it does not say who wrote
)

// Channel is BlueBubbles. Its zero value is ready.
type Channel struct{}

// Describe implements adapter.Channel. The server sends nothing twice; the relay repeats what was not accepted, as our other programs do.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider:   Provider,
		Responses:  map[string]webhook.Response{Messages: {Status: http.StatusNoContent}},
		Redelivery: adapter.RepeatedByPrograms(),
	}
}

// Decode implements adapter.Channel: the signature is made over the body as it stands.
func (*Channel) Decode(w adapter.Webhook) adapter.Content { return content{w} }

type content struct{ adapter.Webhook }

// Verify implements adapter.Content: the relay signs by Standard Webhooks.
func (c content) Verify(tokens secret.Versions) error {
	return standardwebhooks.Verify(c.Header, c.Body, c.Received, tokens)
}

// Parse implements adapter.Content. A webhook is a message with what has become of it, or what has become of one that was told before.
func (c content) Parse() ([]adapter.Parsed, error) {
	document, err := imessage.Parse(c.Body)
	if err != nil {
		return nil, malformed(CodeBody)
	}
	kind := document.TextAt("type")
	switch kind {
	case imessage.New, imessage.Updated, imessage.Failed:
	case "":
		return nil, malformed(CodeBody)
	default:
		if !isSilent(kind) {
			return nil, malformed(CodeEvent)
		}
		return nil, nil
	}
	m := imessage.Decode(document.At("data"))
	switch {
	case m.GUID == "":
		return nil, malformed(CodeGUID)
	case !m.IsMessage():
		return nil, nil
	case len(m.Chats) == 0:
		return nil, malformed(CodeChat)
	}
	r := reading{Message: &m, content: c, fresh: kind == imessage.New, vendor: adapter.JSONFields(document, isOpen)}
	if err := r.sides(); err != nil {
		return nil, err
	}
	return r.events(), nil
}

// isSilent reports whether the server sends webhooks of a type that say nothing of a conversation's words: of groups, the server, calls, places,
// and of who is writing. "imessage-alias-removed" is what its settings call one of them.
func isSilent(kind string) bool {
	switch kind {
	case "typing-indicator", "chat-read-status-changed",
		"group-name-change", "group-icon-changed", "group-icon-removed", "participant-added", "participant-removed", "participant-left",
		"scheduled-message-created", "scheduled-message-updated", "scheduled-message-deleted", "scheduled-message-sent", "scheduled-message-error",
		"incoming-facetime", "ft-call-status-changed", "new-findmy-location", "imessage-aliases-removed", "imessage-alias-removed",
		"hello-world", "new-server", "server-update", "server-update-downloading", "server-update-installing",
		"settings-backup-created", "settings-backup-updated", "settings-backup-deleted",
		"theme-backup-created", "theme-backup-updated", "theme-backup-deleted":
		return true
	default:
		return false
	}
}

// malformed is a fault of this one webhook.
func malformed(code string) error { return fault.New(fault.Permanent, code, nil) }
