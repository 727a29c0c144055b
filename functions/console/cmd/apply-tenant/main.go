// Command apply-tenant plans and applies tenant files. It is invoked directly, and only so that its caller waits for the
// answer: a request holds credentials, which must not come to lie in a queue of asynchronous invocations.
package main

import (
	"signalbox/functions"
	"signalbox/functions/console"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/hosts"
)

func main() {
	f := function.Begin("apply-tenant")
	tenants, err := console.NewTenants(f.Table(f.String("CONFIG_TABLE")), f.Box(), f.Peppers(), console.Deployment{
		CRMs: f.List("CRMS"), Providers: f.List("CHANNELS"), Schemas: functions.Schemas(), Hosts: hosts.Policy(f.String("CRM_HOSTS")),
	}, f.Logger, f.Meter)
	f.Check(err)
	f.Start(lambdainvoke.Handler(tenants.Apply, console.Refuse))
}
