// Command rbm-reparse parses dead letters of RCS for Business again, from the bytes that were received. It is invoked directly, by make redrive, and by a schedule.
package main

import (
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/functions/adapter/rbm"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/redrive"
)

func main() {
	f := function.Begin("rbm-reparse")
	f.Start(lambdainvoke.Handler(wire.New(f, wire.Receipts).Reparser(&rbm.Channel{}).Reparse, redrive.Refuse))
}
