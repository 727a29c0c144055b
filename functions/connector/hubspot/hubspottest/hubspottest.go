// Package hubspottest is HubSpot for tests of the whole pipeline.
package hubspottest

import (
	"net/http"

	"signalbox/functions/connector"
	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/queue"
)

// CRM returns HubSpot and its simulator. The limit is of requests in ten seconds.
func CRM() simulatortest.CRM {
	return simulatortest.CRM{
		Simulator: func(limit int) http.Handler { return simulator.New(simulator.Options{Burst: limit}) },
		Deliver:   func(p simulatortest.Parts, o connector.Options) queue.Handler { return connector.New(crm(p), o) },
		Statuses:  func(p simulatortest.Parts) connector.StatusWriter { return crm(p) },
		Connect:   func(p simulatortest.Parts) connector.Connecter { return crm(p) },
		Width:     hubspot.ReceiptsWidth, Pause: hubspot.ReceiptsPause,
	}
}

func crm(p simulatortest.Parts) *hubspot.CRM {
	return hubspot.New(hubspot.Options{Bindings: hubspot.NewTenantBindings(p.Tenants), Client: p.Client, Logger: p.Logger, Meter: p.Meter})
}
