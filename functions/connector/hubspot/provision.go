package hubspot

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"

	"signalbox/shared/fault"
	"signalbox/shared/telemetry"

	definitions "signalbox/functions/connector/hubspot/package"
)

// Provision installs the custom properties of package/ and their group in the portal of a binding. What is there already is compared with
// what is needed, so that it may be run again. A blocked fault "hubspot_property_differs" says that a property of that name
// is of another kind; the leads' property is only installed where the binding has leads, and the communications' key only
// where it has EngagementUpsert.
func Provision(ctx context.Context, client *http.Client, b Binding) error {
	b, r, err := b.check()
	if err != nil {
		return err
	}
	silent := Options{Client: client, Logger: slog.New(slog.DiscardHandler), Meter: telemetry.NewMeter(io.Discard, telemetry.Identity{})}
	p := &portal{crm: New(silent), binding: b, routes: r}
	for _, kind := range definitions.Objects() {
		if kind == leads && !b.Capabilities.Leads {
			continue
		}
		properties, err := definitions.Properties(kind)
		if err != nil {
			return err
		}
		err = p.call(ctx, http.MethodPost, p.routes.groups(kind), definitions.PropertyGroup(), nil)
		if err != nil && !fault.Is(err, codeConflict) {
			return fmt.Errorf("property group of %s: %w", kind, err)
		}
		for _, d := range properties {
			if kind == communications && d.HasUniqueValue && !b.Capabilities.EngagementUpsert {
				continue
			}
			d.Name = b.Properties.renamed(d.Name)
			if err := p.install(ctx, kind, d); err != nil {
				return fmt.Errorf("property %s of %s: %w", d.Name, kind, err)
			}
		}
	}
	return nil
}

func (p *portal) install(ctx context.Context, kind string, d definitions.Property) error {
	err := p.call(ctx, http.MethodPost, p.routes.properties+"/"+kind, d, nil)
	if !fault.Is(err, codeConflict) {
		return err
	}
	var held definitions.Property
	if err := p.call(ctx, http.MethodGet, p.routes.property(kind, d.Name), nil, &held); err != nil {
		return err
	}
	if held.Type != d.Type || held.HasUniqueValue != d.HasUniqueValue {
		return fault.New(fault.Blocked, "hubspot_property_differs", nil)
	}
	return nil
}

// renamed returns the portal's name of a property that package/ calls standard.
func (p Properties) renamed(standard string) string {
	names := reflect.ValueOf(p)
	for i := range names.NumField() {
		if names.Type().Field(i).Tag.Get("standard") == standard {
			return cmp.Or(names.Field(i).String(), standard)
		}
	}
	return standard
}
