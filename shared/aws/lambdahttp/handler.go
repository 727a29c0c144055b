// Package lambdahttp lets a webhook adapter serve an API Gateway HTTP API (payload format 2.0).
// See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html.
package lambdahttp

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"maps"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"signalbox/shared/telemetry"
	"signalbox/shared/webhook"
)

// Handler returns the function to start Lambda with. The context that serve gets carries a trace: the request's, if it is a
// valid one, else a new one. An event that is no HTTP request is answered 400 without calling serve. A panic in serve is
// left to the Lambda runtime, which reports it and starts anew; API Gateway then answers 500.
func Handler(serve func(context.Context, webhook.Request) webhook.Response) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		request, ok := decode(event)
		if !ok {
			return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusBadRequest}, nil
		}
		trace, ok := parseTraceparent(request.Header.Get("Traceparent"))
		if !ok {
			var err error
			if trace, err = telemetry.NewTraceparent(rand.Reader); err != nil {
				return events.APIGatewayV2HTTPResponse{}, err
			}
		}
		return encode(serve(telemetry.WithTrace(ctx, trace), request)), nil
	}
}

// decode is the request that the event carries. Header values that were sent several times are one value joined by commas:
// API Gateway joined them, and a value may hold commas of its own. Cookies are left out: no webhook has any.
func decode(event events.APIGatewayV2HTTPRequest) (webhook.Request, bool) {
	method, path := event.RequestContext.HTTP.Method, withoutBase(withoutStage(event.RawPath, event.RequestContext.Stage), event.RouteKey)
	if method == "" || !strings.HasPrefix(path, "/") {
		return webhook.Request{}, false
	}
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(event.Body); err != nil {
			return webhook.Request{}, false
		}
	}
	header := make(http.Header, len(event.Headers))
	for name, value := range event.Headers {
		header.Set(name, value)
	}
	return webhook.Request{
		Method: method, Path: path, RawQuery: event.RawQueryString, Header: header, Body: body, Received: time.Now(),
	}, true
}

// withoutStage takes the name of a named stage off the front of path: it is part of the deployment's base URL, as is what
// providers sign. The stage "$default" has no name in the path.
func withoutStage(path, stage string) string {
	if stage == "" || stage == "$default" {
		return path
	}
	rest, ok := strings.CutPrefix(path, "/"+stage)
	switch {
	case ok && rest == "":
		return "/"
	case ok && rest[0] == '/':
		return rest
	}
	return path
}

// withoutBase takes the base path off the front of path that a custom domain maps to the API: API Gateway matches routes without it
// and leaves it in the path, and it too is part of the deployment's base URL. The matched route says how many segments are its own.
func withoutBase(path, routeKey string) string {
	_, route, ok := strings.Cut(routeKey, " ")
	if !ok || strings.Contains(route, "+}") || !strings.HasPrefix(path, "/") {
		return path
	}
	for range strings.Count(path, "/") - strings.Count(route, "/") {
		path = path[1+strings.IndexByte(path[1:], '/'):]
	}
	return path
}

// maxText is the longest body that is written as text: escaped, one may take six times its length, and a response has a limit.
const maxText = 256 << 10

// encode is the answer as API Gateway takes it.
func encode(r webhook.Response) events.APIGatewayV2HTTPResponse {
	out := events.APIGatewayV2HTTPResponse{StatusCode: r.Status}
	if r.ContentType != "" || len(r.Header) > 0 {
		out.Headers = make(map[string]string, 1+len(r.Header))
		maps.Copy(out.Headers, r.Header)
	}
	if r.ContentType != "" {
		out.Headers["content-type"] = r.ContentType
	}
	if len(r.Body) <= maxText && utf8.Valid(r.Body) {
		out.Body = string(r.Body)
	} else {
		out.Body, out.IsBase64Encoded = base64.StdEncoding.EncodeToString(r.Body), true
	}
	return out
}
