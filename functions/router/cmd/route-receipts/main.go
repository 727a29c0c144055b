// Command route-receipts takes receipts from the receipts queue, keeps how far each message got, and sends an update to the
// receipts queue of each CRM.
package main

import (
	"signalbox/functions/router/cmd/wire"
	"signalbox/shared/aws/function"
)

func main() {
	f := function.Begin("route-receipts")
	f.StartWorker(wire.Receipts(f))
}
