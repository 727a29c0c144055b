package salesforce

import (
	"cmp"
	"context"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// owner finds whose the persons are. Who is the integration user's is nobody's, and so is a queue's.
func (o *org) owner(ctx context.Context, w batch) {
	held := o.readPersons(ctx, whoOf(w), fieldOwner, fieldCreator, fieldCreated)
	user, err := o.crm.sessions.User(ctx, o.at)
	if err != nil {
		w.FailAll(err)
		return
	}
	for i := range w.Len() {
		switch h := held[w.Request(i).Who]; {
		case h == nil: // deleted by now
			w.Succeed(i)
		case h.err != nil:
			w.Fail(i, h.err)
		case w.Request(i).Notice.HeldBefore(instantOf(h.Created)):
			w.Succeed(i, connector.ResultBefore, "true")
		case h.Owner == user || user == "" && h.Owner == h.Creator || !strings.HasPrefix(h.Owner, userPrefix): // a queue has no tasks
			w.Succeed(i)
		default:
			w.Succeed(i, connector.ResultOwner, h.Owner)
		}
	}
}

// userPrefix is what the ids of users begin with.
const userPrefix = "005"

// notice makes the tasks that tell users something. One that may be there is looked for by its key first, and one that has the key by
// the time it is made is there.
func (o *org) notice(ctx context.Context, w batch) {
	w.Each(w.All(), func(i int) {
		r := w.Request(i)
		nobody := r.Notice.Theirs && r.Notice.Owner == ""
		if !nobody {
			var err error
			if nobody, err = o.tell(ctx, r, r.Notice.Looks || w.Intended(i) || connector.Forgotten(r.Delivery.Event)); err != nil {
				if r.Notice.Asked {
					o.conclude(ctx, w, i, err)
				} else {
					w.Fail(i, err)
				}
				return
			}
		}
		untold := ""
		if nobody {
			connector.Untold(ctx, o.crm.options.Logger, o.crm.options.Meter, r.Delivery)
			untold = "true"
		}
		w.Succeed(i, connector.ResultUntold, untold)
	})
}

// tell makes the task of a step, unless it is there.
func (o *org) tell(ctx context.Context, r Request, looks bool) (nobody bool, err error) {
	if looks {
		if there, err := o.hasTask(ctx, r.Notice.Key); err != nil || there {
			return false, err
		}
	}
	nobody, err = r.Notice.Write(func(n connector.Notice) error { return o.create(ctx, taskObject, noticeTask(n, r.Who)) }, ofOwner)
	if fault.Is(err, codeDuplicateValue) || missing(err) && r.Who != "" && !r.Notice.Asked { // it is there, or whom it is about is not
		return false, nil
	}
	return nobody, err
}

// noticeTask returns a task that is to be done.
func noticeTask(n connector.Notice, who string) connector.Object {
	return connector.Object{
		fieldTaskKey, n.Key, "Subject", connector.Cut(n.Subject, maxSubject), "Status", "Not Started", "Priority", cmp.Or(priority(n.Priority), "High"),
		"TaskSubtype", "Task", "ActivityDate", n.Due.UTC().Format(time.DateOnly), "WhoId", who, fieldOwner, n.Owner,
		"Description", connector.Cut(n.Text, maxText),
	}
}
