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

// ReadBinding returns what a tenant has configured under a name for a CRM of a kind, and reads the settings, if there are any, into
// settings. A tenant without such a binding, or whose settings cannot be read, is blocked: nothing is wrong with the message.
func ReadBinding(ctx context.Context, tenants Tenants, kind string, of BindingKey, settings any) (tenant.CRM, error) {
	found, err := tenants.Tenant(ctx, of.Tenant)
	if errors.Is(err, tenant.ErrUnknown) {
		return tenant.CRM{}, fault.New(fault.Blocked, kind+"_tenant_unknown", err)
	}
	if err != nil {
		return tenant.CRM{}, err
	}
	crm, ok := found.CRM(of.CRM)
	if !ok || crm.Kind != kind {
		return tenant.CRM{}, fault.New(fault.Blocked, kind+"_not_bound", nil)
	}
	if len(crm.Settings) > 0 && json.Unmarshal(crm.Settings, settings) != nil {
		return tenant.CRM{}, fault.New(fault.Blocked, kind+"_settings_invalid", nil)
	}
	return crm, nil
}

// ReadWork returns the work that a tenant's rules ask a CRM for.
func ReadWork(ctx context.Context, tenants Tenants, of BindingKey) ([]delivery.Action, error) {
	found, err := tenants.Tenant(ctx, of.Tenant)
	return found.Rules.Work(of.CRM), err
}

// IsOrigin reports whether an address is one that paths can be put behind. Which may be reached, and how, the HTTP client decides.
func IsOrigin(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || strings.HasSuffix(u.Path, "/") {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http"
}
