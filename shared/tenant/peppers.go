package tenant

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"signalbox/shared/canonical"
	"signalbox/shared/secret"
)

// Peppers returns each tenant's pepper: the secret key that addresses are hashed with, derived from the platform's one secret.
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

// mark returns what a key of any tenant is known by in a record that does not hold it: a MAC, for a bare hash could be tried against
// a key that somebody has found. What it is made from is longer than the id of any tenant, so that it is no tenant's pepper.
func (p *Peppers) mark(ctx context.Context, key []byte) (string, error) {
	versions, err := p.source.Secret(ctx, p.name)
	if err != nil {
		return "", fmt.Errorf("platform pepper: %w", err)
	}
	h := hmac.New(sha256.New, []byte(versions[0]))
	_, _ = h.Write(append([]byte("the mark of a tenant's signing key\x00"), key...)) // a hash never fails
	return hex.EncodeToString(h.Sum(nil)), nil
}
