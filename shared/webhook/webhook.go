// Package webhook is an HTTP exchange without a server: what a provider sent, byte for byte, and what it is answered. It
// is what adapters work on, so that they know neither API Gateway nor net/http.
package webhook

import (
	"net/http"
	"time"
)

// Request is what was received. Body holds the bytes that were signed (transport encodings such as base64 are undone).
type Request struct {
	Method   string
	Path     string // as routed, starting with "/", without the query
	RawQuery string // byte for byte as received, without "?"
	Header   http.Header
	Body     []byte
	Received time.Time
}

// Response is what the provider is answered. A nil Body is an empty one.
type Response struct {
	Status      int
	ContentType string
	Header      map[string]string // others, nil for none
	Body        []byte
}
