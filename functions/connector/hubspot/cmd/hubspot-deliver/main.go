// Command hubspot-deliver carries deliveries from its queue into tenants' HubSpot portals.
package main

import (
	"signalbox/functions/connector/cmd/wire"
	"signalbox/functions/connector/hubspot"
	"signalbox/shared/aws/function"
)

func main() {
	f := function.Begin("hubspot-deliver")
	crm := hubspot.New(hubspot.Options{
		Bindings: hubspot.NewTenantBindings(f.Tenants()), Client: wire.Client(f), Logger: f.Logger, Meter: f.Meter,
	})
	f.StartWorker(wire.Deliver(f, hubspot.Kind, crm))
}
