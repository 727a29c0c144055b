// Command apply-tenant plans and applies tenant files, and shows and enters consent. It is invoked directly, and only so that its caller
// waits for the answer: a request holds credentials or addresses, which must not come to lie in a queue of asynchronous invocations.
package main

import (
	"signalbox/functions"
	"signalbox/functions/console"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/hosts"
	"signalbox/shared/tenant"
)

func main() {
	f := function.Begin("apply-tenant")
	config, state, peppers := f.Table(f.String("CONFIG_TABLE")), f.Table(f.String("STATE_TABLE")), f.Peppers()
	events, ring := f.Queue(f.String("EVENTS_QUEUE_URL")), f.Ring(f.String("DATA_KEY"), f.String("CONFIG_TABLE"), "")
	tenants, err := console.NewTenants(config, f.Box(), peppers, console.Deployment{
		CRMs: f.List("CRMS"), Providers: f.List("CHANNELS"), Schemas: functions.Schemas(), Hosts: hosts.Policy(f.String("CRM_HOSTS")),
	}, f.Logger, f.Meter)
	f.Check(err)
	f.Start(lambdainvoke.Handler(console.Serve(tenants, &console.Consents{
		Store: state, Policies: tenant.NewBindings(config), Peppers: peppers, Logger: f.Logger, Meter: f.Meter,
		Events: events, Sealer: ring,
	}), console.Refuse))
}
