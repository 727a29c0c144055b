package telnyx

import (
	"cmp"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
	"signalbox/shared/receipt"
)

// stateOf reads the status of a recipient. One whose delivery no carrier confirmed was sent, and no more is known.
func stateOf(status string) (state string, ok bool) {
	switch status {
	case "queued", "sending", "sent", "expired", "delivered", "read":
		return status, true
	case "scheduled":
		return "queued", true
	case "delivery_unconfirmed", "dlr_timeout", "unknown": // the last of a group's who has no number at Telnyx
		return "sent", true
	case "cancelled":
		return "canceled", true
	case "sending_failed", "delivery_failed", "gw_timeout", "gw_reject":
		return "failed", true
	default:
		return "", false
	}
}

// reasonOf returns what an error of a message means.
// See https://developers.telnyx.com/docs/messaging/messages/error-codes.
func reasonOf(code string) string {
	switch code {
	case "40300":
		return receipt.OptedOut
	case "40001":
		return receipt.InvalidNumber
	case "40004", "40006", "40008":
		return receipt.Unreachable
	case "40002", "40003":
		return receipt.Blocked
	case "40005":
		return receipt.Expired
	case "40009":
		return receipt.RejectedContent
	case "40011":
		return receipt.RateLimited
	default:
		return ""
	}
}

// message is a message of ours of which something is told.
type message struct {
	id, ours, profile string
	channel           canonical.Channel
	at                time.Time
	code, reason      string // why it failed, if it did
}

// statuses reads what became of a message, of each recipient.
func statuses(event string, data, payload jsontext.Value) ([]adapter.Parsed, error) {
	m := message{
		id: payload.TextAt("id"), ours: address(payload.At("from")), profile: payload.TextAt("messaging_profile_id"), channel: channelOf(payload),
		at: adapter.Time(cmp.Or(data.TextAt("occurred_at"), payload.TextAt("completed_at"))), code: failure(payload),
	}
	switch {
	case m.id == "":
		return nil, malformed("message_id_missing")
	case m.ours == "" && m.profile == "":
		return nil, malformed("from_missing")
	case !canonical.IsChannel(string(m.channel)):
		return nil, malformed("channel_malformed")
	}
	m.reason = reasonOf(m.code)
	if n := count(payload.At("to")); n > 1 && (m.reason == receipt.OptedOut || m.reason == receipt.InvalidNumber) {
		m.reason = "" // of whom in the group, it does not say
	}
	var parsed []adapter.Parsed
	for to := range payload.At("to").Elements() {
		status, person := to.TextAt("status"), address(to)
		if event == "message.read" { // the status may still say "delivered"
			status = "read"
		}
		if person == "" {
			return nil, malformed("to_missing")
		}
		parsed = append(parsed, m.receipt(person, status))
	}
	if parsed == nil {
		return nil, malformed("to_missing")
	}
	return parsed, nil
}

// receipt returns how far it got to one recipient.
func (m *message) receipt(person, status string) adapter.Parsed {
	state, known := stateOf(status)
	if !known {
		return adapter.Parsed{Err: malformed("message_status_unknown")}
	}
	r := &canonical.Receipt{State: state, At: m.at}
	if state == "failed" || state == "expired" {
		r.Error, r.Reason = m.code, m.reason
	}
	return adapter.Parsed{
		Event: canonical.Event{
			Type: canonical.TypeReceipt, Channel: m.channel, Direction: canonical.Status, ProviderMessageID: m.id,
			Sender: participant(m.ours), Recipient: participant(person),
			RelatesTo: &canonical.Relation{Kind: "receipt", ProviderMessageID: m.id}, Receipt: r, Timestamp: m.at,
		},
		Kind: "receipt", Key: m.id + "|" + person + "|" + status + "|" + r.Error,
		Addresses: []string{m.ours, m.profile},
		Person:    person,
		Side:      cmp.Or(m.ours, m.profile),
	}
}

// failure returns the code of the first error of a message, "" where there is none.
func failure(payload jsontext.Value) string {
	for e := range payload.At("errors").Elements() {
		return cmp.Or(e.TextAt("code"), string(e.At("code")))
	}
	return ""
}

// count returns how many elements an array has.
func count(v jsontext.Value) (n int) {
	for range v.Elements() {
		n++
	}
	return n
}
