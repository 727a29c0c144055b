package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"

	"signalbox/shared/fault"
	"signalbox/shared/telemetry"
)

// CodePanic is the code of a recovered panic.
const CodePanic = "panic"

// Recovered sorts what recover returned: Retryable, because the crash is counted by the claim and not by the panic. It counts it,
// for a version that panics is rolled back, and logs the stack, and of the value only what cannot hold a message's content: a runtime
// error's text, or else its type.
func Recovered(ctx context.Context, logger *slog.Logger, meter *telemetry.Meter, value any) *fault.Error {
	cause := fmt.Errorf("panic of type %T", value)
	if err, ok := value.(error); ok {
		if known, ok := errors.AsType[runtime.Error](err); ok {
			cause = known
		}
	}
	meter.Count("Panicked", 1)
	meter.Count(telemetry.Failures, 1)
	logger.ErrorContext(ctx, "recovered from a panic", slog.String("cause", cause.Error()), slog.String("stack", string(debug.Stack())))
	return fault.New(fault.Retryable, CodePanic, cause)
}
