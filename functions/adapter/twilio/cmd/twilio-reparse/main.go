// Command twilio-reparse parses dead letters of Twilio again, from the bytes that were received, asks Twilio for what never came, and
// tells it who may be written to. It is invoked directly, by make redrive and make backfill, and by a schedule.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/twilio"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/redrive"
)

func main() {
	f := function.Begin("twilio-reparse")
	parts := wire.New(f, wire.Receipts, wire.Later)
	channel, err := twilio.New(f.String("PUBLIC_BASE_URL"))
	client := wire.Client(f) // before the first check: what is missing is named all at once
	f.Check(err)
	asking := parts.Asking(channel, twilio.NewFetcher(client)).Tells(twilio.NewConsents(client))
	f.Start(lambdainvoke.Handler(asking.Handle, redrive.Refuse))
}
