package hubspot

import (
	"cmp"
	"context"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// createdProperty is when a contact was made.
const createdProperty = "createdate"

// owner finds whose the contacts are.
func (p *portal) owner(ctx context.Context, w batch) {
	ids := make([]string, w.Len())
	for i := range ids {
		ids[i] = w.Request(i).contact
	}
	found, err := p.read(ctx, contacts, "", ids, []string{ownerProperty, createdProperty})
	if err != nil {
		w.FailAll(err)
		return
	}
	held := map[string]object{}
	for _, o := range found {
		held[o.ID] = o
	}
	for i, id := range ids {
		o := held[id]
		created, _ := time.Parse(time.RFC3339, o.Properties[createdProperty]) // the zero time is of nobody who was there before
		if w.Request(i).notice.HeldBefore(created) {
			w.Succeed(i, connector.ResultBefore, "true")
			continue
		}
		w.Succeed(i, connector.ResultOwner, o.Properties[ownerProperty])
	}
}

// The properties of tasks. See https://developers.hubspot.com/docs/api-reference/2026-03/crm/activities/tasks/guide.
const (
	taskSubject = "hs_task_subject"
	taskBody    = "hs_task_body"
)

// tell makes the tasks that tell users something. One that may be there is looked for first.
func (p *portal) tell(ctx context.Context, w batch) {
	w.Each(w.All(), func(i int) {
		r := w.Request(i)
		if r.notice.Theirs && r.notice.Owner == "" {
			connector.Untold(ctx, p.crm.options.Logger, p.crm.options.Meter, r.delivery)
			w.Succeed(i, resultSkipped, "true", connector.ResultUntold, "true")
			return
		}
		task, untold := "", ""
		var err error
		if r.notice.Looks || w.Intended(i) || connector.Forgotten(r.delivery.Event) {
			task, err = p.told(ctx, r)
		}
		if err == nil && task == "" {
			var nobody bool
			nobody, err = r.notice.Write(func(n connector.Notice) (err error) {
				task, err = p.postTask(ctx, r.contact, n)
				return err
			}, ofOwner)
			if nobody && err == nil {
				connector.Untold(ctx, p.crm.options.Logger, p.crm.options.Meter, r.delivery)
				untold = "true"
			}
		}
		switch {
		case r.notice.Asked && err != nil:
			p.failed(ctx, w, i, err)
		case fault.Is(err, codeNotFound) && r.contact != "": // whom it is about is gone
			w.Succeed(i, resultSkipped, "true")
		case err != nil:
			w.Fail(i, err)
		default:
			w.Succeed(i, resultRecord, task, connector.ResultUntold, untold)
		}
	})
}

func (p *portal) postTask(ctx context.Context, contact string, n connector.Notice) (string, error) {
	end := marker(n.Key) // so that it can be found again
	request := connector.Object{"properties", fill(
		taskSubject, connector.Cut(n.Subject, maxLeadName),
		taskBody, "<p>"+escape(n.Text, maxText-len(end)-len("<p></p>"))+"</p>"+end,
		"hs_task_status", "NOT_STARTED", "hs_task_priority", cmp.Or(priority(n.Priority), "HIGH"), "hs_task_type", "TODO",
		"hs_timestamp", connector.Instant(n.Due), ownerProperty, n.Owner,
	), "associations", []connector.Object{}}
	if contact != "" {
		properties, _ := request[1].(map[string]string)
		request = newRecord(properties, contact, taskToContact)
	}
	return p.make(ctx, tasks, request)
}

// told returns the task of a notice, "" if there is none. One about nobody is searched for, which a task that was made seconds ago may
// escape.
func (p *portal) told(ctx context.Context, r Request) (string, error) {
	var found []object
	if r.contact == "" {
		filter := connector.Object{"propertyName", taskSubject, "operator", "EQ", "value", connector.Cut(r.notice.Subject, maxLeadName)}
		request := connector.Object{
			"after", "0", "limit", candidates, "sorts",
			[]string{},
			"properties",
			[]string{taskBody},
			"filterGroups",
			[]connector.Object{{"filters", []connector.Object{filter}}},
		}
		reply, err := p.find(ctx, p.routes.search(tasks), request)
		if err != nil {
			return "", err
		}
		found = reply.Results
	} else {
		ids, _, err := p.related(ctx, contacts, r.contact, tasks, "")
		if err == nil {
			found, err = p.read(ctx, tasks, "", ids, []string{taskBody})
		}
		if err != nil {
			return "", err
		}
	}
	for _, o := range found {
		if strings.Contains(o.Properties[taskBody], mark(r.notice.Key)) {
			return o.ID, nil
		}
	}
	return "", nil
}
