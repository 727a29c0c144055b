// Package telemetry is what functions say about themselves: log lines as JSON and metrics in CloudWatch's embedded metric
// format, both on standard output, so that neither costs a call before an answer. The event's id and the trace travel in
// the context and are on every line. Nothing here may carry message text, an address or a secret.
package telemetry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
)

// Identity is which function, in which version, of which deployment is speaking.
type Identity struct{ Function, Version, Stack string }

// IdentityFrom returns the Identity of a function from what Lambda and template.yaml put into its environment. The name
// stands in for the function's where Lambda sets none. A function without an alias always runs as $LATEST: its version is
// the beginning of the hash that the linker gave the program.
func IdentityFrom(optional func(variable, def string) string, name string) Identity {
	id := Identity{
		Function: optional("AWS_LAMBDA_FUNCTION_NAME", name), Version: optional("AWS_LAMBDA_FUNCTION_VERSION", "0"),
		Stack: optional("STACK", "local"),
	}
	if id.Version != "$LATEST" {
		return id
	}
	if program, err := os.Open("/proc/self/exe"); err == nil {
		id.Version = cmp.Or(build(program), id.Version)
		_ = program.Close()
	}
	return id
}

// build returns the beginning of a Go program's build ID, or "". It is the name and the text of an ELF note in the first pages.
func build(program io.Reader) string {
	head := make([]byte, 32<<10)
	n, _ := io.ReadFull(program, head)
	_, note, _ := bytes.Cut(head[:n], []byte("\x04\x00\x00\x00Go\x00\x00"))
	text, _, _ := bytes.Cut(note, []byte{0})
	return fmt.Sprintf("%.8s", text[bytes.LastIndexByte(text, '/')+1:]) // the last part is the hash of the contents
}

type contextKey uint8

const (
	traceKey contextKey = iota
	eventKey
)

// WithTrace returns a context whose log lines carry this W3C traceparent. An empty one changes nothing.
func WithTrace(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return context.WithValue(ctx, traceKey, traceparent)
}

// Trace returns the traceparent of ctx, or "".
func Trace(ctx context.Context) string {
	trace, _ := ctx.Value(traceKey).(string)
	return trace
}

// WithEvent returns a context whose log lines carry this event id.
func WithEvent(ctx context.Context, eventID string) context.Context {
	return context.WithValue(ctx, eventKey, eventID)
}

// NewTraceparent returns a new sampled W3C traceparent from 24 bytes of random.
// See https://www.w3.org/TR/trace-context/#traceparent-header.
func NewTraceparent(random io.Reader) (string, error) {
	var id [24]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return "", err
	}
	return "00-" + hex.EncodeToString(id[:16]) + "-" + hex.EncodeToString(id[16:]) + "-01", nil
}

// NewLogger returns a logger that writes one JSON object a line to w.
func NewLogger(w io.Writer, id Identity) *slog.Logger {
	json := slog.NewJSONHandler(w, nil)
	return slog.New(handler{json.WithAttrs([]slog.Attr{slog.String("function", id.Function), slog.String("version", id.Version)})})
}

// handler adds what the context knows.
type handler struct{ slog.Handler }

// Handle writes the record with the context's trace and event.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if trace := Trace(ctx); trace != "" {
		r.AddAttrs(slog.String("traceparent", trace))
	}
	if event, _ := ctx.Value(eventKey).(string); event != "" {
		r.AddAttrs(slog.String("eventId", event))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the handler around the derived one.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the handler around the derived one.
func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
