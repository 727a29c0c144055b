// Package dynamics carries deliveries into Dynamics 365, or any environment of Dataverse: a person becomes a lead (a contact where there are
// no leads), a message or a session an activity of our own table on the person's timeline, a consent change or a reply columns of the person,
// how a conversation stands a row of our own table. Every row of ours is written by an alternate key, of hexadecimal digits alone, or by a
// primary key that follows from what it is of, so that a repeat changes nothing. Several deliveries go into one $batch, of whose requests each
// succeeds or fails by itself. The API is described at https://learn.microsoft.com/power-apps/developer/data-platform/webapi/overview.
package dynamics

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
	Client   *http.Client     // for every request; it never follows a redirect here, whatever its own policy
	Store    connector.Store  // where access tokens are shared between processes
	Sealer   connector.Sealer // encrypts what is shared
	Logger   *slog.Logger
	Meter    *telemetry.Meter
}

// CRM is Dataverse, for every tenant. It is safe for concurrent use.
type CRM struct {
	options Options
	api     *connector.API
	tokens  *connector.Tokens
}

// New returns a CRM.
func New(o Options) *CRM {
	return &CRM{
		options: o, api: connector.NewAPI(Kind, o.Client, nil),
		tokens: connector.NewTokens(Kind, o.Store, o.Sealer, o.Logger),
	}
}

// advices are what a person is to do about each code, and where Microsoft has it.
//
//go:embed advice.json
var advices connector.Advices

// Advice implements connector.Adviser.
func (c *CRM) Advice(code string) string { return advices.Advice(code) }

var (
	_ connector.CRM[Request]       = (*CRM)(nil)
	_ connector.Linker             = (*CRM)(nil)
	_ connector.FileTaker          = (*CRM)(nil)
	_ connector.StatusWriter       = (*CRM)(nil)
	_ connector.ConversationWriter = (*CRM)(nil)
	_ connector.Adviser            = (*CRM)(nil)
)
