package hubspot

import (
	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/tenant"
)

// Kind is what tenant.CRM.Kind says of a binding that this connector serves.
const Kind = "hubspot"

// Settings is the JSON object in tenant.CRM.Settings, all of it optional. Unknown members are ignored.
type Settings struct {
	Leads            bool       `json:"leads"`            // create lead records
	EngagementUpsert *bool      `json:"engagementUpsert"` // false for a portal that refuses a unique property on communications
	LeadType         string     `json:"leadType"`
	PortalID         int64      `json:"portalId"`   // the portal that the token is to be of, any where none is told
	Properties       Properties `json:"properties"` // names that differ from package/
	Package          int        `json:"package"`    // the release of package/ that is installed, 1 where none is told
}

// NewTenantBindings returns the bindings that tenants have configured.
func NewTenantBindings(tenants connector.Tenants) *connector.TenantBindings[Settings, Binding] {
	return connector.NewTenantBindings(Kind, tenants, func(crm tenant.CRM, s Settings, work []delivery.Action) Binding {
		return Binding{
			BaseURL: crm.BaseURL, Token: crm.Token, Version: crm.APIVersion, LeadType: s.LeadType, PortalID: s.PortalID, Package: s.Package,
			Capabilities: Capabilities{Leads: s.Leads, EngagementUpsert: s.EngagementUpsert == nil || *s.EngagementUpsert},
			Properties:   s.Properties, Settings: crm.Settings, Work: work,
		}
	})
}
