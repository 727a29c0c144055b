// Command bird-reparse parses dead letters of bird again, from the bytes that were received. It is invoked directly, by make redrive, and by a schedule.
package main

import (
	"signalbox/functions/adapter/bird"
	"signalbox/functions/adapter/cmd/wire"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/redrive"
)

func main() {
	f := function.Begin("bird-reparse")
	parts := wire.New(f, wire.Receipts)
	channel, err := bird.New(f.String("PUBLIC_BASE_URL"))
	f.Check(err)
	f.Start(lambdainvoke.Handler(parts.Reparser(channel).Reparse, redrive.Refuse))
}
