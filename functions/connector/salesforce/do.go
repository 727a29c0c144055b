package salesforce

import (
	"context"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// work is the steps of one kind for one org.
type work = connector.Work[Request]

// Do carries out steps: those of one kind and org in as few calls as Salesforce has for them, orgs one after another.
func (c *CRM) Do(ctx context.Context, steps []connector.Step[Request]) []connector.Outcome {
	return connector.Carry(steps, []kind{resolve, record, taskOnce, consent, reply, name},
		func(r Request) (place, kind) { return connector.PlaceOf(r.delivery), r.kind },
		func(at place) (*org, error) { return c.org(ctx, at) },
		func(o *org, k kind, w work) { o.do(ctx, k, w) })
}

func (c *CRM) org(ctx context.Context, at place) (*org, error) {
	binding, err := c.bindings.Binding(ctx, at.Tenant, at.CRM)
	if err != nil {
		return nil, err
	}
	if binding, err = binding.check(); err != nil {
		return nil, err
	}
	return &org{crm: c, at: at, binding: binding}, nil
}

func (o *org) do(ctx context.Context, k kind, w work) {
	switch k {
	case resolve:
		o.resolve(ctx, w)
	case record:
		o.record(ctx, w)
	case taskOnce:
		o.taskOnce(ctx, w)
	case consent:
		o.consent(ctx, w)
	case reply:
		o.reply(ctx, w)
	case name:
		o.name(ctx, w)
	}
}

// gone says what a step is to answer when Salesforce refuses the person it named. If the person is deleted, merged away or
// converted the delivery goes on with another one, once; otherwise the refusal was about something else.
func (o *org) gone(ctx context.Context, w work, i int, refused error) {
	r := w.Request(i)
	found, err := o.get(ctx, r.who)
	switch {
	case err != nil:
		w.Fail(i, err)
	case found.ID != "" && !found.Converted:
		w.Fail(i, refused)
	case r.final:
		w.Fail(i, fault.New(fault.Permanent, "salesforce_person_gone", refused))
	default:
		w.Succeed(i, resultGone, r.who)
	}
}
