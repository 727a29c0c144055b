package twilio

import (
	"strings"

	"signalbox/functions/adapter"
)

// vendor hands on what was received, each field with whether its value may be kept under the policy "redacted".
func vendor(f form) []adapter.VendorField {
	fields := make([]adapter.VendorField, len(f))
	for i, v := range f {
		fields[i] = adapter.VendorField{Name: v.name, Value: v.value, Open: isOpen(v.name)}
	}
	return fields
}

// isOpen names the fields that say nothing about a person. New parameters come without notice and are personal until listed.
func isOpen(name string) bool {
	switch name {
	case "AccountSid", "ApiVersion", "ChannelInstallSid", "ChannelPrefix", "ErrorCode", "EventType", "Forwarded",
		"FrequentlyForwarded", "FromCountry", "MessageSid", "MessageStatus", "MessageType", "MessagingServiceSid",
		"NumMedia", "NumSegments", "OptOutType", "OriginalRepliedMessageSid", "RawDlrDoneDate", "ReferralMediaContentType",
		"ReferralMediaId", "ReferralNumMedia", "ReferralSourceId", "ReferralSourceType", "SmsMessageSid", "SmsSid",
		"SmsStatus", "ToCountry":
		return true
	default:
		n, ok := strings.CutPrefix(name, "MediaContentType")
		return ok && n != "" && strings.Trim(n, "0123456789") == ""
	}
}

// isOpenEvent is isOpen for the members of an event of Event Streams.
func isOpenEvent(name string) bool {
	switch name {
	case "specversion", "type", "id", "dataschema", "time",
		"data.accountSid", "data.account_sid", "data.apiVersion", "data.consent_operation", "data.consent_updated_at", "data.dateUpdated",
		"data.errorCode", "data.eventName", "data.event_id", "data.fromCountry", "data.is_reassigned", "data.last_verified_date",
		"data.messageSid", "data.messageStatus", "data.messagingServiceSid", "data.numMedia", "data.numSegments", "data.numberOfSegments",
		"data.optOutType", "data.rawDlrDoneDate", "data.timestamp", "data.toCountry":
		return true
	default:
		return false
	}
}
