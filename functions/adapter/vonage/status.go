package vonage

import (
	"cmp"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
	"signalbox/shared/receipt"
)

// status reads how far a message of ours got. It names the two sides as the message did: it is from us.
func (p *payload) status() ([]adapter.Parsed, error) {
	word := p.body.TextAt("status")
	r := canonical.Receipt{At: cmp.Or(p.sent, p.received), Error: code(p.body.At("error"))}
	switch word {
	case "submitted":
		r.State = "sent"
	case "delivered", "read":
		r.State = word
	case "rejected", "undeliverable":
		r.State, r.Reason = "failed", cmp.Or(reason(r.Error), receipt.Unknown)
	default:
		return nil, malformed("status_unknown")
	}
	if r.Reason == receipt.Expired {
		r.State = "expired"
	}
	return []adapter.Parsed{p.parsed("receipt", p.id+"|"+word+"|"+r.Error, p.to, p.from, canonical.Event{
		Type:      canonical.TypeReceipt,
		Direction: canonical.Status,
		RelatesTo: &canonical.Relation{Kind: "receipt", ProviderMessageID: p.id},
		Receipt:   &r,
	})}, nil
}

// code returns the code of an error: its title, a number that some versions write as a text, or else what the address of its description
// ends with. Some have the error within another.
func code(of jsontext.Value) string {
	if inner := of.At("error"); inner != "" {
		of = inner
	}
	if title := unquoted(of.At("title")); title != "" && strings.Trim(title, "0123456789") == "" {
		return title
	}
	_, fragment, _ := strings.Cut(of.TextAt("type"), "#")
	return fragment
}

// reason returns what a code means, "" where that is not known.
// See https://developer.vonage.com/en/api-errors/messages.
func reason(code string) string {
	switch code {
	case "1240": // the person has sent STOP
		return receipt.OptedOut
	case "1170", "1190": // no number, or one that nobody has any more
		return receipt.InvalidNumber
	case "1050", "1210", "1280", "1470", "1472", "1483":
		return receipt.Blocked
	case "1100", "1180", "1200", "1220", "1230", "1250", "1260", "1290", "1300", "1310":
		return receipt.Unreachable
	case "1270", "1482":
		return receipt.RejectedContent
	case "1000", "1241":
		return receipt.RateLimited
	case "1340":
		return receipt.OutsideWindow
	case "1360":
		return receipt.Expired
	case "1070":
		return receipt.InsufficientFunds
	case "1010", "1020", "1021", "1022", "1060", "1080", "1090", "1110", "1120", "1130", "1140", "1150", "1160", "1350", "1370", "1480", "1481":
		return receipt.Misconfigured
	default:
		return ""
	}
}
