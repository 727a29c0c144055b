package samples

import (
	"net/http"

	"signalbox/functions/adapter/twilio/twiliotest"
	"signalbox/shared/consent"
	"signalbox/shared/dev/samples"
)

var (
	_ samples.Lister = Channel{}
	_ samples.Teller = Channel{}
)

// Lists implements samples.Lister.
func (Channel) Lists(account string, said []samples.Said) (http.Handler, string) {
	api := &twiliotest.API{Account: account, Token: "local-use-only-twilio-api-token", PageSize: 2} //nolint:gosec // of nobody
	for _, m := range said {
		api.Add(twiliotest.Message{Sid: m.ID, From: m.From, To: m.To, Body: m.Text, Direction: "inbound", Status: "received", Sent: m.At, Updated: m.At})
	}
	return api, api.Token
}

// Consents implements samples.Teller.
func (Channel) Consents(account, token string) (api http.Handler, state func(person, line string) string) {
	consents := &twiliotest.Consents{Account: account, Token: token}
	return consents, func(person, line string) string {
		return map[string]string{"opt-out": consent.OptedOut, "opt-in": consent.OptedIn}[consents.Status(person, line)]
	}
}
