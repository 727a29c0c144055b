// Command route takes canonical events from the events queue, decides, and sends a delivery to the queue of each CRM.
package main

import (
	"signalbox/functions/router/cmd/wire"
	"signalbox/shared/aws/function"
)

func main() {
	f := function.Begin("route")
	f.StartWorker(wire.Route(f))
}
