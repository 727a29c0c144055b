package mapping

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"
)

// Schedule invokes a function at a fixed rate.
type Schedule struct {
	Name   string
	Every  time.Duration
	Input  []byte // nil: the event EventBridge makes
	Region string
	Invoke Invoke
	Logger *slog.Logger
}

// Run invokes until ctx is done. As on AWS the first time comes one period after the start, and a run that takes long does not
// hold up the next one for more than its own length.
func (s *Schedule) Run(ctx context.Context) {
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-tick.C:
			if _, ok, err := s.Invoke(ctx, s.Event(at)); ctx.Err() == nil && (err != nil || !ok) {
				s.Logger.WarnContext(ctx, "scheduled run failed", slog.String("schedule", s.Name))
			}
		}
	}
}

// Event is what a function is given.
// See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html.
func (s *Schedule) Event(at time.Time) []byte {
	if s.Input != nil {
		return s.Input
	}
	event, err := json.Marshal(map[string]any{
		"version": "0", "id": s.Name, "detail-type": "Scheduled Event", "source": "aws.events", "region": s.Region,
		"time": at.UTC().Format(time.RFC3339), "resources": []string{}, "detail": map[string]any{},
	})
	if err != nil { // texts always encode
		return []byte("{}")
	}
	return event
}
