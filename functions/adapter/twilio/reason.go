package twilio

import "signalbox/shared/receipt"

// reason returns why a message was given up by Twilio's code, "" of one that was not, and of a code that is not here.
// See https://www.twilio.com/docs/api/errors. 21612, 30006 and 63036 say that this sender, this carrier or this channel does not get there:
// the number may be good.
func reason(code, state string) string {
	if !receipt.IsEnd(state) {
		return ""
	}
	switch code {
	case "21610", "63014", "63033":
		return receipt.OptedOut
	case "21211", "21217", "21265", "21614", "30005", "63003", "63024":
		return receipt.InvalidNumber
	case "21612", "30003", "30006", "30017", "30410", "63012", "63029", "63036":
		return receipt.Unreachable
	case "30004", "30007", "30038", "30039", "30450", "63013", "63032", "63049":
		return receipt.Blocked
	case "21602", "21617", "21620", "21623", "30011", "30019", "30044", "63005", "63006", "63019", "63021", "63028", "63030", "63034":
		return receipt.RejectedContent
	case "21611", "30001", "30022", "30023", "30027", "63018", "63038":
		return receipt.RateLimited
	case "30036":
		return receipt.Expired
	case "63016":
		return receipt.OutsideWindow
	case "21408", "21601", "21606", "21608", "21655", "21656", "21703", "21704", "21705", "30002", "30010", "30024", "30032", "30033", "30034",
		"30035", "30040", "63001", "63002", "63007", "63008", "63015", "63020", "63022", "63027", "63031", "63035", "63040", "63041",
		"63042", "63051", "63112":
		return receipt.Misconfigured
	default:
		return ""
	}
}
