// Command outreach-reparse parses dead letters of the outreach API again, from the bytes that were received. It is invoked directly, by make redrive, and by a schedule.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/outreach"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/redrive"
)

func main() {
	f := function.Begin("outreach-reparse")
	f.Start(lambdainvoke.Handler(wire.New(f).Reparser(&outreach.Channel{}).Reparse, redrive.Refuse))
}
