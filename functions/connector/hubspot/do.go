package hubspot

import (
	"context"
	"net/http"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// batch is steps of one kind for one portal.
type batch = connector.Batch[Request]

// Do implements connector.CRM.
func (c *CRM) Do(ctx context.Context, steps []connector.Step[Request]) []connector.Outcome {
	return connector.Outcomes(steps, func(w batch) {
		first := w.Request(0)
		p, err := c.portal(ctx, connector.KeyOf(first.delivery))
		if err != nil {
			w.FailAll(err)
			return
		}
		p.do(ctx, first.kind, w)
	})
}

func (c *CRM) portal(ctx context.Context, at connector.BindingKey) (*portal, error) {
	binding, err := c.bindings.Binding(ctx, at.Tenant, at.CRM)
	if err != nil {
		return nil, err
	}
	binding, r, err := binding.check()
	if err != nil {
		return nil, err
	}
	return &portal{crm: c, tenant: at.Tenant, binding: binding, routes: r}, nil
}

func (p *portal) do(ctx context.Context, k kind, w batch) {
	switch k {
	case resolve:
		p.resolve(ctx, w)
	case create:
		p.create(ctx, w)
	case lead:
		p.lead(ctx, w)
	case activity:
		p.activity(ctx, w)
	case activityOnce:
		p.activityOnce(ctx, w)
	case consent:
		p.consent(ctx, w)
	case replied:
		p.replied(ctx, w)
	case name:
		p.name(ctx, w)
	}
}

// gone says what a step is to answer when HubSpot does not find a record it named. Is it the contact, the delivery goes on
// with another one, once; anything else may only not be visible yet. A contact that was merged into another is gone: reading
// it answers that other one.
func (p *portal) gone(ctx context.Context, w batch, i int, notFound error) {
	r := w.Request(i)
	found, err := p.read(ctx, contacts, "", []string{r.contact}, []string{"lastmodifieddate"})
	switch {
	case err != nil:
		w.Fail(i, err)
	case len(found) > 0 && found[0].ID == r.contact:
		w.Fail(i, fault.New(fault.Retryable, "hubspot_association_refused", notFound))
	case r.kind == name: // who is gone needs none
		w.Succeed(i)
	case r.final:
		w.Fail(i, fault.New(fault.Permanent, "hubspot_contact_gone", notFound))
	default:
		w.Succeed(i, resultGone, r.contact)
	}
}

// The object types.
const (
	contacts       = "contacts"
	communications = "communications"
	leads          = "leads"
)

// associateAll puts records on the timelines of contacts: one call for all, and one each for those it did not mention.
func (p *portal) associateAll(ctx context.Context, w batch, records []string) {
	left := make([]int, 0, w.Len())
	for i := range w.Len() {
		if records[i] != "" {
			left = append(left, i)
		}
	}
	if len(left) > 1 {
		left = p.associateBatch(ctx, w, records, left)
	}
	for _, i := range left {
		path := p.routes.associate(communications, records[i], contacts, w.Request(i).contact)
		switch err := p.call(ctx, http.MethodPut, path, nil, nil); {
		case is(err, codeNotFound):
			p.gone(ctx, w, i, err)
		case err != nil:
			w.Fail(i, err)
		default:
			w.Succeed(i, resultRecord, records[i])
		}
	}
}

// associateBatch returns the steps that are not known to be associated.
func (p *portal) associateBatch(ctx context.Context, w batch, records []string, at []int) (left []int) {
	type end struct {
		ID string `json:"id"`
	}
	type pair struct {
		From end `json:"from"`
		To   end `json:"to"`
	}
	for len(at) > 0 {
		n := min(len(at), maxBatch)
		var request struct {
			Inputs []pair `json:"inputs"`
		}
		for _, i := range at[:n] {
			request.Inputs = append(request.Inputs, pair{end{records[i]}, end{w.Request(i).contact}})
		}
		var reply struct {
			Results []pair `json:"results"`
		}
		err := p.call(ctx, http.MethodPost, p.routes.associateBatch(communications, contacts), request, &reply)
		made := make(map[pair]bool, n)
		for _, r := range reply.Results {
			made[r] = true
		}
		for k, i := range at[:n] {
			switch {
			case err != nil && fault.Of(err).Kind != fault.Permanent:
				w.Fail(i, err)
			case err == nil && made[request.Inputs[k]]:
				w.Succeed(i, resultRecord, records[i])
			default:
				left = append(left, i)
			}
		}
		at = at[n:]
	}
	return left
}
