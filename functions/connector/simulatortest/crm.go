package simulatortest

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// CRM is a CRM and its simulator as Go values, for tests of the whole pipeline.
type CRM struct {
	Simulator func(limit int) http.Handler // that takes so many requests at once, in the CRM's own measure; 0 is no limit
	Deliver   func(Parts, connector.Options) queue.Handler
	Statuses  func(Parts) connector.StatusWriter
	Connect   func(Parts) connector.Connecter // nil: everything that a binding may name is there
	Width     int                             // how many statuses go into one call
	Pause     time.Duration                   // between two calls for statuses
}

// Parts are what a CRM's process is made of.
type Parts struct {
	Tenants connector.Tenants
	Client  *http.Client
	Store   interface {
		Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
		Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
	}
	Box    *keyring.Box
	Logger *slog.Logger
	Meter  *telemetry.Meter
}
