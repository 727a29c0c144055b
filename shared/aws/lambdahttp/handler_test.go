package lambdahttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"signalbox/shared/aws/lambdahttp"
	"signalbox/shared/telemetry"
	"signalbox/shared/webhook"
)

const validTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// event is a request that changes are made to.
func event(change func(*events.APIGatewayV2HTTPRequest)) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{RawPath: "/v1/x", Headers: map[string]string{}}
	e.RequestContext.Stage = "$default"
	e.RequestContext.HTTP.Method = http.MethodPost
	if change != nil {
		change(&e)
	}
	return e
}

// serve runs one event and returns what the adapter saw; seen is false if it was not called.
func serve(t testing.TB, e events.APIGatewayV2HTTPRequest) (seen bool, request webhook.Request, trace string, out events.APIGatewayV2HTTPResponse) {
	t.Helper()
	out, err := lambdahttp.Handler(func(ctx context.Context, r webhook.Request) webhook.Response {
		seen, request, trace = true, r, telemetry.Trace(ctx)
		return webhook.Response{Status: http.StatusOK, ContentType: "text/xml", Body: []byte("<Response/>")}
	})(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return seen, request, trace, out
}

func TestHandlerReadsWhatAPIGatewaySends(t *testing.T) {
	raw, err := os.ReadFile("testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		_, got, trace, out := serve(t, e)
		want := webhook.Request{
			Method: "POST", Path: "/v1/accounts/demo-twilio/twilio/messages", RawQuery: "b=2&a=%201&a=",
			Header: http.Header{
				"Content-Type": {"application/x-www-form-urlencoded"}, "X-Twilio-Signature": {"c2ln"},
				"X-Several": {"one,two, three"}, "Traceparent": {validTrace},
			},
			Body: []byte("Body=Hi+there&From=%2B15551234567"), Received: time.Now(),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if trace != validTrace {
			t.Errorf("the trace is %q", trace)
		}
		answer := events.APIGatewayV2HTTPResponse{
			StatusCode: 200, Headers: map[string]string{"content-type": "text/xml"}, Body: "<Response/>",
		}
		if diff := cmp.Diff(answer, out); diff != "" {
			t.Error(diff)
		}
	})
}

// TestHandlerWritesHeaders: those of an answer, beside its Content-Type.
func TestHandlerWritesHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		answer webhook.Response
		want   map[string]string
	}{
		"none":            {webhook.Response{Status: 204}, nil},
		"some":            {webhook.Response{Status: 204, Header: map[string]string{"vary": "Origin"}}, map[string]string{"vary": "Origin"}},
		"beside the type": {webhook.Response{Status: 200, ContentType: "text/plain", Header: map[string]string{"vary": "Origin"}}, map[string]string{"vary": "Origin", "content-type": "text/plain"}},
	} {
		out, err := lambdahttp.Handler(func(context.Context, webhook.Request) webhook.Response { return c.answer })(t.Context(), event(nil))
		if diff := cmp.Diff(c.want, out.Headers); diff != "" || err != nil {
			t.Errorf("%s: %v, -want +got:\n%s", name, err, diff)
		}
	}
}

func TestPathIsWithoutANamedStage(t *testing.T) {
	for name, test := range map[string]struct{ path, stage, want string }{
		"the default stage has no name":         {"/v1/x", "$default", "/v1/x"},
		"no stage":                              {"/v1/x", "", "/v1/x"},
		"a named stage":                         {"/prod/v1/x", "prod", "/v1/x"},
		"a named stage alone":                   {"/prod", "prod", "/"},
		"a path that begins like the stage":     {"/production/x", "prod", "/production/x"},
		"a path without the stage":              {"/v1/x", "prod", "/v1/x"},
		"only the first one is the stage":       {"/prod/prod/x", "prod", "/prod/x"},
		"what is encoded or doubled is kept":    {"/v1//a%2Fb", "$default", "/v1//a%2Fb"},
		"a stage whose name is in the path too": {"/v1/v1/x", "v1", "/v1/x"},
	} {
		t.Run(name, func(t *testing.T) {
			_, r, _, _ := serve(t, event(func(e *events.APIGatewayV2HTTPRequest) {
				e.RawPath, e.RequestContext.Stage = test.path, test.stage
			}))
			if r.Path != test.want {
				t.Errorf("the path is %q, want %q", r.Path, test.want)
			}
		})
	}
}

// TestPathIsWithoutABasePath is what was answered 404: every webhook of a deployment behind a custom domain with a base path.
func TestPathIsWithoutABasePath(t *testing.T) {
	const route = "POST /v1/{account}/x"
	for name, test := range map[string]struct{ path, stage, route, want string }{
		"none":                                {"/v1/a/x", "$default", route, "/v1/a/x"},
		"one":                                 {"/hooks/v1/a/x", "$default", route, "/v1/a/x"},
		"of several segments":                 {"/a/b/v1/a/x", "$default", route, "/v1/a/x"},
		"behind a named stage":                {"/prod/hooks/v1/a/x", "prod", route, "/v1/a/x"},
		"named like the first segment":        {"/v1/v1/a/x", "$default", route, "/v1/a/x"},
		"a slash too many is not part of one": {"/v1/a/x/", "$default", route, "/a/x/"},
		"the default route says nothing":      {"/hooks/v1/a/x", "$default", "$default", "/hooks/v1/a/x"},
		"nor does a greedy one":               {"/hooks/v1/a/x", "$default", "ANY /v1/{all+}", "/hooks/v1/a/x"},
		"a path shorter than its route stays": {"/v1", "$default", route, "/v1"},
		"nothing but slashes does no harm":    {"/////", "$default", route, "///"},
	} {
		t.Run(name, func(t *testing.T) {
			_, r, _, _ := serve(t, event(func(e *events.APIGatewayV2HTTPRequest) {
				e.RawPath, e.RequestContext.Stage, e.RouteKey = test.path, test.stage, test.route
			}))
			if r.Path != test.want {
				t.Errorf("the path is %q, want %q", r.Path, test.want)
			}
		})
	}
}

func TestTrace(t *testing.T) {
	tests := map[string]struct{ header, want string }{ // want "" is a new one
		"valid":                          {validTrace, validTrace},
		"not sampled":                    {strings.TrimSuffix(validTrace, "1") + "0", strings.TrimSuffix(validTrace, "1") + "0"},
		"none":                           {"", ""},
		"a later version":                {"01" + validTrace[2:] + "-more", validTrace},
		"a later version, not separated": {"01" + validTrace[2:] + "more", ""},
		"version 00 with more":           {validTrace + "-more", ""},
		"the version that is none":       {"ff" + validTrace[2:], ""},
		"upper case":                     {strings.ToUpper(validTrace), ""},
		"no trace id":                    {"00-00000000000000000000000000000000-b7ad6b7169203331-01", ""},
		"no parent id":                   {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", ""},
		"two":                            {validTrace + "," + validTrace, ""},
		"words":                          {"00-+15551234567cd43dd8448eb211c80319c-b7ad6b7169203331-01", ""},
		"short":                          {validTrace[:54], ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := event(func(e *events.APIGatewayV2HTTPRequest) { e.Headers["traceparent"] = test.header })
			_, _, got, _ := serve(t, e)
			_, _, again, _ := serve(t, e)
			if test.want != "" && got != test.want {
				t.Errorf("the trace is %q, want %q", got, test.want)
			}
			if test.want == "" && (len(got) != len(validTrace) || got == again || got == test.header) {
				t.Errorf("the trace is %q and %q the second time", got, again)
			}
		})
	}
}

func TestMalformedEventsAreAnswered400(t *testing.T) {
	for name, change := range map[string]func(*events.APIGatewayV2HTTPRequest){
		"no method":                        func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.HTTP.Method = "" },
		"no path":                          func(e *events.APIGatewayV2HTTPRequest) { e.RawPath = "" },
		"a path without a slash":           func(e *events.APIGatewayV2HTTPRequest) { e.RawPath = "v1/x" },
		"a body that is said to be base64": func(e *events.APIGatewayV2HTTPRequest) { e.Body, e.IsBase64Encoded = "no base64!", true },
	} {
		t.Run(name, func(t *testing.T) {
			seen, _, _, out := serve(t, event(change))
			if diff := cmp.Diff(events.APIGatewayV2HTTPResponse{StatusCode: http.StatusBadRequest}, out); seen || diff != "" {
				t.Errorf("called: %v, answered %s", seen, diff)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer webhook.Response
		want   events.APIGatewayV2HTTPResponse
	}{
		"without a body there are no headers": {webhook.Response{Status: 403}, events.APIGatewayV2HTTPResponse{StatusCode: 403}},
		"long text travels as base64, too": {
			webhook.Response{Status: 200, Body: make([]byte, 256<<10+2)},
			events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: strings.Repeat("A", 349528), IsBase64Encoded: true},
		},
		"bytes that are no text travel as base64": {
			webhook.Response{Status: 200, ContentType: "image/png", Body: []byte{0xff, 0xfe}},
			events.APIGatewayV2HTTPResponse{
				StatusCode: 200, Headers: map[string]string{"content-type": "image/png"}, Body: "//4=", IsBase64Encoded: true,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := lambdahttp.Handler(func(context.Context, webhook.Request) webhook.Response { return test.answer })(t.Context(), event(nil))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, out); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzEvent(f *testing.F) {
	raw, err := os.ReadFile("testdata/event.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"rawPath":"/x","headers":{"":"","é":"\u0000"},"requestContext":{"stage":"","http":{"method":"GET"}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e events.APIGatewayV2HTTPRequest
		if json.Unmarshal(raw, &e) != nil {
			t.Skip()
		}
		seen, r, trace, out := serve(t, e)
		if !seen {
			if out.StatusCode != http.StatusBadRequest {
				t.Errorf("not served and answered %d", out.StatusCode)
			}
			return
		}
		if r.Path == "" || r.Path[0] != '/' || r.Method == "" {
			t.Errorf("served %q %q", r.Method, r.Path)
		}
		if len(trace) != len(validTrace) || strings.Trim(trace, "0123456789abcdef-") != "" {
			t.Errorf("the trace is %q", trace)
		}
		if !e.IsBase64Encoded && string(r.Body) != e.Body {
			t.Errorf("the body %q became %q", e.Body, r.Body)
		}
	})
}

func BenchmarkHandler(b *testing.B) {
	raw, err := os.ReadFile("testdata/event.json")
	if err != nil {
		b.Fatal(err)
	}
	handle := lambdahttp.Handler(func(context.Context, webhook.Request) webhook.Response {
		return webhook.Response{Status: http.StatusOK}
	})
	b.ReportAllocs()
	for b.Loop() {
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(raw, &e); err != nil {
			b.Fatal(err)
		}
		if _, err := handle(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
}
