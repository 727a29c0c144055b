package hubspot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"signalbox/shared/tenant"
)

// errNoPortal is a tenant file without a CRM of this kind.
var errNoPortal = errors.New("the file has no CRM of the kind " + Kind)

// inFile is the tenant of a file.
type inFile tenant.Tenant

// Tenant implements connector.Tenants.
func (f inFile) Tenant(context.Context, string) (tenant.Tenant, error) { return tenant.Tenant(f), nil }

// Install provisions each portal that a tenant's file names, and writes a line to out for each. It may be repeated. An error names the
// binding and holds nothing of the file's values.
func Install(ctx context.Context, out io.Writer, client *http.Client, file []byte) error {
	content, err := tenant.Decode(file)
	if err != nil {
		return err
	}
	var known inFile
	for _, c := range content.Tenant.CRMs {
		if c.Kind == Kind {
			known.CRMs = append(known.CRMs, c)
		}
	}
	if len(known.CRMs) == 0 {
		return errNoPortal
	}
	for _, c := range known.CRMs {
		b, err := NewTenantBindings(known).Binding(ctx, content.Tenant.ID, c.Name)
		if err == nil {
			err = Provision(ctx, client, b)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		if _, err := fmt.Fprintf(out, "%s: every property is there\n", c.Name); err != nil {
			return err
		}
	}
	return nil
}
