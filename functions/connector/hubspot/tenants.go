package hubspot

import (
	"context"
	"encoding/json"
	"errors"

	"signalbox/shared/fault"
	"signalbox/shared/tenant"
)

// Kind is what tenant.CRM.Kind says of a binding that this connector serves.
const Kind = "hubspot"

// Tenants looks tenants up; *tenant.Directory does.
type Tenants interface {
	Tenant(ctx context.Context, id string) (tenant.Tenant, error)
}

// TenantBindings are the bindings that tenants have configured.
type TenantBindings struct{ tenants Tenants }

// NewTenantBindings returns the bindings that tenants have configured.
func NewTenantBindings(tenants Tenants) *TenantBindings { return &TenantBindings{tenants} }

// Settings is the JSON object in tenant.CRM.Settings, all of it optional. Unknown members are ignored.
type Settings struct {
	Leads            bool       `json:"leads"`            // create lead records
	EngagementUpsert *bool      `json:"engagementUpsert"` // false for a portal that refuses a unique property on communications
	LeadType         string     `json:"leadType"`
	Properties       Properties `json:"properties"` // names that differ from package/
	Package          int        `json:"package"`    // the release of package/ that is installed, 1 where none is told
}

// Binding returns a tenant's binding of this name. A tenant without one, or one whose settings cannot be read, is blocked:
// nothing is wrong with the message.
func (t *TenantBindings) Binding(ctx context.Context, tenantID, name string) (Binding, error) {
	found, err := t.tenants.Tenant(ctx, tenantID)
	if errors.Is(err, tenant.ErrUnknown) {
		return Binding{}, fault.New(fault.Blocked, "hubspot_tenant_unknown", err)
	}
	if err != nil {
		return Binding{}, err
	}
	crm, ok := found.CRM(name)
	if !ok || crm.Kind != Kind {
		return Binding{}, fault.New(fault.Blocked, "hubspot_not_bound", nil)
	}
	var s Settings
	if len(crm.Settings) > 0 {
		if err := json.Unmarshal(crm.Settings, &s); err != nil {
			return Binding{}, fault.New(fault.Blocked, "hubspot_settings_invalid", nil)
		}
	}
	return Binding{
		BaseURL:  crm.BaseURL,
		Token:    crm.Token,
		Version:  crm.APIVersion,
		LeadType: s.LeadType,
		Package:  s.Package,
		Capabilities: Capabilities{
			Leads:            s.Leads,
			EngagementUpsert: s.EngagementUpsert == nil || *s.EngagementUpsert,
		},
		Properties: s.Properties,
	}, nil
}
