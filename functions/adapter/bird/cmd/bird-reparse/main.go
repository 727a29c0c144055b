// Command bird-reparse parses dead letters of Bird again, from the bytes that were received, and asks Bird for what never came. It is invoked
// directly, by make redrive and make backfill, and by a schedule.
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
	client := wire.Client(f) // before the first check: what is missing is named all at once
	f.Check(err)
	f.Start(lambdainvoke.Handler(parts.Asking(channel, bird.NewFetcher(client)).Handle, redrive.Refuse))
}
