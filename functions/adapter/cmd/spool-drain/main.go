// Command spool-drain sends what adapters spooled while the events queue could not be reached, and what the router keeps for a time
// that has come. A schedule starts it.
package main

import (
	"signalbox/functions/adapter"
	"signalbox/shared/aws/function"
)

func main() {
	f := function.Begin("spool-drain")
	drain := adapter.Drain{
		Records: f.Table(f.String("SPOOL_TABLE")), Due: f.Table(f.String("STATE_TABLE")), Events: f.Queue(f.String("EVENTS_QUEUE_URL")), Receipts: f.Queue(f.String("RECEIPTS_QUEUE_URL")),
		Margin: f.Margin(), Logger: f.Logger, Meter: f.Meter,
	}
	f.Start(drain.Run)
}
