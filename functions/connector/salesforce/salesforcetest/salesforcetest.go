// Package salesforcetest is Salesforce for tests of the whole pipeline.
package salesforcetest

import (
	"net/http"

	"signalbox/functions/connector"
	"signalbox/functions/connector/salesforce"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/queue"
)

// CRM returns Salesforce and its simulator. The limit is of requests in 24 hours.
func CRM() simulatortest.CRM {
	return simulatortest.CRM{
		Simulator: func(limit int) http.Handler { return simulator.New(simulator.Options{DailyLimit: limit}) },
		Deliver:   func(p simulatortest.Parts, o connector.Options) queue.Handler { return connector.New(crm(p), o) },
		Statuses:  func(p simulatortest.Parts) connector.StatusWriter { return crm(p) },
		Width:     salesforce.ReceiptsWidth,
	}
}

func crm(p simulatortest.Parts) *salesforce.CRM {
	return salesforce.New(salesforce.Options{
		Bindings: salesforce.NewTenantBindings(p.Tenants), Client: p.Client, Store: p.Store, Sealer: p.Box, Logger: p.Logger, Meter: p.Meter,
	})
}
