package hubspot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// HubSpot's own properties that work writes, and the pipeline and stage of a ticket of which nothing else is said: those that every portal has.
// See https://developers.hubspot.com/docs/api-reference/latest/crm/objects/tickets/guide.
const (
	leadStatus     = "hs_lead_status"
	ticketPipeline = "hs_pipeline"
	ticketStage    = "hs_pipeline_stage"

	firstPipeline = "0"
	firstStage    = "1"
)

// ticketToContact is HubSpot's own association type.
const ticketToContact = 16

// work plans the next of what the tenant's rules ask for beside the message.
func (p plan) work() *step {
	action, name, ok := p.Work()
	if !ok {
		return nil
	}
	contact, next := p.person(connector.MakesPerson(p.Delivery))
	if next != nil {
		return next
	}
	next = p.step(kind(connector.WorkStep(action.Kind)), name, action, contact)
	next.Aside = true
	if contact == "" {
		next.Left = connector.CodeWorkNobody
	}
	if action.Kind == delivery.CreateTask {
		next.Once, next.Request.notice = true, connector.TaskOf(p.Delivery, action)
	}
	return next
}

// ofWork returns the error of a step: of work, what the portal does not let us do is of the work alone, and names the word that it may be about.
func (r Request) ofWork(err error) error {
	return connector.OfWork(r.action, err, ticketStage, leadStatus, codeScopes, "hubspot_forbidden", codePropertyMissing, "hubspot_path_unknown")
}

// priority returns HubSpot's word for one of ours.
func priority(of string) string {
	return map[string]string{delivery.Low: "LOW", delivery.Normal: "MEDIUM", delivery.High: "HIGH"}[of]
}

// openCase makes tickets with a unique key: one that is refused for its key is there, and stays as it is.
func (p *portal) openCase(ctx context.Context, w batch) {
	key := p.binding.Properties.CaseKey
	w.Each(w.All(), func(i int) {
		r := w.Request(i)
		if key == "" {
			w.Succeed(i, connector.ResultLeft, connector.CodeWorkPackage)
			return
		}
		c := connector.CaseOf(r.delivery, r.action)
		properties := fill(
			key, c.Key, "subject", connector.Cut(c.Subject, maxLeadName), "content", connector.Cut(c.Text, maxText),
			ticketPipeline, firstPipeline, ticketStage, firstStage, "hs_ticket_priority", priority(c.Priority),
		)
		if c.Status != "" {
			properties[ticketStage] = c.Status
		}
		id, err := p.make(ctx, tickets, newRecord(properties, r.contact, ticketToContact))
		switch {
		case err == nil, fault.Is(err, codeConflict):
			w.Succeed(i, resultRecord, id)
		default:
			p.failed(ctx, w, i, err)
		}
	})
}

// setStatus gives contacts a lead status, with the time of the message because of which they have it: a status that is as new, or newer, is
// left alone.
func (p *portal) setStatus(ctx context.Context, w batch) {
	p.record(ctx, w, p.binding.Properties.StatusSetAt, func(r Request) map[string]string {
		return map[string]string{leadStatus: r.action.Value[delivery.To]}
	})
}

// start tells contacts which automation is to start. A workflow of the portal that has the time for its trigger does: HubSpot's API enrols
// nobody without an e-mail address, and sends events of its own for Enterprise accounts alone. See package/README.md.
func (p *portal) start(ctx context.Context, w batch) {
	names := p.binding.Properties
	p.record(ctx, w, names.AutomationAt, func(r Request) map[string]string {
		a := connector.AutomationOf(r.delivery, r.action, r.contact)
		input, _ := json.Marshal(a.Inputs) // texts
		return map[string]string{names.Automation: a.Name, names.AutomationInput: string(input)}
	})
}

// record writes properties of contacts with the time of the message that asks for them, under the name at, if nothing newer is there.
func (p *portal) record(ctx context.Context, w batch, at string, values func(Request) map[string]string) {
	if at == "" {
		for i := range w.Len() {
			w.Succeed(i, connector.ResultLeft, connector.CodeWorkPackage)
		}
		return
	}
	p.amend(ctx, w, []string{at}, func(r Request, held map[string]string) (map[string]string, error) {
		if !connector.Newer(r.delivery, moment(held[at]), r.again) {
			return nil, nil
		}
		changed := values(r)
		changed[at] = connector.Instant(connector.WorkTime(r.delivery))
		return changed, nil
	}, nil)
}

// workable reports how the portal stands to an action of work.
func (v *visit) workable(a delivery.Action) connector.Workable {
	if at := v.binding.Properties.StatusSetAt; at == "" {
		return connector.Workable{Means: "the file says that an older package is installed", Mend: fmt.Sprintf(`make connect, then "package": %d in the CRM's settings, make apply`, Package)}
	}
	field := func(object, property string) connector.Workable {
		of := connector.Workable{Field: object + "." + property}
		for _, o := range v.objects {
			for _, option := range o.held[property].Options {
				if o.kind == object {
					of.Takes = append(of.Takes, option.Value)
				}
			}
		}
		return of
	}
	switch a.Kind {
	case delivery.OpenCase:
		if of := field(tickets, ticketStage); v.has(tickets) {
			return of
		}
		return connector.Workable{Means: "the token may not open tickets", Mend: mendScope(tickets)}
	case delivery.SetStatus:
		return field(contacts, leadStatus)
	default: // a task is made by what messages need, and what listens to a property no API tells
		return connector.Workable{}
	}
}

// opensCases reports whether the tenant's rules open cases.
func (v *visit) opensCases() bool {
	return slices.ContainsFunc(v.binding.Work, func(a delivery.Action) bool { return a.Kind == delivery.OpenCase })
}

// has reports whether the portal shows the properties of an object.
func (v *visit) has(object string) bool {
	return slices.ContainsFunc(v.objects, func(o described) bool { return o.kind == object })
}

// worked compares the work that the tenant's rules ask for with the portal.
func (v *visit) worked(context.Context) error {
	connector.AddWork(&v.Report, v.binding.Work, v.workable)
	return nil
}
