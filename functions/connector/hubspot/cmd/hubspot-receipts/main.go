// Command hubspot-receipts shows in tenants' HubSpot portals how far sent messages got.
package main

import (
	"signalbox/functions/connector/cmd/wire"
	"signalbox/functions/connector/hubspot"
	"signalbox/shared/aws/function"
)

func main() {
	f := function.Begin("hubspot-receipts")
	crm := hubspot.New(hubspot.Options{
		Bindings: hubspot.NewTenantBindings(f.Tenants()), Client: wire.Client(f), Logger: f.Logger, Meter: f.Meter,
	})
	f.StartWorker(wire.Receipts(f, hubspot.Kind, crm, hubspot.ReceiptsWidth, hubspot.ReceiptsPause))
}
