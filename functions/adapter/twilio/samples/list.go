package samples

import (
	"net/http"

	"signalbox/functions/adapter/twilio/twiliotest"
	"signalbox/shared/dev/samples"
)

var _ samples.Lister = Channel{}

// Lists implements samples.Lister, in pages of two.
func (Channel) Lists(account, token string, said []samples.Said) http.Handler {
	api := &twiliotest.API{Account: account, Token: token, PageSize: 2}
	for _, m := range said {
		api.Add(twiliotest.Message{Sid: m.ID, From: m.From, To: m.To, Body: m.Text, Direction: "inbound", Status: "received", Sent: m.At, Updated: m.At})
	}
	return api
}
