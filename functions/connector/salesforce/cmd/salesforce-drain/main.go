// Command salesforce-drain delivers what is parked for tenants' Salesforce orgs, and connects them.
package main

import (
	"signalbox/functions/connector"
	"signalbox/functions/connector/cmd/wire"
	"signalbox/functions/connector/salesforce"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/connect"
)

func main() {
	f := function.Begin("salesforce-drain")
	client, store, box := wire.Client(f), f.Table(f.String("STATE_TABLE")), f.Box()
	drain := wire.Drain(f, salesforce.Kind, func(tenants connector.Tenants) connector.CRM[salesforce.Request] {
		return salesforce.New(salesforce.Options{
			Bindings: salesforce.NewTenantBindings(tenants), Client: client, Store: store, Sealer: box, Logger: f.Logger, Meter: f.Meter,
		})
	})
	f.Start(lambdainvoke.Handler(drain.Handle, connect.Refuse))
}
