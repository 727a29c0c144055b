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
	outcomes := make([]connector.Outcome, len(steps))
	groups := make(map[place]map[kind][]int)
	for i, s := range steps {
		at := place{s.Request.delivery.Event.TenantID, s.Request.delivery.CRM}
		if groups[at] == nil {
			groups[at] = make(map[kind][]int)
		}
		groups[at][s.Request.kind] = append(groups[at][s.Request.kind], i)
	}
	for at, kinds := range groups {
		o, err := c.org(ctx, at)
		for _, k := range []kind{resolve, record, taskOnce, consent, reply} {
			w := connector.NewWork(steps, outcomes, kinds[k])
			switch {
			case w.Len() == 0:
			case err != nil:
				w.FailAll(err)
			default:
				o.do(ctx, k, w)
			}
		}
	}
	return outcomes
}

func (c *CRM) org(ctx context.Context, at place) (*org, error) {
	binding, err := c.bindings.Binding(ctx, at.tenant, at.name)
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
