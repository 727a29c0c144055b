package infobip

import (
	"cmp"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
	"signalbox/shared/receipt"
)

// stateOf reads the status of a report: by its group, of which there are six, but for what only an operator has and what was taken back.
// See https://www.infobip.com/docs/essentials/response-status-and-error-codes.
func stateOf(status jsontext.Value) (state string, ok bool) {
	switch name, group := status.TextAt("name"), status.TextAt("groupName"); {
	case name == "DELIVERED_TO_OPERATOR":
		return "sent", true
	case name == "REJECTED_CANCELED":
		return "canceled", true
	case group == "ACCEPTED":
		return "queued", true
	case group == "PENDING":
		return "sending", true
	case group == "DELIVERED":
		return "delivered", true
	case group == "EXPIRED":
		return "expired", true
	case group == "UNDELIVERABLE", group == "REJECTED":
		return "failed", true
	default:
		return "", false
	}
}

// reasonOf returns what the names of a status and of an error mean. None of them tells an opt-out from another block.
func reasonOf(status, failure string) string {
	switch failure {
	case "EC_UNKNOWN_SUBSCRIBER", "EC_INVALID_DESTINATION_ADDRESS", "EC_NUMBER_NOT_IN_NETWORK":
		return receipt.InvalidNumber
	case "EC_ABSENT_SUBSCRIBER", "EC_ABSENT_SUBSCRIBER_SM", "EC_TELESERVICE_NOT_PROVISIONED", "EC_SUBSCRIBER_BUSY_FOR_MT_SMS", "EC_SM_DF_MEMORYCAPACITYEXCEEDED":
		return receipt.Unreachable
	case "EC_CALL_BARRED", "EC_DEST_ADDRESS_BLACKLISTED", "EC_MESSAGE_FILTERED":
		return receipt.Blocked
	}
	switch status {
	case "REJECTED_PREFIX_MISSING":
		return receipt.InvalidNumber
	case "REJECTED_DESTINATION", "REJECTED_DND", "REJECTED_NETWORK", "UNDELIVERABLE_REJECTED_OPERATOR":
		return receipt.Blocked
	case "REJECTED_NOT_ENOUGH_CREDITS", "REJECTED_PREPAID_PACKAGE_EXPIRED":
		return receipt.InsufficientFunds
	case "REJECTED_FLOODING_FILTER":
		return receipt.RateLimited
	case "REJECTED_SENDER", "REJECTED_SOURCE", "REJECTED_DESTINATION_NOT_REGISTERED", "REJECTED_ROUTE_NOT_AVAILABLE":
		return receipt.Misconfigured
	case "REJECTED_MESSAGE_TOO_LONG", "REJECTED_INVALID_UDH":
		return receipt.RejectedContent
	case "EXPIRED_EXPIRED":
		return receipt.Expired
	default:
		return ""
	}
}

// reported reads a report of delivery, or that a message was seen.
func reported(result jsontext.Value) (adapter.Parsed, error) {
	id, channel := result.TextAt("messageId"), channelOf(result)
	from, to := sides(result)
	status, failure := result.At("status"), result.TextAt("error", "name")
	r := &canonical.Receipt{At: adapter.Time(cmp.Or(result.TextAt("seenAt"), result.TextAt("doneAt"), result.TextAt("sentAt")))}
	known := true
	if r.State = "read"; result.At("seenAt") == "" {
		r.State, known = stateOf(status)
	}
	switch {
	case id == "":
		return adapter.Parsed{}, malformed("message_id_missing")
	case !known:
		return adapter.Parsed{}, malformed("status_unknown")
	case to == "":
		return adapter.Parsed{}, malformed("destination_missing")
	case from == "":
		return adapter.Parsed{}, malformed("sender_missing")
	case !canonical.IsChannel(string(channel)):
		return adapter.Parsed{}, malformed("channel_malformed")
	}
	if r.State == "failed" || r.State == "expired" {
		r.Error = failure
		if failure == "" || failure == "NO_ERROR" || failure == "EC_OK" {
			r.Error = status.TextAt("name")
		}
		r.Reason = reasonOf(status.TextAt("name"), failure)
	}
	who := person(to, channel)
	return complete(canonical.Event{
		Type: canonical.TypeReceipt, Channel: channel, Direction: canonical.Status, ProviderMessageID: id,
		Sender: ours(from), Recipient: who, RelatesTo: &canonical.Relation{Kind: "receipt", ProviderMessageID: id},
		Receipt: r, Timestamp: r.At,
	}, who, from, id+"|"+cmp.Or(status.TextAt("name"), r.State)+"|"+r.Error), nil
}
