// Package dynamicstest is Dynamics 365 for tests of the whole pipeline.
package dynamicstest

import (
	"net/http"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/dynamics"
	"signalbox/functions/connector/dynamics/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/queue"
)

// tokenLife is longer than a test's virtual time: that a token is asked for is counted with the CRM's calls, and would be one an hour.
const tokenLife = 365 * 24 * time.Hour

// CRM returns Dynamics 365 and its simulator. The limit is of requests in 300 seconds.
func CRM() simulatortest.CRM {
	return simulatortest.CRM{
		Simulator: func(limit int) http.Handler {
			return simulator.New(simulator.Options{Burst: limit, TokenLife: tokenLife})
		},
		Deliver:  func(p simulatortest.Parts, o connector.Options) queue.Handler { return connector.New(crm(p), o) },
		Statuses: func(p simulatortest.Parts) connector.StatusWriter { return crm(p) },
		Width:    dynamics.ReceiptsWidth, Pause: dynamics.ReceiptsPause,
	}
}

func crm(p simulatortest.Parts) *dynamics.CRM {
	return dynamics.New(dynamics.Options{
		Bindings: dynamics.NewTenantBindings(p.Tenants), Client: p.Client, Store: p.Store, Sealer: p.Box, Logger: p.Logger, Meter: p.Meter,
	})
}
