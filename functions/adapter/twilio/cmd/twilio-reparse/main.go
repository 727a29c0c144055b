// Command twilio-reparse parses dead letters of Twilio again, from the bytes that were received. It is invoked directly, by make redrive, and by a schedule.
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
	parts := wire.New(f, wire.Receipts)
	channel, err := twilio.New(f.String("PUBLIC_BASE_URL"))
	f.Check(err)
	f.Start(lambdainvoke.Handler(parts.Reparser(channel).Reparse, redrive.Refuse))
}
