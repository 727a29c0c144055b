// Command dynamics-drain delivers what is parked for tenants' Dataverse environments, and connects them.
package main

import (
	"signalbox/functions/connector"
	"signalbox/functions/connector/cmd/wire"
	"signalbox/functions/connector/dynamics"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/connect"
)

func main() {
	f := function.Begin("dynamics-drain")
	client, store, box := wire.Client(f), f.Table(f.String("STATE_TABLE")), f.Box()
	drain := wire.Drain(f, dynamics.Kind, func(tenants connector.Tenants) connector.CRM[dynamics.Request] {
		return dynamics.New(dynamics.Options{
			Bindings: dynamics.NewTenantBindings(tenants), Client: client, Store: store, Sealer: box, Logger: f.Logger, Meter: f.Meter,
		})
	})
	f.Start(lambdainvoke.Handler(drain.Handle, connect.Refuse))
}
