// Package hubspot carries deliveries into HubSpot: a person becomes a contact (and a lead, where the portal has leads), a
// message becomes a communication on the contact's timeline, a consent change and an answered outreach become properties of the
// contact. Every record is found again by a key of ours, and of what is there only what is newer is written, so that a repeat changes nothing;
// portals that cannot hold that key on communications are served by looking before writing. The API is described at https://developers.hubspot.com/docs/api-reference/overview.
package hubspot

import (
	_ "embed"
	"log/slog"
	"net/http"

	"signalbox/functions/connector"
	"signalbox/shared/telemetry"
)

// Options are what a CRM works with. All are required.
type Options struct {
	Bindings connector.Bindings[Binding]
	Client   *http.Client // for every request; it never follows a redirect here, whatever its own policy
	Logger   *slog.Logger
	Meter    *telemetry.Meter
}

// CRM is HubSpot, for every tenant. It is safe for concurrent use.
type CRM struct {
	options Options
	api     *connector.API
}

// New returns a CRM.
func New(o Options) *CRM {
	return &CRM{o, connector.NewAPI(Kind, o.Client, usageOf)}
}

// advices are what a person is to do about each code, and where HubSpot has it.
//
//go:embed advice.json
var advices connector.Advices

// Advice implements connector.Adviser.
func (c *CRM) Advice(code string) string { return advices.Advice(code) }

var (
	_ connector.CRM[Request] = (*CRM)(nil)
	_ connector.Linker       = (*CRM)(nil)
	_ connector.FileTaker    = (*CRM)(nil)
	_ connector.Connecter    = (*CRM)(nil)
	_ connector.Adviser      = (*CRM)(nil)
)
