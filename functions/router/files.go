package router

import (
	"cmp"
	"context"
	"slices"

	"signalbox/shared/canonical"
	"signalbox/shared/envelope"
	"signalbox/shared/media"
	"signalbox/shared/queue"
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
	return r.Files.Jobs != nil && timeline.Files == tenant.FilesByLink && !d.Withheld && !withholds(timeline) && len(media.Files(e.Message)) > 0
}

// linked returns the message of an event with links to its files. They end by the time at which it was received: whoever makes them again
// makes the same.
func (r *Router) linked(e *canonical.Event, t tenant.Tenant, pepper canonical.Pepper) *canonical.Message {
	until := cmp.Or(e.ReceivedAt, e.Timestamp).Add(t.TimelineOf(e.LineID).FilesFor)
	m := media.Linked(*e.Message, r.Files.Base, pepper, e.TenantID, e.EventID, until)
	return &m
}

// askForFiles makes the message that has the files of an event fetched which a CRM shows.
func (r *Router) askForFiles(ctx context.Context, j *job, e *canonical.Event) error {
	d := &j.record.Decision
	shows := func(c CRMDecision) bool { return logs(c.Actions) }
	if !r.keepsFiles(e, d, j.tenant) || !slices.ContainsFunc(d.CRMs, shows) {
		return nil
	}
	body, err := envelope.EventOf(ctx, r.sealer, d.Person.Key, e, media.NewJob(e, d.Person.Key).Encode())
	if err != nil {
		return err
	}
	j.files = &queue.Message{
		ID: regenerated(string(e.EventID), j.generation), Group: e.TenantID, Body: body, Trace: cmp.Or(j.head.Trace, e.Trace.Traceparent),
	}
	return nil
}

// publishFiles sends what asks for files, once the records are written that tell of them.
func (r *Router) publishFiles(ctx context.Context, jobs []*job) {
	var messages []queue.Message
	var of []*job
	for _, j := range open(jobs) {
		if j.files != nil {
			messages, of = append(messages, *j.files), append(of, j)
		}
	}
	if len(messages) == 0 {
		return
	}
	for i, err := range queue.Errors(r.Files.Jobs.Publish(ctx, messages...), len(messages)) {
		of[i].err = err
	}
}
