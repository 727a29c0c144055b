// Package kms is a thin codec: the two calls of KMS that the product makes, over keys in memory. Everything else is refused.
// See https://docs.aws.amazon.com/kms/latest/APIReference/Welcome.html.
package kms

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
)

// Handler is the service. It is safe for concurrent use.
type Handler struct {
	awsjson.Service
	keys map[string]*memkeys.Keys
}

// New returns the service over keys by their id, ARN or alias, exactly as the client names them.
func New(held map[string]*memkeys.Keys) *Handler {
	h := &Handler{keys: held}
	h.Service = awsjson.Service{Prefix: "TrentService", Version: "1.1", Handle: h.handle}
	return h
}

func (h *Handler) handle(ctx context.Context, operation string, body []byte) (any, error) {
	if err := awsjson.Allow(ctx, "kms:"+operation, "", ""); err != nil { // Decrypt names no key, and there is one
		return nil, err
	}
	switch operation {
	case "GenerateDataKey":
		return awsjson.Do(operation, body, func(in generateRequest) (any, error) { return h.generate(ctx, in) })
	case "Decrypt":
		return awsjson.Do(operation, body, func(in decryptRequest) (any, error) { return h.decrypt(ctx, in) })
	default:
		return nil, awsjson.NotUnderstood("%s", operation)
	}
}

// encryptionContext names the only two words the product authenticates.
type encryptionContext struct {
	Tenant  *string `json:"tenant"`
	Purpose *string `json:"purpose"`
}

func (c *encryptionContext) binding() (keyring.Binding, error) {
	if c == nil || c.Tenant == nil || c.Purpose == nil {
		return keyring.Binding{}, awsjson.NotUnderstood("an EncryptionContext without tenant and purpose")
	}
	return keyring.Binding{Tenant: *c.Tenant, Purpose: *c.Purpose}, nil
}

type generateRequest struct {
	KeyId             string //nolint:revive // the API's name
	KeySpec           string
	EncryptionContext *encryptionContext
}

func (h *Handler) generate(ctx context.Context, in generateRequest) (any, error) {
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
	return map[string]any{"KeyId": in.KeyId, "Plaintext": plain, "CiphertextBlob": slices.Concat([]byte(in.KeyId), []byte{0}, wrapped)}, nil
}

type decryptRequest struct {
	CiphertextBlob    []byte
	EncryptionContext *encryptionContext
}

func (h *Handler) decrypt(ctx context.Context, in decryptRequest) (any, error) {
	binding, err := in.EncryptionContext.binding()
	if err != nil {
		return nil, err
	}
	label, wrapped, _ := bytes.Cut(in.CiphertextBlob, []byte{0}) // KMS finds the key by the ciphertext, too
	name := string(label)
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
