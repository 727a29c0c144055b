// Package kms is a thin codec: the two calls of KMS that the product makes, over keys in memory. Everything else is refused.
// See https://docs.aws.amazon.com/kms/latest/APIReference/Welcome.html.
package kms

import (
	"context"
	"encoding/binary"
	"net/http"
	"strings"
	"sync"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/fault"
	"signalbox/shared/keys"
	"signalbox/shared/keys/memkeys"
)

// Prefix of X-Amz-Target.
const Prefix = "TrentService"

// Handler is the service. It is safe for concurrent use.
type Handler struct {
	service awsjson.Service
	keys    map[string]*memkeys.Keys

	mu    sync.Mutex
	calls map[string]int
}

// Option changes a Handler.
type Option func(*Handler)

// Refused tells of every request that was not understood: the client keeps no message of an error.
func Refused(tell func(message string)) Option {
	return func(h *Handler) { h.service.Refused = tell }
}

// New returns the service over keys by their id, ARN or alias, exactly as the client names them.
func New(held map[string]*memkeys.Keys, options ...Option) *Handler {
	h := &Handler{keys: held, calls: map[string]int{}}
	h.service = awsjson.Service{Prefix: Prefix, Version: "1.1", Handle: h.handle}
	for _, o := range options {
		o(h)
	}
	return h
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.service.ServeHTTP(w, r) }

// Calls returns how often an operation was called.
func (h *Handler) Calls(operation string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls[operation]
}

func (h *Handler) handle(ctx context.Context, operation string, body []byte) (any, error) {
	h.mu.Lock()
	h.calls[operation]++
	h.mu.Unlock()
	switch operation {
	case "GenerateDataKey":
		return h.generate(ctx, body)
	case "Decrypt":
		return h.decrypt(ctx, body)
	default:
		return nil, awsjson.NotUnderstood("%s", operation)
	}
}

// encryptionContext names the only two words the product authenticates.
type encryptionContext struct {
	Tenant  *string `json:"tenant"`
	Purpose *string `json:"purpose"`
}

func (c *encryptionContext) binding() (keys.Binding, error) {
	if c == nil || c.Tenant == nil || c.Purpose == nil {
		return keys.Binding{}, awsjson.NotUnderstood("an EncryptionContext without tenant and purpose")
	}
	return keys.Binding{Tenant: *c.Tenant, Purpose: *c.Purpose}, nil
}

func (h *Handler) generate(ctx context.Context, body []byte) (any, error) {
	in, err := awsjson.Read[struct {
		KeyId             string //nolint:revive // the API's name
		KeySpec           string
		EncryptionContext *encryptionContext
	}]("GenerateDataKey", body)
	if err != nil {
		return nil, err
	}
	if in.KeySpec != "AES_256" {
		return nil, awsjson.NotUnderstood("the key spec %q", in.KeySpec)
	}
	binding, err := in.EncryptionContext.binding()
	if err != nil {
		return nil, err
	}
	k := h.keys[in.KeyId]
	if k == nil {
		return nil, failed("NotFoundException")
	}
	plain, wrapped, err := k.New(ctx, binding)
	if err != nil {
		return nil, translate(err)
	}
	return map[string]any{"KeyId": in.KeyId, "Plaintext": plain, "CiphertextBlob": label(in.KeyId, wrapped)}, nil
}

func (h *Handler) decrypt(ctx context.Context, body []byte) (any, error) {
	in, err := awsjson.Read[struct {
		CiphertextBlob    []byte
		EncryptionContext *encryptionContext
	}]("Decrypt", body)
	if err != nil {
		return nil, err
	}
	binding, err := in.EncryptionContext.binding()
	if err != nil {
		return nil, err
	}
	name, wrapped := unlabel(in.CiphertextBlob)
	k := h.keys[name]
	if k == nil {
		return nil, failed("InvalidCiphertextException")
	}
	plain, err := k.Open(ctx, binding, wrapped)
	if err != nil {
		return nil, translate(err)
	}
	return map[string]any{"KeyId": name, "Plaintext": plain, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}, nil
}

// label puts the key's name before what it wrapped: KMS finds the key by the ciphertext, too.
func label(name string, wrapped []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(name))), append([]byte(name), wrapped...)...)
}

// maxName is what a key's name may be long; an ARN is shorter.
const maxName = 2048

func unlabel(blob []byte) (name string, wrapped []byte) {
	length, read := binary.Uvarint(blob)
	if read <= 0 || length > maxName || read+int(length) > len(blob) {
		return "", nil
	}
	end := read + int(length)
	return string(blob[read:end]), blob[end:]
}

// translate returns a fault as KMS words it.
func translate(err error) error {
	switch fault.Of(err).Kind {
	case fault.Blocked:
		return failed("DisabledException")
	case fault.Permanent:
		return failed("InvalidCiphertextException")
	case fault.Throttled:
		return failed("ThrottlingException")
	default:
		return &awsjson.Error{Status: http.StatusInternalServerError, Type: "KMSInternalException", Message: "failed"}
	}
}

func failed(kind string) error {
	return &awsjson.Error{Status: http.StatusBadRequest, Type: kind, Message: strings.TrimSuffix(kind, "Exception")}
}
