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
		if r.Kind != connector.StepRecord {
			return r
		}
		if r.activity, r.standing = activityOf(s.Activity, s.Again), s.Stands(); s.Again {
			r.shown = &earlier{}
		}
		return r
	}
	open := func(ctx context.Context, r Request) (*org, error) { return c.org(ctx, connector.KeyOf(r.Delivery)) }
	return connector.Carry(ctx, steps, request, open, func(r Request) func(*org, context.Context, batch) {
		return map[string]func(*org, context.Context, batch){
			connector.StepResolve:    (*org).resolve,
			connector.StepRecord:     (*org).writeGraphs,
			taskOnce:                 (*org).taskOnce,
			connector.StepConsent:    (*org).consent,
			connector.StepReply:      (*org).reply,
			connector.StepOwner:      (*org).owner,
			connector.StepNotice:     (*org).notice,
			connector.StepAttach:     (*org).attach,
			connector.StepNumber:     (*org).number,
			connector.StepName:       (*org).name,
			connector.StepCase:       (*org).openCase,
			connector.StepStatus:     (*org).setStatus,
			connector.StepAutomation: (*org).start,
		}[r.Kind]
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
