// Package gateway is an HTTP API of API Gateway on one machine: it routes requests to functions by the template's routes, in
// payload format 2.0, with the limits and the answers that API Gateway has when something goes wrong.
package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"
)

// Limits.
const (
	maxBody  = 10 << 20 // of a request, https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
	maxEvent = 6 << 20  // of what Lambda takes, https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
)

// bodyTime is how long a body may take to arrive. API Gateway's own limit is not published; this is its longest integration.
const bodyTime = 30 * time.Second

// Invoke runs a function. It returns false when the function failed, and an error when it was not run to an end.
type Invoke func(ctx context.Context, event []byte, trace string) (answer []byte, ok bool, err error)

// Target is one route and the function behind it.
type Target struct {
	Method, Path string // as in the template; an empty Path is the default route
	Function     string
	Timeout      time.Duration
	Invoke       Invoke
	Signed       Signed // of a route that is for signed requests alone; nil: it is anybody's
}

// Signed returns an error for a request, whose body is given, that is not signed as its route asks for.
type Signed func(r *http.Request, body []byte) error

// Gateway is the http.Handler.
type Gateway struct {
	routes []route
	logger *slog.Logger
}

// New returns a Gateway. Its access log goes to logger and holds neither paths nor addresses.
func New(logger *slog.Logger, targets ...Target) *Gateway {
	g := &Gateway{logger: logger}
	for _, t := range targets {
		g.routes = append(g.routes, newRoute(t))
	}
	slices.SortStableFunc(g.routes, compare)
	return g
}

// outcome is what the access log says.
type outcome struct {
	route, function, problem string
	status, length           int
}

// ServeHTTP serves one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	id := requestID()
	w.Header().Set("Apigw-Requestid", id)
	o := g.serve(w, r, id, begin)
	g.logger.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("requestId", id), slog.String("route", o.route),
		slog.String("integration", o.function), slog.Int("status", o.status), slog.Int("responseLength", o.length),
		slog.Duration("latency", time.Since(begin)), slog.String("integrationError", o.problem))
}

func (g *Gateway) serve(w http.ResponseWriter, r *http.Request, id string, now time.Time) outcome {
	to, parameters, found := g.find(r.Method, r.URL.Path)
	if !found {
		return refuse(w, outcome{}, http.StatusNotFound, "Not Found")
	}
	o := outcome{route: to.key, function: to.Function}
	body, err := readBody(w, r)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return refuse(w, o, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuse(w, o, http.StatusRequestTimeout, "Request Timeout")
	}
	if err != nil {
		return refuse(w, o, http.StatusBadRequest, "Bad Request")
	}
	if to.Signed != nil && to.Signed(r, body) != nil {
		return refuse(w, o, http.StatusForbidden, "Forbidden")
	}
	trace := r.Header.Get("X-Amzn-Trace-Id")
	if trace == "" {
		trace = newTrace(now)
	}
	event, err := json.Marshal(newEvent(r, body, to, parameters, id, trace, now))
	if err != nil {
		o.problem = err.Error()
		return refuse(w, o, http.StatusInternalServerError, "Internal Server Error")
	}
	if len(event) > maxEvent {
		return refuse(w, o, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	}
	return g.integrate(w, r, o, to, event, trace)
}

// readBody reads what was sent within bodyTime. The server takes the deadline off the connection before the next request; a
// writer that knows no deadlines, as in tests, has none.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
}

// integrate runs the function and writes what it returns.
func (g *Gateway) integrate(w http.ResponseWriter, r *http.Request, o outcome, to route, event []byte, trace string) outcome {
	// A caller that hangs up does not stop the function.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), to.Timeout)
	defer cancel()
	payload, ok, err := to.Invoke(ctx, event, trace)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		o.problem = "the integration timed out"
		return refuse(w, o, http.StatusServiceUnavailable, "Service Unavailable")
	case err != nil:
		o.problem = err.Error()
		return refuse(w, o, http.StatusServiceUnavailable, "Service Unavailable")
	case !ok:
		o.problem = "the function failed"
		return refuse(w, o, http.StatusInternalServerError, "Internal Server Error")
	}
	answer, body, valid := readResponse(payload)
	if !valid {
		o.problem = "the function's answer is no response"
		return refuse(w, o, http.StatusInternalServerError, "Internal Server Error")
	}
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range answer.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body)
	o.status, o.length = answer.StatusCode, len(body)
	return o
}

func (g *Gateway) find(method, path string) (route, map[string]string, bool) {
	for _, r := range g.routes {
		if parameters, matches := r.match(method, path); matches {
			return r, parameters, true
		}
	}
	return route{}, nil, false
}

// refuse writes the response that API Gateway makes itself.
func refuse(w http.ResponseWriter, o outcome, status int, message string) outcome {
	body := fmt.Sprintf(`{"message":%q}`, message)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
	o.status, o.length = status, len(body)
	return o
}

func requestID() string { return random(8) + "=" }

// newTrace returns a trace header. See https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader.
func newTrace(now time.Time) string {
	return fmt.Sprintf("Root=1-%08x-%s", now.Unix(), random(12))
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}
