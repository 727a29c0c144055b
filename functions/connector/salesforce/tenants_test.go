package salesforce_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"signalbox/functions/connector/salesforce"
	"signalbox/shared/fault"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// tenants returns one tenant, or an error.
type tenants struct {
	known tenant.Tenant
	err   error
}

func (t tenants) Tenant(context.Context, string) (tenant.Tenant, error) { return t.known, t.err }

func bindings(kind, settings string) tenants {
	return tenants{known: tenant.Tenant{CRMs: []tenant.CRM{{
		Name: "sf", Kind: kind, BaseURL: "https://acme.example", APIVersion: "v66.0", Token: "key", Settings: json.RawMessage(settings),
	}}}}
}

func TestBindingsComeFromTheTenantsSettings(t *testing.T) {
	bound := salesforce.Binding{
		BaseURL: "https://acme.example", Version: "v66.0", ClientID: "c", Username: "u", Key: "key",
		Capabilities: salesforce.Capabilities{Leads: true, Tasks: true, TaskUpsert: true, AssignLeads: true},
	}
	changed := bound
	changed.LoginURL, changed.Audience = "https://test.salesforce.com", "https://test.salesforce.com"
	changed.Capabilities = salesforce.Capabilities{AllowDuplicates: true, SalesEngagement: true, CountryCodes: true}
	changed.Package = 2
	outage := errors.New("the store is away")
	cases := map[string]struct {
		tenants tenants
		want    salesforce.Binding
		code    string // of a blocked fault
	}{
		"what has to be said": {bindings("salesforce", `{"clientId":"c","username":"u","later":1}`), bound, ""},
		"all that can be said": {bindings("salesforce", `{"clientId":"c","username":"u","loginUrl":"https://test.salesforce.com","audience":"https://test.salesforce.com",
			"leads":false,"tasks":false,"taskUpsert":false,"allowDuplicates":true,"assignLeads":false,"salesEngagement":true,"countryCodes":true,"package":2}`), changed, ""},
		"settings of another shape":  {bindings("salesforce", `{"leads":"yes"}`), salesforce.Binding{}, "salesforce_settings_invalid"},
		"another CRM of that name":   {bindings("hubspot", `{}`), salesforce.Binding{}, "salesforce_not_bound"},
		"no CRM of that name":        {tenants{}, salesforce.Binding{}, "salesforce_not_bound"},
		"a tenant that nobody knows": {tenants{err: tenant.ErrUnknown}, salesforce.Binding{}, "salesforce_tenant_unknown"},
		"the store is away":          {tenants{err: outage}, salesforce.Binding{}, fault.CodeUnsorted},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := salesforce.NewTenantBindings(c.tenants).Binding(t.Context(), "demo", "sf")
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(got, "Settings")); diff != "" {
				t.Error(diff)
			}
			switch f := fault.Of(err); {
			case c.code == "" && err != nil, c.code != "" && (f == nil || f.Code != c.code):
				t.Errorf("%v, want %q", err, c.code)
			case c.code != "" && c.code != fault.CodeUnsorted && f.Kind != fault.Blocked:
				t.Errorf("%s is %s", c.code, f.Kind)
			}
		})
	}
}
