package twilio

import (
	"strings"

	"signalbox/shared/canonical"
	"signalbox/shared/identity"
)

// address is one side of a message. Twilio writes a bare number, short code or name for SMS and MMS, and
// "<channel>:<identifier>" for everything else ("whatsapp:+15551234567", "rcs:acme_agent").
// See https://www.twilio.com/docs/messaging/channels.
type address struct {
	written string // as received
	channel canonical.Channel
	bare    string // without the channel
	phone   string // bare, if it has the form of E.164
}

// split reads an address. A client that did not escape its "+" turned it into a space, which nobody means in front of digits.
func split(written string) address {
	a := address{written: written, channel: canonical.SMS, bare: written}
	if channel, bare, ok := strings.Cut(written, ":"); ok {
		a.channel, a.bare = canonical.Channel(channel), bare
	}
	if rest, ok := strings.CutPrefix(a.bare, " "); ok && canonical.IsE164("+"+rest) {
		a.bare = "+" + rest
		a.written = strings.TrimSuffix(written, " "+rest) + a.bare
	}
	if canonical.IsE164(a.bare) {
		a.phone = a.bare
	}
	return a
}

// externalUser returns a WhatsApp user's identifier. The documentation has two names of the parameter.
func (f form) externalUser() string { return f.first("ExternalUserId", "ExternalUserIdentifier") }

// identifiers returns what a webhook of an account says of a WhatsApp user beside the phone number: the identifier to the account's
// business portfolio, by whichever of the addresses has it. What has not the form of one proves nothing.
func identifiers(account string, addresses ...address) []canonical.Identifier {
	for _, a := range addresses {
		if kind := identity.WhatsApp(a.bare); kind != "" && a.channel == canonical.WhatsApp {
			return []canonical.Identifier{{Kind: kind, Scope: account, Value: a.bare}}
		}
	}
	return nil
}

// identifier is what a person is known by: the bare E.164 wherever there is one, so that RCS falling back to SMS stays one
// thread, otherwise the channel's own identifier behind the channel's name.
func (a address) identifier() string {
	if a.phone != "" {
		return a.phone
	}
	return string(a.channel) + ":" + a.bare
}
