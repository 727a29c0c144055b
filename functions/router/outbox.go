package router

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/telemetry"
)

// Outbox is where what the CRMs are to do goes. All of it is needed.
type Outbox struct {
	Deliveries  map[string]queue.Publisher // by kind of CRM: those of this deployment
	DeadLetters queue.Publisher            // of what goes to a CRM without a queue
	Version     string                     // of the function, which dead letters name
	Logger      *slog.Logger
	Meter       *telemetry.Meter
}

// outgoing is what one CRM is to get about one message.
type outgoing struct {
	kind    string // "" of a binding that was removed
	stage   string // at which it would have been worked on
	message queue.Message
	from    *queue.Received // what it was made of
	err     error
}

// send sends what is going out, all of one queue together, and sets the error of each. What has no queue becomes a dead letter:
// the tenant's configuration, or the deployment, is at fault in one CRM, and neither the others nor later messages wait for it.
func (o *Outbox) send(ctx context.Context, all []*outgoing) {
	queues := map[string][]*outgoing{}
	for _, x := range all {
		switch _, deployed := o.Deliveries[x.kind]; {
		case x.kind == "":
			x.err = fault.New(fault.Blocked, deadletter.CodeUnbound, nil)
		case !deployed:
			x.err = fault.New(fault.Blocked, CodeCRM, nil)
		default:
			queues[x.kind] = append(queues[x.kind], x)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(queues)) {
		publish(ctx, o.Deliveries[kind], queues[kind])
	}
	homeless := []string{deadletter.CodeUnbound, CodeCRM, queue.CodeMissing}
	o.deadLetter(ctx, slices.DeleteFunc(slices.Clone(all), func(x *outgoing) bool {
		return x.err == nil || !slices.Contains(homeless, fault.Of(x.err).Code)
	}))
}

func publish(ctx context.Context, to queue.Publisher, all []*outgoing) {
	messages := make([]queue.Message, len(all))
	for i, x := range all {
		messages[i] = x.message
	}
	errs := queue.Errors(to.Publish(ctx, messages...), len(all))
	missing := slices.IndexFunc(errs, func(err error) bool { return fault.Is(err, queue.CodeMissing) })
	for i, err := range errs {
		if err != nil && missing >= 0 {
			err = errs[missing] // what was held back has no queue either
		}
		all[i].err = err
	}
}

// deadLetter makes dead letters of what has no queue. One that is not taken keeps the message it was made of. Another CRM's failing
// queue brings them here again: they are given up as of when the message was sent, so that the recorder knows them again.
func (o *Outbox) deadLetter(ctx context.Context, lost []*outgoing) {
	if len(lost) == 0 {
		return
	}
	letters := make([]queue.DeadLetter, len(lost))
	for i, x := range lost {
		code := fault.Of(x.err).Code
		letters[i] = queue.DeadLetter{
			ID: x.message.ID, Stage: x.stage, Kind: fault.Blocked.String(), Code: code, Reason: code, Attempts: x.from.Attempt,
			First: x.from.FirstSent.UTC(), Last: x.from.FirstSent.UTC(), FunctionVersion: o.Version, Group: x.message.Group, Trace: x.message.Trace,
			Generation: queue.Generation(x.message.ID), Body: x.message.Body,
		}
	}
	for i, err := range queue.GiveUp(ctx, o.DeadLetters, o.Logger, o.Meter, letters) {
		lost[i].err = err
	}
}
