package sinch

import (
	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/receipt"
)

// stateOf reads a status.
func stateOf(status string) string {
	switch status {
	case "QUEUED_ON_CHANNEL": // the channel took it
		return "sent"
	case "SWITCHING_CHANNEL": // one channel failed, and the next is tried
		return "sending"
	case "DELIVERED":
		return "delivered"
	case "READ":
		return "read"
	case "FAILED":
		return "failed"
	default:
		return ""
	}
}

// reasonOf returns what a reason's code means. That somebody did not opt in is no word of theirs: they are not opted out by it.
func reasonOf(code string) string {
	switch code {
	case "RECIPIENT_INVALID_CHANNEL_IDENTITY":
		return receipt.InvalidNumber
	case "RECIPIENT_NOT_REACHABLE", "NO_CHANNELS_LEFT", "NO_CHANNEL_IDENTITY_FOR_CONTACT", "NO_PROFILE_AVAILABLE":
		return receipt.Unreachable
	case "RECIPIENT_NOT_OPTED_IN", "DELIVERY_REJECTED_DUE_TO_POLICY", "CHANNEL_REJECT":
		return receipt.Blocked
	case "MEDIA_TYPE_UNSUPPORTED", "MEDIA_TOO_LARGE", "MEDIA_NOT_REACHABLE", "TEMPLATE_INSUFFICIENT_PARAMETERS", "BAD_REQUEST", "UNSUPPORTED_OPERATION":
		return receipt.RejectedContent
	case "RATE_LIMITED":
		return receipt.RateLimited
	case "DELIVERY_TIMED_OUT":
		return receipt.Expired
	case "OUTSIDE_ALLOWED_SENDING_WINDOW":
		return receipt.OutsideWindow
	case "CHANNEL_BAD_CONFIGURATION", "CHANNEL_CONFIGURATION_MISSING", "TEMPLATE_NOT_FOUND", "TEMPLATE_NON_EXISTING_LANGUAGE_OR_VERSION",
		"CONTACT_NOT_FOUND", "UNKNOWN_APP", "NO_PERMISSION":
		return receipt.Misconfigured
	default: // UNKNOWN, INTERNAL_ERROR, CHANNEL_FAILURE, and what is new
		return receipt.Unknown
	}
}

// report reads how far a message of ours got.
func (c *callback) report() ([]adapter.Parsed, error) {
	id, status, code := c.what.TextAt("message_id"), c.what.TextAt("status"), c.what.TextAt("reason", "code")
	state := stateOf(status)
	if state == "" {
		return nil, malformed("status_unknown")
	}
	channel := c.what.TextAt("channel_identity", "channel")
	key := id
	if id != "" {
		key += "|" + status + "|" + code + "|" + channel
	}
	p, err := c.from("receipt", key)
	e := &p.Event
	e.Type, e.Direction, e.ProviderMessageID = canonical.TypeReceipt, canonical.Status, id
	e.Sender, e.Recipient = e.Recipient, e.Sender
	e.RelatesTo = &canonical.Relation{Kind: "receipt", ProviderMessageID: id}
	e.Receipt = &canonical.Receipt{State: state, At: e.Timestamp, Error: code}
	if state == "failed" {
		e.Receipt.Reason = reasonOf(code)
	}
	return []adapter.Parsed{p}, err
}
