package telnyx

import (
	"cmp"

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

// statuses reads what became of a message, of each recipient.
func statuses(event string, data, payload jsontext.Value) ([]adapter.Parsed, error) {
	id, ours, channel := payload.TextAt("id"), address(payload.At("from")), channelOf(payload)
	profile := payload.TextAt("messaging_profile_id")
	switch {
	case id == "":
		return nil, malformed("message_id_missing")
	case ours == "" && profile == "":
		return nil, malformed("from_missing")
	case !canonical.IsChannel(string(channel)):
		return nil, malformed("channel_malformed")
	}
	code := failure(payload)
	reason := reasonOf(code)
	if n := count(payload.At("to")); n > 1 && (reason == receipt.OptedOut || reason == receipt.InvalidNumber) {
		reason = "" // of whom in the group, it does not say
	}
	when := adapter.Time(cmp.Or(data.TextAt("occurred_at"), payload.TextAt("completed_at")))
	var parsed []adapter.Parsed
	for to := range payload.At("to").Elements() {
		status := to.TextAt("status")
		if event == "message.read" { // the status may still say "delivered"
			status = "read"
		}
		state, known := stateOf(status)
		person := address(to)
		switch {
		case person == "":
			return nil, malformed("to_missing")
		case !known:
			parsed = append(parsed, adapter.Parsed{Err: malformed("message_status_unknown")})
			continue
		}
		told := &canonical.Receipt{State: state, At: when}
		if state == "failed" || state == "expired" {
			told.Error, told.Reason = code, reason
		}
		parsed = append(parsed, adapter.Parsed{
			Event: canonical.Event{
				Type: canonical.TypeReceipt, Channel: channel, Direction: canonical.Status, ProviderMessageID: id,
				Sender: participant(ours), Recipient: participant(person),
				RelatesTo: &canonical.Relation{Kind: "receipt", ProviderMessageID: id}, Receipt: told, Timestamp: when,
			},
			Kind: "receipt", Key: id + "|" + person + "|" + status + "|" + told.Error,
			Addresses: []string{ours, profile},
			Person:    person,
			Side:      cmp.Or(ours, profile),
		})
	}
	if parsed == nil {
		return nil, malformed("to_missing")
	}
	return parsed, nil
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
