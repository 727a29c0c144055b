// Package keys wraps data keys, and seals values with them. All but the wrapping is local computation with an unwrapped key.
package keys

import "context"

// Binding is authenticated with a wrapped key: it opens only under the same one.
type Binding struct{ Tenant, Purpose string }

// Keys is the port: two calls, both rare (one a tenant, purpose and process start). A plain key has 32 bytes.
type Keys interface {
	New(ctx context.Context, b Binding) (plain, wrapped []byte, err error)
	Open(ctx context.Context, b Binding, wrapped []byte) (plain []byte, err error)
}
