package connector

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"signalbox/shared/connect"
	"signalbox/shared/fault"
	"signalbox/shared/hosts"
	"signalbox/shared/tenant"
)

// ConnectAttempt is how long one request of a Connecter may take.
const ConnectAttempt = 10 * time.Second

// Connecter is a CRM that can be looked at, and be given what its package has.
type Connecter interface {
	// Connect looks at what a binding names and returns how everything stands that deliveries need, in the same order each time. With
	// install what is missing is installed, unless something was refused: then nothing is. Where all is there nothing is written. After
	// is what the report before said, to go on. What the CRM says is a finding; an error is sorted by package fault and not the CRM's.
	Connect(ctx context.Context, of BindingKey, install bool, after string) (connect.Report, error)
}

// ConnectHandler returns what carries out requests to connect or check CRMs of a kind. Open is called once a request: it returns the tenants as they are
// configured now, not as they were some minutes ago, and the CRM for them, nil if it is no Connecter.
func ConnectHandler(kind string, open func() (Tenants, Connecter)) func(context.Context, connect.Request) (connect.Result, error) {
	return func(ctx context.Context, r connect.Request) (connect.Result, error) {
		tenants, crm := open()
		if problem := unfit(kind, r, crm); problem != "" {
			return connect.Refuse(problem), nil
		}
		found, problem, err := named(ctx, tenants, r)
		if err != nil {
			return connect.Result{}, errors.New(fault.Of(err).Code)
		}
		if problem != "" {
			return connect.Refuse(problem), nil
		}
		result := connect.Result{Reports: []connect.Report{}}
		for _, bound := range found.CRMs {
			if bound.Kind != kind || r.CRM != "" && r.CRM != bound.Name {
				continue
			}
			report, err := crm.Connect(ctx, BindingKey{r.Tenant, bound.Name}, r.Action == connect.Connect, r.After)
			if err != nil {
				return connect.Result{}, errors.New(fault.Of(err).Code)
			}
			report.Tenant, report.CRM, report.Kind, report.Version = r.Tenant, bound.Name, kind, found.Version
			result.Reports = append(result.Reports, report)
		}
		return result, nil
	}
}

// named returns the tenant of a request, or what is wrong with the names in it.
func named(ctx context.Context, tenants Tenants, r connect.Request) (found tenant.Tenant, problem string, err error) {
	found, err = tenants.Tenant(ctx, r.Tenant)
	switch {
	case errors.Is(err, tenant.ErrUnknown):
		return found, "tenant " + r.Tenant + " is not known: apply its file first", nil
	case err == nil && r.CRM != "" && !slices.Contains(found.CRMNames(), r.CRM):
		return found, "crm " + r.CRM + " is none of the tenant's, which are " + strings.Join(found.CRMNames(), ", "), nil
	}
	return found, "", err
}

// unfit returns what is wrong with a request, "" for nothing.
func unfit(kind string, r connect.Request, crm Connecter) string {
	switch {
	case r.Tenant == "":
		return "tenant is missing: whose CRM, by the tenant's id"
	case crm == nil:
		return "a CRM of the kind " + kind + " is connected by hand, as its package says"
	}
	return ""
}

// OfCRM reports whether an error is what a CRM of a kind, its address or its binding is refused for, and nothing of ours.
func OfCRM(kind string, err error) bool {
	f := fault.Of(err)
	return f != nil && (strings.HasPrefix(f.Code, kind+"_") || f.Code == hosts.CodeRefused)
}
