// Package secret is how credentials travel through the code: a type that does not print, and the port that reads the
// platform's few secrets.
package secret

import (
	"context"
	"log/slog"
)

// Value is a credential. It prints as <secret> by every verb of fmt, in slog and in JSON; string(v) is the credential.
type Value string

const printed = "<secret>"

// String returns <secret>.
func (Value) String() string { return printed }

// GoString returns <secret>.
func (Value) GoString() string { return printed }

// LogValue returns <secret>.
func (Value) LogValue() slog.Value { return slog.StringValue(printed) }

// MarshalText returns <secret>, so that no JSON encoder writes a credential by accident.
func (Value) MarshalText() ([]byte, error) { return []byte(printed), nil }

// Versions are the values that are accepted now; the first is the one to send with. It is never empty.
type Versions []Value

// Source is the port. A name is what the deployment calls the secret (an ARN, say).
type Source interface {
	Secret(ctx context.Context, name string) (Versions, error)
}
