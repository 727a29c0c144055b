package sinch

import (
	"testing"

	"signalbox/shared/receipt"
)

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
