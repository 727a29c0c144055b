package salesforce

import (
	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/tenant"
)

// Kind is what tenant.CRM.Kind says of a binding that this connector serves.
const Kind = "salesforce"

// Settings is the JSON object in tenant.CRM.Settings. ClientID and Username are required. Unknown members are ignored. The
// binding's token is the private key in PEM.
type Settings struct {
	ClientID        string `json:"clientId"`
	Username        string `json:"username"`
	LoginURL        string `json:"loginUrl"`
	Audience        string `json:"audience"`
	OrgID           string `json:"orgId"`           // the org that sessions are to be of, any where none is told
	Leads           *bool  `json:"leads"`           // false: new persons become contacts
	Tasks           *bool  `json:"tasks"`           // false: messages are records of our object alone
	TaskUpsert      *bool  `json:"taskUpsert"`      // false for an org that refuses an external id on activities
	AllowDuplicates bool   `json:"allowDuplicates"` // save although a duplicate rule warns
	AssignLeads     *bool  `json:"assignLeads"`     // false: the active assignment rule does not give out new leads, and the integration user has them
	SalesEngagement bool   `json:"salesEngagement"` // end running cadences when the person replies
	Package         int    `json:"package"`         // the release of package/ that is deployed, 1 where none is told
	CountryCodes    bool   `json:"countryCodes"`    // State and Country/Territory Picklists are on, which give addresses codes of countries
}

// NewTenantBindings returns the bindings that tenants have configured.
func NewTenantBindings(tenants connector.Tenants) *connector.TenantBindings[Settings, Binding] {
	return connector.NewTenantBindings(Kind, tenants, func(crm tenant.CRM, s Settings, work []delivery.Action) Binding {
		unless := func(set *bool) bool { return set == nil || *set }
		return Binding{
			BaseURL: crm.BaseURL, Version: crm.APIVersion, LoginURL: s.LoginURL, Audience: s.Audience,
			ClientID: s.ClientID, Username: s.Username, Key: crm.Token, OrgID: s.OrgID,
			Package: s.Package, Settings: crm.Settings, Work: work,
			Capabilities: Capabilities{
				Leads: unless(s.Leads), Tasks: unless(s.Tasks), TaskUpsert: unless(s.TaskUpsert), AllowDuplicates: s.AllowDuplicates,
				AssignLeads: unless(s.AssignLeads), SalesEngagement: s.SalesEngagement, CountryCodes: s.CountryCodes,
			},
		}
	})
}
