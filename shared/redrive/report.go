package redrive

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"signalbox/shared/audit"
	"signalbox/shared/fault"
	"signalbox/shared/telemetry"
)

// Audit writes who asked, and why, with what is about to be put back. What it cannot write must not be put back.
func (a Common) Audit(ctx context.Context, s audit.Store, subjects []string) error {
	return audit.Of(s, a.Tenant, AuditChain).Append(ctx, audit.Entry{
		At: time.Now().UTC().Truncate(time.Millisecond), Action: a.Action, By: a.By, Reason: a.Reason, Subjects: subjects,
	})
}

// Reporter logs and counts what became of requests.
type Reporter struct {
	Done, Failed string // the messages of the log
	Metric       string // of what was put back
	Logger       *slog.Logger
	Meter        *telemetry.Meter
}

// Report logs and counts what became of a request and returns what its sender is told. An error is not the request's fault, and
// the same request may be sent again: only its code is told.
func (r Reporter) Report(ctx context.Context, a Common, result Result, err error) (Result, error) {
	if err != nil {
		sorted := fault.Of(err)
		r.Meter.Count(telemetry.Failures, 1)
		r.Logger.ErrorContext(ctx, r.Failed, slog.String("action", a.Action), slog.String("tenant", a.Tenant), //nolint:sloglint // a constant of its function
			slog.String("code", sorted.Code), slog.String("reason", sorted.Error()))
		return Result{}, errors.New(sorted.Code)
	}
	r.Logger.InfoContext(ctx, r.Done, slog.String("action", a.Action), slog.String("tenant", a.Tenant), //nolint:sloglint // likewise
		slog.String("by", a.By), slog.String("reason", a.Reason), slog.Int("chosen", len(result.Items)),
		slog.Int(strings.ToLower(r.Metric), result.Counts[Redriven]), slog.Int("failed", result.Counts[Failed]), slog.Bool("more", result.More))
	r.Meter.Count(r.Metric, result.Counts[Redriven])
	return result, nil
}
