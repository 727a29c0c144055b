package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/fault"
)

// consentPolicy returns how a tenant reads what persons said.
func consentPolicy[S any](c Content[S]) consent.Policy {
	p := consent.DefaultPolicy()
	p.Brands = map[string]string{}
	for _, l := range c.Lines {
		p.Brands[l.ID] = l.Brand
	}
	set := c.Tenant.Consent
	if set == nil {
		return p
	}
	if set.Scope != "" {
		p.Scope = set.Scope
	}
	if set.Families != nil {
		p.Families = set.Families
	}
	if at, err := time.Parse(time.DateOnly, set.RevokeAll); err == nil {
		p.RevokeAll = at
	}
	return p
}

// consent checks what a schema does not say of the settings of consent.
func (v *validation) consent(f File) {
	set := f.Tenant.Consent
	if set == nil {
		return
	}
	held := map[canonical.Channel]bool{}
	for i, family := range set.Families {
		for k, channel := range family {
			v.want(!held[channel], fmt.Sprintf("tenant.consent.families[%d][%d]", i, k), "is in a family already")
			held[channel] = true
		}
	}
	_, err := time.Parse(time.DateOnly, set.RevokeAll)
	v.want(set.RevokeAll == "" || err == nil, "tenant.consent.revokeAll", "is not a day like 2027-01-31")
	for i, l := range f.Lines {
		v.want(set.Scope != consent.ScopeBrand || l.Brand != "", fmt.Sprintf("lines[%d].brand", i), "is missing, and tenant.consent.scope is brand")
	}
}

// Policy returns how a tenant that is configured reads what persons said, and its lines by their ids. Of one that is not, the error is
// ErrUnknown.
func (b *Bindings) Policy(ctx context.Context, tenant string) (consent.Policy, map[string]consent.Line, error) {
	d, err := readCurrent(ctx, b.records, tenant)
	if errors.Is(err, errInvalid) {
		return consent.Policy{}, nil, fault.New(fault.Blocked, CodeInvalid, errInvalid)
	}
	if err != nil {
		return consent.Policy{}, nil, err
	}
	if d.Format == 0 {
		return consent.Policy{}, nil, ErrUnknown
	}
	lines, tells := map[string]consent.Line{}, map[string]string{}
	for _, a := range d.Content.Accounts {
		if a.ConsentURL != "" {
			tells[a.ID] = a.ID
		}
	}
	for _, l := range d.Content.Lines {
		lines[l.ID] = consent.Line{Channels: l.Channels, Tells: tells[l.Account]}
	}
	return consentPolicy(d.Content), lines, nil
}
