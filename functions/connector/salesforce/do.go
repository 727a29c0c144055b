package salesforce

import (
	"context"

	"signalbox/functions/connector"
)

// batch is steps of one kind for one org.
type batch = connector.Batch[Request]

// Do implements connector.CRM.
func (c *CRM) Do(ctx context.Context, steps []connector.Step[Request]) []connector.Outcome {
	request := func(s connector.Step[Request]) Request {
		r := s.Request
		r.fields, r.again = s.Fields, s.Again
		if r.kind != record {
			return r
		}
		if r.activity, r.standing = activityOf(s.Activity, s.Again), s.Stands(); s.Again {
			r.shown = &earlier{}
		}
		return r
	}
	open := func(ctx context.Context, r Request) (*org, error) { return c.org(ctx, connector.KeyOf(r.delivery)) }
	return connector.Carry(ctx, steps, request, open, func(r Request) func(*org, context.Context, batch) {
		return map[kind]func(*org, context.Context, batch){
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
		}[r.kind]
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
