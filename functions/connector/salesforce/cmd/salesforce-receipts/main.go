// Command salesforce-receipts shows in tenants' Salesforce orgs how far sent messages got.
package main

import (
	"signalbox/functions/connector/cmd/wire"
	"signalbox/functions/connector/salesforce"
	"signalbox/shared/aws/function"
)

func main() {
	f := function.Begin("salesforce-receipts")
	crm := salesforce.New(salesforce.Options{
		Bindings: salesforce.NewTenantBindings(f.Tenants()), Client: wire.Client(f),
		Store: f.Table(f.String("STATE_TABLE")), Sealer: f.Box(), Logger: f.Logger, Meter: f.Meter,
	})
	f.StartWorker(wire.Receipts(f, salesforce.Kind, crm, salesforce.ReceiptsWidth, 0))
}
