package connector

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/tenant"
)

// BindingKey names one CRM of one tenant.
type BindingKey struct{ Tenant, CRM string }

// KeyOf returns where a delivery goes.
func KeyOf(d delivery.Delivery) BindingKey { return BindingKey{d.Event.TenantID, d.CRM} }

// Tenants looks tenants up; *tenant.Directory does.
type Tenants interface {
	Tenant(ctx context.Context, id string) (tenant.Tenant, error)
}

// Directory is Tenants that can be read again; *tenant.Directory is one.
type Directory interface {
	Tenants
	// Renew reads what a tenant has configured now, whatever was read before, and reports whether that has changed. An error leaves in force what was.
	Renew(ctx context.Context, id string) (changed bool, err error)
}

// tenantOf returns whose a binding is, as far as in knows: for what a message does without where it is not known. In may be nil.
func tenantOf(ctx context.Context, in Tenants, of BindingKey) tenant.Tenant {
	if in == nil {
		return tenant.Tenant{}
	}
	found, err := in.Tenant(ctx, of.Tenant)
	if err != nil {
		return tenant.Tenant{}
	}
	return found
}

// Bindings returns what a tenant has set up for one of its CRMs, as a B; the name is delivery.Delivery.CRM. Errors are sorted by package fault.
type Bindings[B any] interface {
	Binding(ctx context.Context, tenantID, name string) (B, error)
}

// TenantBindings are the bindings to CRMs of a kind that tenants have configured. S is the JSON object in tenant.CRM.Settings.
type TenantBindings[S, B any] struct {
	kind    string
	tenants Tenants
	binding func(crm tenant.CRM, settings S, work []delivery.Action) B
}

// NewTenantBindings returns the bindings that tenants have configured. Binding makes one of a CRM, its settings and the work that the tenant's rules ask it for.
func NewTenantBindings[S, B any](kind string, tenants Tenants, binding func(crm tenant.CRM, settings S, work []delivery.Action) B) *TenantBindings[S, B] {
	return &TenantBindings[S, B]{kind, tenants, binding}
}

// Binding implements Bindings. A tenant without such a binding, or whose settings cannot be read, is blocked: nothing is wrong with the message.
func (t *TenantBindings[S, B]) Binding(ctx context.Context, tenantID, name string) (none B, err error) {
	found, err := t.tenants.Tenant(ctx, tenantID)
	if errors.Is(err, tenant.ErrUnknown) {
		return none, fault.New(fault.Blocked, t.kind+"_tenant_unknown", err)
	}
	if err != nil {
		return none, err
	}
	crm, ok := found.CRM(name)
	if !ok || crm.Kind != t.kind {
		return none, fault.New(fault.Blocked, t.kind+"_not_bound", nil)
	}
	var settings S
	if len(crm.Settings) > 0 && json.Unmarshal(crm.Settings, &settings) != nil {
		return none, fault.New(fault.Blocked, t.kind+"_settings_invalid", nil)
	}
	return t.binding(crm, settings, found.Rules.Work(name)), nil
}

// IsOrigin reports whether an address is one that paths can be put behind. Which may be reached, and how, the HTTP client decides.
func IsOrigin(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.HasSuffix(u.Path, "/") {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http"
}
