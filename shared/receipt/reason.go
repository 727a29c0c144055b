package receipt

// The reasons of canonical.Receipt: why a message did not arrive, whatever its provider calls it. A channel has them in a table by the
// provider's codes.
const (
	OptedOut          = "opted_out"          // the person asked not to be written to, or blocked the sender: this is an opt-out
	InvalidNumber     = "invalid_number"     // the address does not exist on this channel, and will not by trying again
	Unreachable       = "unreachable"        // the phone is off, away, or of a network that does not take it now
	Blocked           = "blocked"            // a carrier or the provider filtered it
	RejectedContent   = "rejected_content"   // what it says or holds is not taken
	RateLimited       = "rate_limited"       // too many at once or a day
	Expired           = "expired"            // it was not delivered in time
	OutsideWindow     = "outside_window"     // the person has not written lately: the channel takes a template only
	InsufficientFunds = "insufficient_funds" // of the account at the provider
	Misconfigured     = "misconfigured"      // the sender, its registration or its permissions at the provider
	Unknown           = "unknown"            // a code that no table has
)

// Words returns a reason in words that whoever reads a CRM's record understands; "" for one that says nothing.
func Words(reason string) string {
	switch reason {
	case OptedOut:
		return "the person does not want messages"
	case InvalidNumber:
		return "the number or address does not take messages"
	case Unreachable:
		return "the phone could not be reached"
	case Blocked:
		return "a carrier or the provider blocked it"
	case RejectedContent:
		return "its content was not accepted"
	case RateLimited:
		return "too many messages were sent"
	case Expired:
		return "it was not delivered in time"
	case OutsideWindow:
		return "the person has not written lately: only a template may be sent"
	case InsufficientFunds:
		return "the account at the provider has no funds"
	case Misconfigured:
		return "the sender is not set up for it at the provider"
	default:
		return ""
	}
}

// Explain returns why a message did not arrive, in words, with the provider's code, if it gave more than a state, behind them: "the phone
// could not be reached (30003)". Where no reason says anything it is the code.
func Explain(reason, code string) string {
	switch said := Words(reason); {
	case said == "":
		return code
	case code == "", IsEnd(code):
		return said
	default:
		return said + " (" + code + ")"
	}
}
