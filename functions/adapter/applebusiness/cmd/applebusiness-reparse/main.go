// Command applebusiness-reparse parses dead letters of Apple Messages for Business again, from the bytes that were received. It is invoked directly, by make redrive, and by a schedule.
package main

import (
	"signalbox/functions/adapter/applebusiness"
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/redrive"
)

func main() {
	f := function.Begin("applebusiness-reparse")
	f.Start(lambdainvoke.Handler(wire.New(f).Reparser(&applebusiness.Channel{}).Reparse, redrive.Refuse))
}
