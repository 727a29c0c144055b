package salesforce

import (
	"context"
	"encoding/json"
	"errors"

	"signalbox/shared/fault"
	"signalbox/shared/tenant"
)

// Kind is what tenant.CRM.Kind says of a binding that this connector serves.
const Kind = "salesforce"

// Tenants looks tenants up; *tenant.Directory does.
type Tenants interface {
	Tenant(ctx context.Context, id string) (tenant.Tenant, error)
}

// TenantBindings are the bindings that tenants have configured.
type TenantBindings struct{ tenants Tenants }

// NewTenantBindings returns the bindings that tenants have configured.
func NewTenantBindings(tenants Tenants) *TenantBindings { return &TenantBindings{tenants} }

// Settings is the JSON object in tenant.CRM.Settings. ClientID and Username are required. Unknown members are ignored. The
// binding's token is the private key in PEM.
type Settings struct {
	ClientID        string `json:"clientId"`
	Username        string `json:"username"`
	LoginURL        string `json:"loginUrl"`
	Audience        string `json:"audience"`
	Leads           *bool  `json:"leads"`           // false: new persons become contacts
	Tasks           *bool  `json:"tasks"`           // false: messages are records of our object alone
	TaskUpsert      *bool  `json:"taskUpsert"`      // false for an org that refuses an external id on activities
	AllowDuplicates bool   `json:"allowDuplicates"` // save although a duplicate rule warns
	AssignLeads     bool   `json:"assignLeads"`     // the active assignment rule gives out new leads; otherwise the integration user has them
	SalesEngagement bool   `json:"salesEngagement"` // end running cadences when the person replies
	Package         int    `json:"package"`         // the release of package/ that is deployed, 1 where none is told
	CountryCodes    bool   `json:"countryCodes"`    // State and Country/Territory Picklists are on, which give addresses codes of countries
}

// Binding returns a tenant's binding of this name. A tenant without one, or one whose settings cannot be read, is blocked:
// nothing is wrong with the message.
func (t *TenantBindings) Binding(ctx context.Context, tenantID, name string) (Binding, error) {
	found, err := t.tenants.Tenant(ctx, tenantID)
	if errors.Is(err, tenant.ErrUnknown) {
		return Binding{}, fault.New(fault.Blocked, "salesforce_tenant_unknown", err)
	}
	if err != nil {
		return Binding{}, err
	}
	crm, ok := found.CRM(name)
	if !ok || crm.Kind != Kind {
		return Binding{}, fault.New(fault.Blocked, "salesforce_not_bound", nil)
	}
	var s Settings
	if len(crm.Settings) > 0 {
		if err := json.Unmarshal(crm.Settings, &s); err != nil {
			return Binding{}, fault.New(fault.Blocked, "salesforce_settings_invalid", nil)
		}
	}
	unless := func(set *bool) bool { return set == nil || *set }
	return Binding{
		BaseURL: crm.BaseURL, Version: crm.APIVersion, LoginURL: s.LoginURL, Audience: s.Audience,
		ClientID: s.ClientID, Username: s.Username, Key: crm.Token,
		Package: s.Package,
		Capabilities: Capabilities{
			Leads: unless(s.Leads), Tasks: unless(s.Tasks), TaskUpsert: unless(s.TaskUpsert), AllowDuplicates: s.AllowDuplicates,
			AssignLeads: s.AssignLeads, SalesEngagement: s.SalesEngagement, CountryCodes: s.CountryCodes,
		},
	}, nil
}
