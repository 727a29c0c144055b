package gateway

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// event is a request in payload format 2.0.
// See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html.
type event struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext        requestContext    `json:"requestContext"`
	PathParameters        map[string]string `json:"pathParameters,omitempty"`
	Body                  string            `json:"body,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
}

type requestContext struct {
	AccountID    string      `json:"accountId"`
	APIID        string      `json:"apiId"`
	DomainName   string      `json:"domainName"`
	DomainPrefix string      `json:"domainPrefix"`
	HTTP         httpContext `json:"http"`
	RequestID    string      `json:"requestId"`
	RouteKey     string      `json:"routeKey"`
	Stage        string      `json:"stage"`
	Time         string      `json:"time"`
	TimeEpoch    int64       `json:"timeEpoch"`
}

type httpContext struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// response is what a function returns in the same format.
type response struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

func newEvent(r *http.Request, body []byte, to route, parameters map[string]string, id, trace string, now time.Time) event {
	e := event{
		Version: "2.0", RouteKey: to.key, RawPath: r.URL.Path, RawQueryString: r.URL.RawQuery,
		Headers: headers(r, trace), QueryStringParameters: query(r.URL), PathParameters: parameters,
		RequestContext: requestContext{
			AccountID: "anonymous", APIID: "local", DomainName: r.Host, DomainPrefix: "local", RequestID: id, RouteKey: to.key,
			Stage: "$default", Time: now.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
			HTTP: httpContext{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: sourceIP(r), UserAgent: r.UserAgent(),
			},
		},
	}
	for _, line := range r.Header.Values("Cookie") {
		for cookie := range strings.SplitSeq(line, ";") {
			e.Cookies = append(e.Cookies, strings.TrimSpace(cookie))
		}
	}
	if len(body) == 0 {
		return e
	}
	if r.Header.Get("Content-Encoding") == "" && text(r.Header.Get("Content-Type")) {
		e.Body = string(body)
	} else {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// headers are lower-case, repeats joined by commas, with what the gateway adds.
func headers(r *http.Request, trace string) map[string]string {
	out := make(map[string]string, len(r.Header)+5)
	for name, values := range r.Header {
		if name != "Cookie" {
			out[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	out["host"] = r.Host
	out["x-amzn-trace-id"] = trace
	out["x-forwarded-for"] = strings.TrimPrefix(out["x-forwarded-for"]+", "+sourceIP(r), ", ")
	out["x-forwarded-proto"] = "http"
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		out["x-forwarded-port"] = port
	}
	return out
}

func query(u *url.URL) map[string]string {
	if u.RawQuery == "" {
		return nil
	}
	out := map[string]string{}
	for name, values := range u.Query() {
		out[name] = strings.Join(values, ",")
	}
	return out
}

func sourceIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// text reports whether a body of this type travels as it is. A form does not.
func text(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml") ||
		kind == "application/json" || kind == "application/javascript" || kind == "application/xml"
}

// readResponse takes a function's answer apart. Anything that is JSON without a status is a body for 200, as API Gateway
// infers; anything else is not a response.
func readResponse(payload []byte) (response, []byte, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil || fields["statusCode"] == nil {
		inferred := response{StatusCode: http.StatusOK, Headers: map[string]string{"content-type": "application/json"}}
		return inferred, payload, json.Valid(payload)
	}
	var r response
	if json.Unmarshal(payload, &r) != nil || r.StatusCode < 100 || r.StatusCode > 599 {
		return response{}, nil, false
	}
	body := []byte(r.Body)
	if r.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(r.Body)
		if err != nil {
			return response{}, nil, false
		}
		body = decoded
	}
	return r, body, true
}

// Event returns a request as the event of a function with one route, like "POST /v1/accounts/{account}/{kind}".
func Event(r *http.Request, body []byte, key string, parameters map[string]string, id string, now time.Time) ([]byte, error) {
	return json.MarshalIndent(newEvent(r, body, route{key: key}, parameters, id, "Root=1-00000000-000000000000000000000000", now), "", "  ")
}
