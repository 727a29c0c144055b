// Command hubspot-drain delivers what is parked for tenants' HubSpot portals, and connects them.
package main

import (
	"signalbox/functions/connector"
	"signalbox/functions/connector/cmd/wire"
	"signalbox/functions/connector/hubspot"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/connect"
)

func main() {
	f := function.Begin("hubspot-drain")
	client := wire.Client(f)
	drain := wire.Drain(f, hubspot.Kind, func(tenants connector.Tenants) connector.CRM[hubspot.Request] {
		return hubspot.New(hubspot.Options{Bindings: hubspot.NewTenantBindings(tenants), Client: client, Logger: f.Logger, Meter: f.Meter})
	})
	f.Start(lambdainvoke.Handler(drain.Handle, connect.Refuse))
}
