// Command salesforce-deliver carries deliveries from its queue into tenants' Salesforce orgs.
package main

import (
	"signalbox/functions/connector/cmd/wire"
	"signalbox/functions/connector/salesforce"
	"signalbox/shared/aws/function"
)

func main() {
	f := function.Begin("salesforce-deliver")
	crm := salesforce.New(salesforce.Options{
		Bindings: salesforce.NewTenantBindings(f.Tenants()), Client: wire.Client(f),
		Store: f.Table(f.String("STATE_TABLE")), Sealer: f.Box(), Logger: f.Logger, Meter: f.Meter,
	})
	f.StartWorker(wire.Deliver(f, salesforce.Kind, crm))
}
