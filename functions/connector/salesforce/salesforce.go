// Package salesforce carries deliveries into Salesforce: a person becomes a lead (a contact where the org has no leads), a
// message becomes a record of our own object and a task on the person's timeline, a consent change becomes fields of the
// person, and so does a reply, which also ends the person's cadences where the org has Sales Engagement. Person, message and
// task are upserts by external ids of ours in one composite graph: one call, all or nothing, and a repeat changes nothing. The
// API is described at https://developer.salesforce.com/docs/platform/api-rest/guide.
package salesforce

import (
	_ "embed"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"

	"signalbox/functions/connector"
	"signalbox/shared/telemetry"
)

// Options are what a CRM works with. All are required.
type Options struct {
	Bindings connector.Bindings[Binding]
	Client   *http.Client     // for every request; it never follows a redirect here, whatever its own policy
	Store    connector.Store  // where sessions are shared between processes
	Sealer   connector.Sealer // encrypts what is shared
	Logger   *slog.Logger
	Meter    *telemetry.Meter
}

// CRM is Salesforce, for every tenant. It is safe for concurrent use.
type CRM struct {
	options  Options
	api      *connector.API
	sessions *connector.Tokens
	jitter   func() float64
	mu       sync.Mutex
	usage    map[connector.BindingKey]usage // what an org last told of its daily limit
}

// usage is an org's daily limit.
type usage struct{ used, most int }

// New returns a CRM.
func New(o Options) *CRM {
	api := connector.NewAPI(Kind, o.Client, func(h http.Header) connector.Usage {
		told := usageOf(h)
		return connector.Usage{Daily: int64(told.most), Used: int64(told.used)}
	})
	return &CRM{
		options: o, api: api, jitter: rand.Float64, usage: map[connector.BindingKey]usage{},
		sessions: connector.NewTokens(Kind, o.Store, o.Sealer, o.Logger),
	}
}

// advices are what a person is to do about each code, and where Salesforce has it.
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
