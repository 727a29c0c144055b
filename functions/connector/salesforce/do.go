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
	binding, err = binding.check()
	return &org{crm: c, at: at, binding: binding}, err
}

func (o *org) do(ctx context.Context, k kind, w batch) {
	switch k {
	case resolve:
		o.resolve(ctx, w)
	case record:
		o.writeGraphs(ctx, w)
	case taskOnce:
		o.taskOnce(ctx, w)
	case consent:
		o.consent(ctx, w)
	case reply:
		o.reply(ctx, w)
	case name:
		o.name(ctx, w)
	default:
		w.FailAll(fault.New(fault.Permanent, connector.CodeStep, nil))
	}
}
