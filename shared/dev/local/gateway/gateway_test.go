package gateway_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/shared/dev/local/gateway"

	"github.com/google/go-cmp/cmp"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// echo returns the event it was given.
func echo(_ context.Context, event []byte, _ string) ([]byte, bool, error) { return event, true, nil }

// delayed is echo after wait.
func delayed(wait func()) gateway.Invoke {
	return func(ctx context.Context, event []byte, trace string) ([]byte, bool, error) {
		wait()
		return echo(ctx, event, trace)
	}
}

func TestRoutesGoByPriority(t *testing.T) {
	routes := []string{"", "ANY /{all+}", "ANY /v1/{one}/x", "GET /v1/{one}/x", "GET /v1/a/x", "GET /v1/{rest+}", "POST /v1/accounts/{account}/twilio/{kind}"}
	var targets []gateway.Target
	for _, r := range routes {
		method, path, _ := strings.Cut(r, " ")
		targets = append(targets, gateway.Target{Method: method, Path: path, Timeout: time.Second, Invoke: echo})
	}
	g := gateway.New(quiet(), targets...)
	for request, want := range map[string]string{
		"GET /v1/a/x":                            "GET /v1/a/x",
		"GET /v1/b/x":                            "GET /v1/{one}/x",
		"PUT /v1/b/x":                            "ANY /v1/{one}/x",
		"GET /v1/b/y":                            "GET /v1/{rest+}",
		"POST /v1/accounts/demo/twilio/messages": "POST /v1/accounts/{account}/twilio/{kind}",
		"POST /v1/accounts/demo/twilio/messages/no": "ANY /{all+}",
		"POST /v1/accounts//twilio/messages":        "ANY /{all+}",
		"GET /":                                     "$default",
	} {
		t.Run(request, func(t *testing.T) {
			method, path, _ := strings.Cut(request, " ")
			w := httptest.NewRecorder()
			g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
			var event struct{ RouteKey string }
			if err := json.Unmarshal(w.Body.Bytes(), &event); err != nil || event.RouteKey != want {
				t.Errorf("route %q, want %q (%v)", event.RouteKey, want, err)
			}
		})
	}
}

func TestTheEventIsPayloadTwo(t *testing.T) {
	var got map[string]any
	g := gateway.New(quiet(), gateway.Target{
		Method: "POST", Path: "/v1/accounts/{account}/twilio/{kind}", Timeout: time.Second,
		Invoke: func(_ context.Context, event []byte, trace string) ([]byte, bool, error) {
			if !strings.HasPrefix(trace, "Root=1-") {
				t.Errorf("trace %q", trace)
			}
			return []byte(`{"statusCode":201,"headers":{"content-type":"text/xml"},"body":"PFJlc3BvbnNlLz4=","isBase64Encoded":true}`), true, json.Unmarshal(event, &got)
		},
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://hooks.example/v1/accounts/demo/twilio/messages?a=1&b=2&a=3", strings.NewReader("Body=x%2By"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header["X-Twice"] = []string{"1", "2"}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	if w.Code != 201 || w.Body.String() != "<Response/>" || w.Header().Get("Content-Type") != "text/xml" || w.Header().Get("Apigw-Requestid") == "" {
		t.Errorf("answer %d %q %v", w.Code, w.Body, w.Header())
	}
	headers, _ := got["headers"].(map[string]any)
	want := map[string]any{
		"version": "2.0", "routeKey": "POST /v1/accounts/{account}/twilio/{kind}", "rawPath": "/v1/accounts/demo/twilio/messages",
		"rawQueryString": "a=1&b=2&a=3", "body": base64.StdEncoding.EncodeToString([]byte("Body=x%2By")), "isBase64Encoded": true,
		"pathParameters":        map[string]any{"account": "demo", "kind": "messages"},
		"queryStringParameters": map[string]any{"a": "1,3", "b": "2"},
	}
	for key, value := range want {
		if diff := cmp.Diff(value, got[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if headers["x-twice"] != "1,2" || headers["host"] != "hooks.example" || headers["x-forwarded-for"] != "192.0.2.1" {
		t.Errorf("headers %v", headers)
	}
}

func TestTextTravelsAsItIs(t *testing.T) {
	for kind, encoded := range map[string]bool{
		"application/json; charset=utf-8": false, "text/plain": false, "application/vnd.x+json": false,
		"application/x-www-form-urlencoded": true, "application/octet-stream": true, "": true, ";": true,
	} {
		t.Run(kind, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{}"))
			r.Header.Set("Content-Type", kind)
			w := httptest.NewRecorder()
			gateway.New(quiet(), gateway.Target{Timeout: time.Second, Invoke: echo}).ServeHTTP(w, r)
			var event struct{ IsBase64Encoded bool }
			if err := json.Unmarshal(w.Body.Bytes(), &event); err != nil || event.IsBase64Encoded != encoded {
				t.Errorf("encoded %v (%v)", event.IsBase64Encoded, err)
			}
		})
	}
}

func TestWhatIsCompressedIsNoText(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("\x1f\x8b"))
	r.Header = http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}
	w := httptest.NewRecorder()
	gateway.New(quiet(), gateway.Target{Timeout: time.Second, Invoke: echo}).ServeHTTP(w, r)
	var event struct {
		Body            []byte
		IsBase64Encoded bool
	}
	if err := json.Unmarshal(w.Body.Bytes(), &event); err != nil || !event.IsBase64Encoded || string(event.Body) != "\x1f\x8b" {
		t.Errorf("%+v %v", event, err)
	}
}

func TestARouteForSignedRequestsIsClosedToOthers(t *testing.T) {
	signed := func(r *http.Request, body []byte) error {
		if r.Header.Get("Authorization") == "of "+string(body) {
			return nil
		}
		return errors.New("unsigned")
	}
	g := gateway.New(quiet(), gateway.Target{Method: "POST", Path: "/own", Timeout: time.Second, Invoke: echo, Signed: signed}, gateway.Target{Timeout: time.Second, Invoke: echo})
	for sentence, c := range map[string]struct{ path, header, want string }{
		"signed, it is served":                      {"/own", "of it", `200 {"version"`},
		"not signed, it is answered as IAM does":    {"/own", "", `403 {"message":"Forbidden"}`},
		"signed for another body, likewise":         {"/own", "of that", `403 {"message":"Forbidden"}`},
		"a route that does not ask is for everyone": {"/", "", `200 {"version"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.path, strings.NewReader("it"))
			r.Header.Set("Authorization", c.header)
			g.ServeHTTP(w, r)
			if got := strconv.Itoa(w.Code) + " " + w.Body.String(); !strings.HasPrefix(got, c.want) {
				t.Errorf("answer %s, want %s", got, c.want)
			}
		})
	}
}

func TestFailuresAreAnsweredAsTheGatewayDoes(t *testing.T) {
	answer := func(payload string, ok bool, err error) gateway.Invoke {
		return func(context.Context, []byte, string) ([]byte, bool, error) { return []byte(payload), ok, err }
	}
	for name, c := range map[string]struct {
		path   string
		body   int
		invoke gateway.Invoke
		want   string
	}{
		"no route":                          {"/other", 0, echo, `404 {"message":"Not Found"}`},
		"a function that fails":             {"/x", 0, answer("", false, nil), `500 {"message":"Internal Server Error"}`},
		"a function that is not there":      {"/x", 0, answer("", false, errors.New("closed")), `503 {"message":"Service Unavailable"}`},
		"an answer that is no JSON":         {"/x", 0, answer("nonsense", true, nil), `500 {"message":"Internal Server Error"}`},
		"an answer with a wrong status":     {"/x", 0, answer(`{"statusCode":1}`, true, nil), `500 {"message":"Internal Server Error"}`},
		"an answer with a body that is not": {"/x", 0, answer(`{"statusCode":200,"body":"!","isBase64Encoded":true}`, true, nil), `500 {"message":"Internal Server Error"}`},
		"a body above ten megabytes":        {"/x", 10<<20 + 1, echo, `413 {"message":"Request Entity Too Large"}`},
		"an event above six megabytes":      {"/x", 5 << 20, echo, `413 {"message":"Request Entity Too Large"}`},
		"a function that takes too long": {"/x", 0, func(ctx context.Context, _ []byte, _ string) ([]byte, bool, error) {
			<-ctx.Done()
			return nil, false, ctx.Err()
		}, `503 {"message":"Service Unavailable"}`},
		"an answer without a status is a body": {"/x", 0, answer(`"hello"`, true, nil), `200 "hello"`},
	} {
		t.Run(name, func(t *testing.T) {
			g := gateway.New(quiet(), gateway.Target{Method: "POST", Path: "/x", Timeout: 50 * time.Millisecond, Invoke: c.invoke})
			w := httptest.NewRecorder()
			g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.path, bytes.NewReader(make([]byte, c.body))))
			if got := strconv.Itoa(w.Code) + " " + w.Body.String(); got != c.want {
				t.Errorf("answer %s, want %s", got, c.want)
			}
		})
	}
}
