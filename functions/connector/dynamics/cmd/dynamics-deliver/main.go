// Command dynamics-deliver carries deliveries from its queue into tenants' Dataverse environments.
package main

import (
	"signalbox/functions/connector/cmd/wire"
	"signalbox/functions/connector/dynamics"
	"signalbox/shared/aws/function"
)

func main() {
	f := function.Begin("dynamics-deliver")
	crm := dynamics.New(dynamics.Options{
		Bindings: dynamics.NewTenantBindings(f.Tenants()), Client: wire.Client(f),
		Store: f.Table(f.String("STATE_TABLE")), Sealer: f.Box(), Logger: f.Logger, Meter: f.Meter,
	})
	f.StartWorker(wire.Deliver(f, dynamics.Kind, crm))
}
