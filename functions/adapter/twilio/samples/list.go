package samples

import (
	"net/http"

	"signalbox/functions/adapter/twilio/twiliotest"
	"signalbox/shared/dev/samples"
)

var _ samples.Lister = Channel{}

// Lists implements samples.Lister.
func (Channel) Lists(account string, said []samples.Said) (http.Handler, string) {
	api := &twiliotest.API{Account: account, Token: "local-use-only-twilio-api-token", PageSize: 2} //nolint:gosec // of nobody
	for _, m := range said {
		api.Add(twiliotest.Message{Sid: m.ID, From: m.From, To: m.To, Body: m.Text, Direction: "inbound", Status: "received", Sent: m.At, Updated: m.At})
	}
	return api, api.Token
}
