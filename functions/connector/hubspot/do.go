package hubspot

import (
	"context"
	"net/http"
	"slices"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// batch is steps of one kind for one portal.
type batch = connector.Batch[Request]

// Do implements connector.CRM.
func (c *CRM) Do(ctx context.Context, steps []connector.Step[Request]) []connector.Outcome {
	request := func(s connector.Step[Request]) Request {
		s.Request.again = s.Again
		return s.Request
	}
	open := func(ctx context.Context, r Request) (*portal, error) {
		return c.portal(ctx, connector.KeyOf(r.delivery))
	}
	return connector.Carry(ctx, steps, request, open, func(r Request) func(*portal, context.Context, batch) {
		return map[kind]func(*portal, context.Context, batch){
			resolve:      (*portal).resolve,
			create:       (*portal).create,
			lead:         (*portal).lead,
			activity:     (*portal).activity,
			activityOnce: (*portal).activityOnce,
			conversing:   (*portal).conversation,
			consent:      (*portal).consent,
			replied:      (*portal).replied,
			number:       (*portal).number,
			name:         (*portal).name,
			owner:        (*portal).owner,
			notice:       (*portal).tell,
			upload:       (*portal).upload,
			attach:       (*portal).attach,
			openCase:     (*portal).openCase,
			setStatus:    (*portal).setStatus,
			start:        (*portal).start,
		}[r.kind]
	})
}

func (c *CRM) portal(ctx context.Context, at connector.BindingKey) (*portal, error) {
	binding, err := c.options.Bindings.Binding(ctx, at.Tenant, at.CRM)
	if err != nil {
		return nil, err
	}
	binding, r, err := binding.check()
	return &portal{crm: c, of: at, binding: binding, routes: r}, err
}

// failed concludes a step that failed. When HubSpot does not find the contact, the delivery goes on with another one, once; any
// other record that is not found may only not be visible yet. A contact that was merged into another is gone: reading it returns
// that other one.
func (p *portal) failed(ctx context.Context, w batch, i int, reason error) {
	reason = w.Request(i).ofWork(reason)
	if !fault.Is(reason, codeNotFound) {
		w.Fail(i, reason)
		return
	}
	r := w.Request(i)
	found, err := p.read(ctx, contacts, "", []string{r.contact}, []string{"lastmodifieddate"})
	switch {
	case err != nil:
		w.Fail(i, err)
	case len(found) > 0 && found[0].ID == r.contact:
		w.Fail(i, fault.New(fault.Retryable, "hubspot_association_refused", reason))
	case r.kind == name, r.kind == number: // who is gone needs none
		w.Succeed(i)
	case r.gone != "":
		w.Fail(i, fault.New(fault.Permanent, "hubspot_contact_gone", reason))
	default:
		w.Succeed(i, connector.ResultGone, r.contact)
	}
}

// The object types.
const (
	contacts       = "contacts"
	communications = "communications"
	leads          = "leads"
	tasks          = "tasks"
	notes          = "notes"
	tickets        = "tickets"
)

// end is one end of an association.
type end struct {
	ID string `json:"id"`
}

// pair is an association of a communication with a contact.
type pair struct {
	From end `json:"from"`
	To   end `json:"to"`
}

// associate puts communications on the timelines of contacts and returns an error each. It may be repeated.
func (p *portal) associate(ctx context.Context, pairs []pair) []error {
	errs := make([]error, len(pairs))
	connector.Rows{
		Most: maxBatch,
		Call: func(at []int) ([]int, error) {
			sent := make([]pair, len(at))
			for k, i := range at {
				sent[k] = pairs[i]
			}
			method, path, body := http.MethodPost, p.routes.associateBatch(communications, contacts), any(connector.Object{"inputs", sent})
			if one := sent[0]; len(sent) == 1 {
				method, path, body = http.MethodPut, p.routes.associate(communications, one.From.ID, contacts, one.To.ID), nil
			}
			var reply struct {
				Results []pair `json:"results"`
			}
			err := p.call(ctx, method, path, body, &reply)
			return slices.DeleteFunc(slices.Clone(at), func(i int) bool { return slices.Contains(reply.Results, pairs[i]) }), err
		},
		Fail: func(i int, err error) { errs[i] = err },
	}.Send(connector.Indices(len(pairs)))
	return errs
}
