package salesforce

import (
	"context"
	"slices"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// batch is steps of one kind for one org.
type batch = connector.Batch[Request]

// Do implements connector.CRM.
func (c *CRM) Do(ctx context.Context, steps []connector.Step[Request]) []connector.Outcome {
	steps = slices.Clone(steps)
	for i := range steps {
		steps[i].Request.fields, steps[i].Request.again = steps[i].Fields, steps[i].Again
		if steps[i].Request.kind == record {
			steps[i].Request.activity, steps[i].Request.standing = activityOf(steps[i].Activity, steps[i].Again), steps[i].Stands()
			if steps[i].Again {
				steps[i].Request.shown = &earlier{}
			}
		}
	}
	return connector.Outcomes(steps, func(w batch) {
		first := w.Request(0)
		o, err := c.org(ctx, connector.KeyOf(first.delivery))
		if err != nil {
			w.FailAll(err)
			return
		}
		do := map[kind]func(*org, context.Context, batch){
			resolve:   (*org).resolve,
			record:    (*org).writeGraphs,
			taskOnce:  (*org).taskOnce,
			consent:   (*org).consent,
			reply:     (*org).reply,
			owner:     (*org).owner,
			notice:    (*org).notice,
			attach:    (*org).attach,
			number:    (*org).number,
			name:      (*org).name,
			openCase:  (*org).openCase,
			setStatus: (*org).setStatus,
			start:     (*org).start,
		}[first.kind]
		if do == nil {
			w.FailAll(fault.New(fault.Permanent, connector.CodeStep, nil))
			return
		}
		do(o, ctx, w)
	})
}

func (c *CRM) org(ctx context.Context, at connector.BindingKey) (*org, error) {
	binding, err := c.options.Bindings.Binding(ctx, at.Tenant, at.CRM)
	if err != nil {
		return nil, err
	}
	binding, err = binding.check()
	return &org{crm: c, at: at, binding: binding}, err
}
