package salesforce

import (
	"context"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// batch is steps of one kind for one org.
type batch = connector.Batch[Request]

// Do implements connector.CRM.
func (c *CRM) Do(ctx context.Context, steps []connector.Step[Request]) []connector.Outcome {
	return connector.Outcomes(steps, func(w batch) {
		first := w.Request(0)
		o, err := c.org(ctx, connector.KeyOf(first.delivery))
		if err != nil {
			w.FailAll(err)
			return
		}
		o.do(ctx, first.kind, w)
	})
}

func (c *CRM) org(ctx context.Context, at connector.BindingKey) (*org, error) {
	binding, err := c.bindings.Binding(ctx, at.Tenant, at.CRM)
	if err != nil {
		return nil, err
	}
	if binding, err = binding.check(); err != nil {
		return nil, err
	}
	return &org{crm: c, at: at, binding: binding}, nil
}

func (o *org) do(ctx context.Context, k kind, w batch) {
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
func (o *org) gone(ctx context.Context, w batch, i int, refused error) {
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
