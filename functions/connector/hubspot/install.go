package hubspot

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"signalbox/functions/connector"
	"signalbox/shared/connect"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// inFile is the tenant of a file.
type inFile tenant.Tenant

// Tenant implements connector.Tenants.
func (f inFile) Tenant(context.Context, string) (tenant.Tenant, error) { return tenant.Tenant(f), nil }

// Errors of Install.
var (
	errNoPortal = errors.New("the file has no CRM of the kind " + Kind)
	errLacks    = errors.New("something is missing or refused")
)

// Install connects each portal that a tenant's file names, before the file is applied, and writes the reports to out.
func Install(ctx context.Context, out io.Writer, client *http.Client, file []byte) error {
	content, err := tenant.Decode(file)
	if err != nil {
		return err
	}
	known := inFile{ID: content.Tenant.ID, CRMs: content.Tenant.CRMs}
	silent := Options{
		Bindings: NewTenantBindings(known), Client: client, Logger: slog.New(slog.DiscardHandler),
		Meter: telemetry.NewMeter(io.Discard, telemetry.Identity{}),
	}
	result, err := connector.ConnectHandler(Kind, func() (connector.Tenants, connector.Connecter) { return known, New(silent) })(
		ctx, connect.Request{Action: connect.Connect, Tenant: known.ID})
	if err == nil && len(result.Reports) == 0 {
		err = errNoPortal
	}
	for _, report := range result.Reports {
		if err := report.Write(out); err != nil {
			return err
		}
		if report.Lacks() {
			err = errLacks
		}
	}
	return err
}
