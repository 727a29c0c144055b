package whatsapp

import "signalbox/shared/receipt"

// marketingStopped is the code of a message that was not sent because its recipient wants no marketing.
const marketingStopped = "131050"

// reason returns why a message was given up by Meta's code, "" of one that was not, and of a code that is not here. A recipient who wants no
// marketing has not opted out of everything: a consent of its own says what they want.
// See https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes.
func reason(code, state string) string {
	if !receipt.IsEnd(state) {
		return ""
	}
	switch code {
	case "131026": // no WhatsApp there, or none that takes messages of businesses: the two have one code
		return receipt.Unreachable
	case marketingStopped, "131049", "130472", "368", "130497": // held back by Meta: the person's choice, their cap, an experiment, a policy, a country
		return receipt.Blocked
	case "131047":
		return receipt.OutsideWindow
	case "4", "80007", "130429", "131048", "131056", "131064", "133016":
		return receipt.RateLimited
	case "131042", "131044":
		return receipt.InsufficientFunds
	case "100", "131008", "131009", "131051", "131052", "131053", "132000", "132005", "132007", "132008", "132012", "132018", "135000":
		return receipt.RejectedContent
	case "0", "3", "10", "190", "131005", "131021", "131030", "131031", "131037", "131045", "131057", "131062", "131063",
		"132001", "132015", "132016", "132068", "132069", "133010":
		return receipt.Misconfigured
	default:
		return ""
	}
}
