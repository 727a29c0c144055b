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

// Prefix of X-Amz-Target.
const Prefix = "secretsmanager"

// Handler is the service. It is safe for concurrent use.
type Handler struct {
	service awsjson.Service
	choose  func(call int) Fault

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

// Option changes a Handler.
type Option func(*Handler)

// Faulty asks choose how each call, 1 being the first, is to fail.
func Faulty(choose func(call int) Fault) Option { return func(h *Handler) { h.choose = choose } }

// Refused tells of every request that was not understood: the client keeps no message of an error.
func Refused(tell func(message string)) Option {
	return func(h *Handler) { h.service.Refused = tell }
}

// New returns the service over a copy of values by name or ARN: each a JSON array of strings or a string.
func New(values map[string]string, options ...Option) *Handler {
	h := &Handler{values: maps.Clone(values)}
	if h.values == nil {
		h.values = map[string]string{}
	}
	h.service = awsjson.Service{Prefix: Prefix, Version: "1.1", Handle: h.handle}
	for _, o := range options {
		o(h)
	}
	return h
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.service.ServeHTTP(w, r) }

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

func (h *Handler) handle(_ context.Context, operation string, body []byte) (any, error) {
	if operation == "DescribeSecret" { // make recover and make remove look whether a deleted stack left one
		return nil, &awsjson.Error{
			Status: http.StatusBadRequest, Type: awsjson.CodeNotUnderstood,
			Message: "make run has no stack to recover or remove: what it holds is gone when it ends",
		}
	}
	if operation != "GetSecretValue" {
		return nil, awsjson.NotUnderstood("%s", operation)
	}
	in, err := awsjson.Read[struct {
		SecretId string //nolint:revive // the API's name
	}](operation, body)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.calls++
	call := h.calls
	value, held := h.values[in.SecretId]
	h.mu.Unlock()
	fault := None
	if h.choose != nil {
		fault = h.choose(call)
	}
	switch {
	case fault == Throttled:
		return nil, &awsjson.Error{Status: http.StatusBadRequest, Type: "ThrottlingException", Message: "injected"}
	case fault == Failed:
		return nil, &awsjson.Error{Status: http.StatusInternalServerError, Type: "InternalServiceError", Message: "injected"}
	case !held:
		return nil, &awsjson.Error{
			Status: http.StatusBadRequest, Type: "ResourceNotFoundException", Message: "Secrets Manager can't find the specified secret.",
		}
	}
	return map[string]any{"Name": in.SecretId, "SecretString": value, "VersionStages": []string{"AWSCURRENT"}}, nil
}
