// Package deadletter records what arrives on the dead-letter queues, so that it can be searched, explained and redriven, and
// counts it for the alarms. What cannot be recorded stays in its queue.
package deadletter

import (
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"time"

	"signalbox/shared/deadletter"
	"signalbox/shared/queue"
	"signalbox/shared/telemetry"
)

// codeExhausted is the code of what the queue moved itself.
const codeExhausted = "receives_exhausted"

// Recorder is a queue.Handler of dead-letter queues. It records what a worker gave up on, and what the queue itself moved
// after too many receives.
type Recorder struct {
	store  deadletter.Store
	logger *slog.Logger
	meter  *telemetry.Meter
	name   *regexp.Regexp
}

// NewRecorder returns a Recorder that writes to s.
func NewRecorder(s deadletter.Store, logger *slog.Logger, meter *telemetry.Meter) *Recorder {
	// What comes from a body that nobody may have checked, and becomes part of a key, must look like a name.
	return &Recorder{store: s, logger: logger, meter: meter, name: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)}
}

// Handle records each head and returns one error for each.
func (r *Recorder) Handle(ctx context.Context, heads []queue.Received) []error {
	errs := make([]error, len(heads))
	for i, head := range heads {
		if ctx.Err() != nil {
			errs[i] = queue.ErrNotStarted
			continue
		}
		errs[i] = r.record(telemetry.WithTrace(ctx, head.Trace), head)
	}
	return errs
}

func (r *Recorder) record(ctx context.Context, head queue.Received) error {
	rec := r.read(head)
	if rec.EventID != "" {
		ctx = telemetry.WithEvent(ctx, rec.EventID)
	}
	if err := deadletter.Write(ctx, r.store, rec); err != nil {
		return err
	}
	r.meter.Count("DeadLetterRecorded", 1, telemetry.Label{Name: "stage", Value: rec.Stage},
		telemetry.Label{Name: "kind", Value: rec.Kind}, telemetry.Label{Name: "code", Value: rec.Code})
	r.logger.InfoContext(ctx, "dead letter recorded", slog.String("stage", rec.Stage), slog.String("kind", rec.Kind),
		slog.String("code", rec.Code), slog.String("message", rec.ID), slog.String("tenant", rec.Tenant))
	return nil
}

// read returns the record of what arrived. The same message gives the same record whenever it is received.
func (r *Recorder) read(head queue.Received) deadletter.Record {
	letter, ok := queue.ParseDeadLetter(head.Message)
	if !ok {
		letter = queue.DeadLetter{
			ID: head.ID, Kind: queue.KindExhausted, Code: codeExhausted, Reason: "no worker answered for it: the queue moved it",
			Attempts: head.Attempt, First: head.FirstSent, Last: head.FirstSent, Group: head.Group, Trace: head.Trace,
			Generation: queue.Generation(head.ID), Body: head.Body,
		}
	}
	about := parse(letter.Body)
	switch of, _, ofCRM := deadletter.CutStage(letter.Stage); {
	case letter.Stage == "":
		letter.Stage = r.stage(about, letter.Group)
	// A worker is called after a kind of CRM. A tenant may have two of a kind, which each have a dead letter of one event.
	case ofCRM && r.name.MatchString(about.CRM):
		letter.Stage = of(about.CRM)
	}
	if letter.Last.IsZero() {
		letter.Last = time.Unix(0, 0)
	}
	rec := deadletter.Record{
		ID: letter.ID, Stage: letter.Stage, Kind: letter.Kind, Code: letter.Code, Reason: letter.Reason, Attempts: letter.Attempts,
		First: letter.First, Last: letter.Last, FunctionVersion: letter.FunctionVersion, Group: letter.Group, Trace: letter.Trace,
		Generation: letter.Generation, Body: letter.Body,
	}
	if event := about.event(); r.name.MatchString(event.TenantID) && r.name.MatchString(event.EventID) {
		rec.Tenant, rec.EventID = event.TenantID, event.EventID
	}
	return rec
}

// content is what is looked for in a body: an event's, a delivery's, which holds an event, or a status's.
type content struct {
	EventID    string   `json:"eventId"`
	TenantID   string   `json:"tenantId"`
	ReceivedAt string   `json:"receivedAt"`
	CRM        string   `json:"crm"`
	Event      *content `json:"event"`
}

// parse reads what it can of a body; what is not JSON is empty.
func parse(body []byte) (c content) {
	_ = json.Unmarshal(body, &c) // a member of another type is left out
	return c
}

// event returns the members of the event, wherever they are.
func (c content) event() content {
	if c.Event != nil {
		return *c.Event
	}
	return c
}

// stage returns at which stage a message with this body would have been worked on: the queue does not say where it took it from.
func (r *Recorder) stage(c content, group string) string {
	switch {
	case c.Event != nil && r.name.MatchString(c.CRM):
		return deadletter.StageDeliver(c.CRM)
	case r.name.MatchString(c.CRM) && c.EventID != "":
		return deadletter.StageReceipts(c.CRM)
	case c.EventID != "" && group == c.TenantID: // messages' events are in the group of their thread
		return deadletter.StageRouteReceipts
	case c.Event == nil && c.EventID != "":
		return deadletter.StageRoute
	default:
		return deadletter.StageUnknown
	}
}
