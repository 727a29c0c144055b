// Package lambdainvoke lets functions be invoked directly, with JSON in and JSON out, by people and their programs.
package lambdainvoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/lambda"
)

// Handler returns what serves invocations with handle. A request that cannot be decoded is answered with what refuse makes of the
// reason, which holds nothing of the request; the decoder's own words may.
func Handler[In, Out any](handle func(ctx context.Context, in In) (Out, error), refuse func(problem string) Out) lambda.Handler {
	return handler[In, Out]{handle, refuse}
}

type handler[In, Out any] struct {
	handle func(ctx context.Context, in In) (Out, error)
	refuse func(problem string) Out
}

// Invoke implements lambda.Handler.
func (h handler[In, Out]) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var in In
	if problem := decode(payload, &in); problem != "" {
		return json.Marshal(h.refuse(problem))
	}
	out, err := h.handle(ctx, in)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// decode returns what is wrong with a payload, "" for nothing.
func decode(payload []byte, into any) string {
	if !utf8.Valid(payload) {
		return "the request is not in UTF-8"
	}
	err := json.Unmarshal(payload, into)
	if broken, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("the request is not one JSON value, or is nested too deep: look near byte %d", broken.Offset)
	}
	if mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if path := member(mistyped.Field); path != "" {
			return path + " is not of the type that is wanted there"
		}
		return "the request is not an object with the members of a request"
	}
	if err != nil {
		return "the request has a member that cannot be read"
	}
	return ""
}

// member returns the path of a field without the names of the Go structs that it is part of.
func member(field string) string {
	var path []string
	for name := range strings.SplitSeq(field, ".") {
		if name != "" && strings.ToUpper(name[:1]) != name[:1] {
			path = append(path, name)
		}
	}
	return strings.Join(path, ".")
}
