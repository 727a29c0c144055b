package hubspot_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"

	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/tenant"
)

func TestAPortalWithAnOlderPackageGetsNoPropertyItLacks(t *testing.T) {
	s := simulator.New(simulator.Options{Token: token})
	b := portal()
	b.Package = 0
	b.Properties.AdID = "acme_ad" // named in vain
	d := newcomer(1)
	d.Person.Phone, d.Event.Sender = "", canonical.Participant{ID: "whatsapp:US.9", ChannelAddress: "US.9"}
	d.Event.Attribution = &canonical.Attribution{SourceType: "ad", SourceID: "1", ClickID: "2"}
	_, errs := connectortest.Carry(t.Context(), newCRM(b, simulator.Transport(s), slog.New(slog.DiscardHandler)), d)
	none(t, errs)
	for _, object := range []string{"contacts", "communications"} {
		records, _ := s.Records(object)
		for name := range records[0].Properties {
			if strings.HasPrefix(name, "msg_ad") {
				t.Errorf("%s has %s", object, name)
			}
		}
	}
}

// tenants returns one tenant.
type tenants struct {
	crm tenant.CRM
	err error
}

func (f tenants) Tenant(context.Context, string) (tenant.Tenant, error) {
	return tenant.Tenant{ID: tenantID, CRMs: []tenant.CRM{f.crm}}, f.err
}

func TestBindingsAreReadFromTheTenant(t *testing.T) {
	good := tenant.CRM{Name: "hubspot", Kind: "hubspot", BaseURL: "https://api.hubapi.com", Token: token, APIVersion: "2026-09"}
	cases := map[string]struct {
		change   func(*tenants)
		settings string
		want     hubspot.Capabilities
		release  int
		code     string
	}{
		"no settings":             {want: hubspot.Capabilities{EngagementUpsert: true}},
		"with leads":              {settings: `{"leads":true}`, want: hubspot.Capabilities{Leads: true, EngagementUpsert: true}},
		"a newer package":         {settings: `{"package":2}`, want: hubspot.Capabilities{EngagementUpsert: true}, release: 2},
		"no unique property":      {settings: `{"engagementUpsert":false}`},
		"settings beyond reading": {settings: `{"leads":"yes"}`, code: "hubspot_settings_invalid"},
		"another kind of CRM":     {change: func(f *tenants) { f.crm.Kind = "salesforce" }, code: "hubspot_not_bound"},
		"another name":            {change: func(f *tenants) { f.crm.Name = "other" }, code: "hubspot_not_bound"},
		"an unknown tenant":       {change: func(f *tenants) { f.err = tenant.ErrUnknown }, code: "hubspot_tenant_unknown"},
		"a store that is down":    {change: func(f *tenants) { f.err = fault.New(fault.Retryable, "store", nil) }, code: "store"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := tenants{crm: good}
			f.crm.Settings = json.RawMessage(c.settings)
			if c.change != nil {
				c.change(&f)
			}
			got, err := hubspot.NewTenantBindings(f).Binding(t.Context(), tenantID, "hubspot")
			switch {
			case c.code != "" && (err == nil || fault.Of(err).Code != c.code):
				t.Errorf("error %v, want %s", err, c.code)
			case c.code == "" && (err != nil || got.Capabilities != c.want || got.Package != c.release || got.Version != "2026-09"):
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestABindingThatCannotWorkBlocks(t *testing.T) {
	for name, tt := range map[string]struct {
		code   string
		change func(*hubspot.Binding)
	}{
		"no host":                         {"hubspot_base_url_invalid", func(b *hubspot.Binding) { b.BaseURL = "api.hubapi.com" }},
		"no token":                        {"hubspot_token_missing", func(b *hubspot.Binding) { b.Token = "" }},
		"a token that no header can hold": {"hubspot_token_invalid", func(b *hubspot.Binding) { b.Token = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" }},
		"a token with a blank":            {"hubspot_token_invalid", func(b *hubspot.Binding) { b.Token = "a b" }},
		"a version that is not there":     {"hubspot_version_unknown", func(b *hubspot.Binding) { b.Version = "2031-01" }},
		"a token that is refused":         {"hubspot_unauthenticated", func(b *hubspot.Binding) { b.Token = "another" }},
	} {
		b := portal()
		tt.change(&b)
		s := simulator.New(simulator.Options{Token: token})
		_, errs := connectortest.Carry(t.Context(), newCRM(b, simulator.Transport(s), slog.New(slog.DiscardHandler)), message(1, delivery.LogActivity))
		if f := fault.Of(errs[0]); errs[0] == nil || f.Kind != fault.Blocked || f.Code != tt.code {
			t.Errorf("%s: %v, want %s", name, errs[0], tt.code)
		}
	}
}

// TestEveryVersionThatATenantsFileMayNameIsServed reads the list that files are checked with.
func TestEveryVersionThatATenantsFileMayNameIsServed(t *testing.T) {
	data, err := os.ReadFile("crm.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct{ APIVersion struct{ Enum []string } }
	}
	if err := json.Unmarshal(data, &schema); err != nil || len(schema.Properties.APIVersion.Enum) < 3 {
		t.Fatal(schema, err)
	}
	for _, version := range schema.Properties.APIVersion.Enum {
		b := portal()
		b.Version = version
		s := simulator.New(simulator.Options{Token: token})
		_, errs := connectortest.Carry(t.Context(), newCRM(b, simulator.Transport(s), slog.New(slog.DiscardHandler)), message(1, delivery.LogActivity))
		if errs[0] != nil && fault.Of(errs[0]).Code == "hubspot_version_unknown" {
			t.Errorf("%s is not served", version)
		}
	}
}
