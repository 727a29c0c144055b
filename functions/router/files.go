package router

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/deadletter"
	"signalbox/shared/delivery"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/media"
	"signalbox/shared/queue"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// Files is where the files of messages go, and where they are opened. Without it they are shown by the addresses of their providers.
type Files struct {
	Jobs queue.Publisher // to whoever fetches them
	Base string          // the URL below which they are opened
}

// keepsFiles reports whether CRMs get links to the files of an event.
func (r *Router) keepsFiles(e *canonical.Event, d *Decision, t tenant.Tenant) bool {
	timeline := t.TimelineOf(e.LineID)
	return r.Files.Jobs != nil && timeline.Files != tenant.FilesByAddress && !d.Withheld && !timeline.Withholds() && len(media.Files(e.Message)) > 0
}

// linked returns the message of an event with links to its files. They end by the time at which it was received: whoever makes them again
// makes the same.
func (r *Router) linked(e *canonical.Event, t tenant.Tenant, pepper canonical.Pepper) *canonical.Message {
	until := cmp.Or(e.ReceivedAt, e.Timestamp).Add(t.TimelineOf(e.LineID).FilesFor)
	m := media.Linked(*e.Message, r.Files.Base, pepper, e.TenantID, e.EventID, until)
	return &m
}

// filesJob is what has the files of an event fetched.
type filesJob struct {
	message queue.Message
	event   canonical.Event
	person  string
}

// askForFiles makes the message that has the files of an event fetched which a CRM shows.
func (r *Router) askForFiles(ctx context.Context, j *job, e *canonical.Event, d *Decision) error {
	shows := func(c CRMDecision) bool { return logs(c.Actions) }
	if !r.keepsFiles(e, d, j.tenant) || !slices.ContainsFunc(d.CRMs, shows) {
		return nil
	}
	body, err := envelope.EventOf(ctx, r.sealer, d.Person.Key, e, media.NewJob(e, d.Person.Key).Encode())
	if err != nil {
		return err
	}
	j.files = &filesJob{event: *e, person: d.Person.Key, message: queue.Message{
		ID: regenerated(string(e.EventID), j.generation), Group: e.TenantID, Body: body, Trace: cmp.Or(j.head.Trace, e.Trace.Traceparent),
	}}
	return nil
}

// attached returns what puts the files of a message into a CRM that shows it, d telling of it: a delivery each, in a group each. They wait for
// the file and for the message, and nothing waits for them.
func (r *Router) attached(ctx context.Context, j *job, d delivery.Delivery, files int, kind string) (out []*outgoing, err error) {
	e := &d.Event                                                                          // of the caller's delivery a copy
	e.Message, e.Attribution, e.Consent, e.RelatesTo, e.Metadata = nil, nil, nil, nil, nil // nothing of what was said
	d.Conversation = false
	for n := range files {
		d.ID = delivery.NewFileID(e.EventID, d.CRM, n)
		d.Actions = []delivery.Action{{Kind: delivery.AttachFile, Value: map[string]string{delivery.FileNumber: strconv.Itoa(n)}}}
		body, err := envelope.Delivery(ctx, r.sealer, &d, delivery.Encode(&d))
		if err != nil {
			return nil, err
		}
		out = append(out, &outgoing{kind: kind, stage: deadletter.StageDeliver(d.CRM), from: &j.head, message: queue.Message{
			ID: regenerated(string(d.ID), j.generation), Group: string(d.ID), Body: body, Trace: cmp.Or(j.head.Trace, e.Trace.Traceparent),
		}})
	}
	return out, nil
}

// filesAfter is when whoever fetches files is asked again: later than five minutes, within which the queue takes a timer for the one before.
const filesAfter = 10 * time.Minute

// publishFiles sends what asks for files, once the records are written that tell of them. What that queue does not take holds no thread up: a
// timer asks again, as long as the event's record is there.
func (r *Router) publishFiles(ctx context.Context, jobs []*job) {
	var messages []queue.Message
	var of []*job
	for _, j := range open(jobs) {
		if j.files != nil {
			messages, of = append(messages, j.files.message), append(of, j)
		}
	}
	if len(messages) == 0 {
		return
	}
	for i, err := range queue.Errors(r.Files.Jobs.Publish(ctx, messages...), len(messages)) {
		if of[i].err = err; err != nil && fault.Of(err).Kind != fault.Permanent {
			of[i].err = r.putOffFiles(of[i].logContext(ctx), of[i].files, err)
		}
	}
}

// putOffFiles has files asked for later.
func (r *Router) putOffFiles(ctx context.Context, f *filesJob, why error) error {
	timer, err := r.newTimer(ctx, &f.event, f.person, asking, time.Now().Add(filesAfter))
	if err == nil {
		err = r.Store.Note(ctx, timer)
	}
	if err == nil {
		r.Logger.WarnContext(ctx, "files are asked for later", slog.String("code", fault.Of(why).Code), slog.Any("error", why))
		if f := fault.Of(why); f.Kind == fault.Blocked { // somebody has to do something about it
			r.Meter.Count("Blocked", 1, telemetry.Label{Name: "stage", Value: deadletter.StageRoute}, telemetry.Label{Name: "code", Value: f.Code})
		}
	}
	return err
}

// askAgain asks for the files of the event that a job's timer was set by. It leaves no record: a copy asks again.
func (r *Router) askAgain(ctx context.Context, j *job) error {
	record, err := r.causeOf(ctx, j)
	if err != nil || record == nil {
		return err
	}
	e, err := record.decode()
	if err != nil {
		return err
	}
	return r.askForFiles(ctx, j, &e, &record.Decision)
}
