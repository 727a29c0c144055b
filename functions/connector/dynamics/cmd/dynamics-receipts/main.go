// Command dynamics-receipts shows in tenants' Dataverse environments how far sent messages got.
package main

import (
	"signalbox/functions/connector/cmd/wire"
	"signalbox/functions/connector/dynamics"
	"signalbox/shared/aws/function"
)

func main() {
	f := function.Begin("dynamics-receipts")
	crm := dynamics.New(dynamics.Options{
		Bindings: dynamics.NewTenantBindings(f.Tenants()), Client: wire.Client(f),
		Store: f.Table(f.String("STATE_TABLE")), Sealer: f.Box(), Logger: f.Logger, Meter: f.Meter,
	})
	f.StartWorker(wire.Receipts(f, dynamics.Kind, crm, dynamics.ReceiptsWidth, dynamics.ReceiptsPause))
}
