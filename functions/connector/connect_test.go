package connector_test

import (
	"context"
	"strings"
	"testing"

	"signalbox/functions/connector"
	"signalbox/shared/connect"
	"signalbox/shared/fault"
	"signalbox/shared/tenant"
)

// looking is a CRM that says what it was asked.
type looking struct{ err error }

func (l looking) Connect(_ context.Context, of connector.BindingKey, install bool, after string) (connect.Report, error) {
	var r connect.Report
	r.Add(of.CRM+" "+after, map[bool]connect.State{true: connect.Installed, false: connect.Missing}[install], "", "")
	return r, l.err
}

// configured is one tenant with three CRMs of two kinds.
type configured struct{ err error }

func (c configured) Tenant(context.Context, string) (tenant.Tenant, error) {
	return tenant.Tenant{ID: "acme", Version: 7, CRMs: []tenant.CRM{{Name: "a", Kind: "one"}, {Name: "b", Kind: "two"}, {Name: "c", Kind: "one"}}}, c.err
}

func TestARequestToConnect(t *testing.T) {
	for sentence, c := range map[string]struct {
		request connect.Request
		tenant  error
		crm     error
		want    string // the findings, or the problem
		failed  string
	}{
		"of all of the kind":         {request: connect.Request{Action: "connect", Tenant: "acme"}, want: "acme/a/one/7 installed a , acme/c/one/7 installed c "},
		"of one, which goes on":      {request: connect.Request{Action: "connect", Tenant: "acme", CRM: "c", After: "x"}, want: "acme/c/one/7 installed c x"},
		"only to look":               {request: connect.Request{Action: "check", Tenant: "acme", CRM: "a"}, want: "acme/a/one/7 missing a "},
		"of another kind":            {request: connect.Request{Action: "connect", Tenant: "acme", CRM: "b"}, want: ""},
		"of one that is not there":   {request: connect.Request{Action: "connect", Tenant: "acme", CRM: "d"}, want: "crm d is none of the tenant's, which are a, b, c"},
		"of nobody":                  {request: connect.Request{Action: "connect"}, want: "tenant is missing: whose CRM, by the tenant's id"},
		"of a tenant unknown":        {request: connect.Request{Action: "connect", Tenant: "acme"}, tenant: tenant.ErrUnknown, want: "tenant acme is not known: apply its file first"},
		"while the store is down":    {request: connect.Request{Action: "connect", Tenant: "acme"}, tenant: fault.New(fault.Retryable, "store_down", nil), failed: "store_down"},
		"while something else fails": {request: connect.Request{Action: "connect", Tenant: "acme"}, crm: fault.New(fault.Retryable, "store_down", nil), failed: "store_down"},
	} {
		t.Run(sentence, func(t *testing.T) {
			opened := 0
			serve := connector.ConnectHandler("one", func() (connector.Tenants, connector.Connecter) {
				opened++
				return configured{c.tenant}, looking{c.crm}
			})
			result, err := serve(t.Context(), c.request)
			said := result.Problems
			for _, r := range result.Reports {
				said = append(said, r.Tenant+"/"+r.CRM+"/"+r.Kind+"/7 "+string(r.Findings[0].State)+" "+r.Findings[0].What)
			}
			switch {
			case c.failed != "":
				if err == nil || err.Error() != c.failed {
					t.Errorf("%v", err)
				}
			case err != nil || strings.Join(said, ", ") != c.want || opened > 1:
				t.Errorf("%q, %v", said, err)
			}
		})
	}
}
