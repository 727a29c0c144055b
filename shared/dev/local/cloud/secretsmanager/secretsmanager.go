// Package secretsmanager is a thin codec: the one call of Secrets Manager that the product makes, over values in memory.
// Everything else is refused.
// See https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html.
package secretsmanager

import (
	"context"
	"maps"
	"net/http"
	"sync"

	"signalbox/shared/dev/local/cloud/awsjson"
)

// Handler is the service. It is safe for concurrent use.
type Handler struct {
	awsjson.Service
	Faulty func(call int) Fault // says how each call, 1 being the first, is to fail; may be nil

	mu     sync.Mutex
	values map[string]string
	calls  int
}

// Fault is how a call fails.
type Fault uint8

// The faults.
const (
	None      Fault = iota
	Throttled       // refused
	Failed          // status 500
)

// New returns the service over a copy of values by name or ARN: each a JSON array of strings or a string.
func New(values map[string]string) *Handler {
	h := &Handler{values: map[string]string{}}
	maps.Copy(h.values, values)
	h.Service = awsjson.Service{Prefix: "secretsmanager", Version: "1.1", Handle: h.handle}
	return h
}

// Set replaces a value.
func (h *Handler) Set(name, value string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.values[name] = value
}

// Calls returns how often a value was asked for.
func (h *Handler) Calls() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls
}

type getRequest struct{ SecretId string } //nolint:revive // the API's name

func (h *Handler) handle(ctx context.Context, operation string, body []byte) (any, error) {
	switch operation {
	case "DescribeSecret": // make recover and make remove look whether a deleted stack left one
		return nil, refused(awsjson.CodeNotUnderstood, "make run has no stack to recover or remove: what it holds is gone when it ends")
	case "GetSecretValue":
		return awsjson.Do(operation, body, func(in getRequest) (any, error) { return h.get(ctx, in.SecretId) })
	default:
		return nil, awsjson.NotUnderstood("%s", operation)
	}
}

func (h *Handler) get(ctx context.Context, name string) (any, error) {
	if err := awsjson.Allow(ctx, "secretsmanager:GetSecretValue", name, ""); err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.calls++
	call := h.calls
	value, held := h.values[name]
	h.mu.Unlock()
	fault := None
	if h.Faulty != nil {
		fault = h.Faulty(call)
	}
	switch {
	case fault == Throttled:
		return nil, refused("ThrottlingException", "injected")
	case fault == Failed:
		return nil, awsjson.Internal()
	case !held:
		return nil, refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	}
	return map[string]any{"Name": name, "SecretString": value, "VersionStages": []string{"AWSCURRENT"}}, nil
}

func refused(kind, message string) error {
	return &awsjson.Error{Status: http.StatusBadRequest, Type: kind, Message: message}
}
