package hubspot

import (
	"context"

	"signalbox/functions/connector"
)

// Kind is what tenant.CRM.Kind says of a binding that this connector serves.
const Kind = "hubspot"

// TenantBindings are the bindings that tenants have configured.
type TenantBindings struct{ tenants connector.Tenants }

// NewTenantBindings returns the bindings that tenants have configured.
func NewTenantBindings(tenants connector.Tenants) *TenantBindings { return &TenantBindings{tenants} }

// Settings is the JSON object in tenant.CRM.Settings, all of it optional. Unknown members are ignored.
type Settings struct {
	Leads            bool       `json:"leads"`            // create lead records
	EngagementUpsert *bool      `json:"engagementUpsert"` // false for a portal that refuses a unique property on communications
	LeadType         string     `json:"leadType"`
	PortalID         int64      `json:"portalId"`   // the portal that the token is to be of, any where none is told
	Properties       Properties `json:"properties"` // names that differ from package/
	Package          int        `json:"package"`    // the release of package/ that is installed, 1 where none is told
}

// Binding implements Bindings.
func (t *TenantBindings) Binding(ctx context.Context, tenantID, name string) (Binding, error) {
	var s Settings
	of := connector.BindingKey{Tenant: tenantID, CRM: name}
	crm, err := connector.ReadBinding(ctx, t.tenants, Kind, of, &s)
	if err != nil {
		return Binding{}, err
	}
	work, err := connector.ReadWork(ctx, t.tenants, of)
	if err != nil {
		return Binding{}, err
	}
	return Binding{
		BaseURL:  crm.BaseURL,
		Token:    crm.Token,
		Version:  crm.APIVersion,
		LeadType: s.LeadType,
		PortalID: s.PortalID,
		Package:  s.Package,
		Capabilities: Capabilities{
			Leads:            s.Leads,
			EngagementUpsert: s.EngagementUpsert == nil || *s.EngagementUpsert,
		},
		Properties: s.Properties,
		Settings:   crm.Settings,
		Work:       work,
	}, nil
}
