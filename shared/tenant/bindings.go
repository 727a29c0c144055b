package tenant

import (
	"context"
	"errors"

	"signalbox/shared/fault"
)

// Bindings tells of what kind tenants' CRMs are. It reads no credentials, so that whoever uses it needs no key.
type Bindings struct{ records Records }

// NewBindings returns the Bindings of the configuration table.
func NewBindings(records Records) *Bindings { return &Bindings{records} }

// Kinds returns the kinds of a tenant's CRMs by the names of their bindings, as the configuration in force has them. Of a tenant
// that is not configured there are none.
func (b *Bindings) Kinds(ctx context.Context, tenant string) (map[string]string, error) {
	d, err := readCurrent(ctx, b.records, tenant)
	if errors.Is(err, errInvalid) {
		return nil, fault.New(fault.Blocked, CodeInvalid, errInvalid)
	}
	if err != nil || d.Format == 0 {
		return nil, err
	}
	kinds := map[string]string{}
	for _, m := range d.Content.Tenant.CRMs {
		kinds[m.Name] = m.Kind
	}
	return kinds, nil
}
