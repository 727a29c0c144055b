package tenant

import (
	"context"
	"fmt"

	"signalbox/shared/canonical"
	"signalbox/shared/secret"
)

// Peppers returns each tenant's pepper, derived from the platform's one secret.
type Peppers struct {
	source secret.Source
	name   string
}

// NewPeppers returns the peppers derived from the secret of this name.
func NewPeppers(source secret.Source, name string) *Peppers { return &Peppers{source, name} }

// Pepper returns a tenant's pepper. Only the secret's first version is used: another one would change every thread and
// person key, so that a platform pepper is never rotated in place.
func (p *Peppers) Pepper(ctx context.Context, tenant string) (canonical.Pepper, error) {
	versions, err := p.source.Secret(ctx, p.name)
	if err != nil {
		return canonical.Pepper{}, fmt.Errorf("platform pepper: %w", err)
	}
	return canonical.NewPepper(versions[0], tenant), nil
}
