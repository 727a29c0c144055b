package dynamics

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"signalbox/functions/connector"
	"signalbox/shared/connect"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// Codes for which work is left undone.
const (
	codeCaseOfLead = "dynamics_case_of_lead"   // a case is of a contact, or an account
	codeStatusWord = "dynamics_status_invalid" // the status is no number
)

// maxCaseTitle is how long the title of a case is.
const maxCaseTitle = 200

// ofWork returns the error of a step: of work, what the environment does not let us do is of the work alone, and names the word that it may be
// about.
func (r Request) ofWork(err error) error {
	return connector.OfWork(r.Action, err, "incident.statuscode", "statuscode", codeSchema, codeKey, codePrivilege, codeForbidden, "dynamics_choice_invalid", "dynamics_path_unknown")
}

// priority returns a task's number for one of our words.
func priority(of string) int {
	switch of {
	case delivery.Low:
		return 0
	case delivery.Normal:
		return 1
	default:
		return 2
	}
}

// status returns the number that a word of the tenant's is.
func status(word string) (int, error) {
	n, err := strconv.Atoi(word)
	if err != nil {
		return 0, fault.New(fault.Permanent, codeStatusWord, nil)
	}
	return n, nil
}

// makeAll makes a row a step, each by its key: one that is there is left alone.
func (e *environment) makeAll(ctx context.Context, w batch, row func(Request) (part, error)) {
	rows := make([][]part, w.Len())
	for i := range rows {
		p, err := row(w.Request(i))
		if err != nil {
			w.Fail(i, w.Request(i).ofWork(err))
			continue
		}
		rows[i] = []part{p}
	}
	for i, replies := range e.exchange(ctx, rows) {
		err := firstOf(replies)
		switch {
		case len(replies) == 0:
		case err == nil, exists(err):
			w.Succeed(i)
		default:
			e.failed(ctx, w, i, err)
		}
	}
}

// openCase makes cases of contacts.
func (e *environment) openCase(ctx context.Context, w batch) {
	e.makeAll(ctx, w, func(r Request) (part, error) {
		c := connector.CaseOf(r.Delivery, r.Action)
		members := connector.Object{
			"title", connector.Cut(c.Subject, maxCaseTitle), "description", connector.Cut(c.Text, maxDescription), "customerid_contact@odata.bind", "/" + r.Who,
		}
		if c.Priority != "" {
			members = append(members, "prioritycode", 3-priority(c.Priority)) // 1 is high, 3 is low
		}
		if c.Status != "" {
			n, err := status(c.Status)
			if err != nil {
				return part{}, err
			}
			members = append(members, "statuscode", n)
		}
		return fresh(byKey(cases, caseKey, c.Key), members), nil
	})
}

// start makes the rows that flows of the environment are triggered by, which is documented for a row that is added: a flow runs once a row. See
// https://learn.microsoft.com/power-automate/dataverse/create-update-delete-trigger.
func (e *environment) start(ctx context.Context, w batch) {
	e.makeAll(ctx, w, func(r Request) (part, error) {
		a := connector.AutomationOf(r.Delivery, r.Action, r.Who)
		input, _ := json.Marshal(a.Inputs) // texts
		return fresh(byKey(automations, automationKey, a.Key), connector.Object{
			"msg_name", a.Name, "msg_input", string(input), "msg_" + objectOf(setOf(r.Who)) + "@odata.bind", "/" + r.Who,
		}), nil
	})
}

// setStatus gives persons a status, with the time of the message because of which they have it: a status that is as new, or newer, is left alone.
func (e *environment) setStatus(ctx context.Context, w batch) {
	e.amend(ctx, w, nil, func(r Request, held *person) (connector.Object, error) {
		n, err := status(r.Action.Value[delivery.To])
		if err != nil || !connector.Newer(r.Delivery, instant(held.StatusSet), r.again) {
			return nil, err
		}
		held.StatusSet = connector.Instant(connector.WorkTime(r.Delivery))
		return connector.Object{"statuscode", n, "msg_statussetat", held.StatusSet}, nil
	})
}

// opensCases reports whether the tenant's rules open cases.
func (v *visit) opensCases() bool {
	return slices.ContainsFunc(v.binding.Work, func(a delivery.Action) bool { return a.Kind == delivery.OpenCase })
}

// worked compares the work that the tenant's rules ask for with the environment.
func (v *visit) worked(ctx context.Context) (err error) {
	connector.AddWork(&v.Report, v.binding.Work, func(a delivery.Action) connector.Workable {
		table := "lead"
		switch {
		case a.Kind == delivery.OpenCase && slices.ContainsFunc(v.Findings, func(f connect.Finding) bool { return f.What == "table incident" && f.State == connect.Degraded }):
			return connector.Workable{Means: "the environment has no cases", Mend: "an environment with Dynamics 365 Customer Service"}
		case a.Kind == delivery.OpenCase && !v.binding.Contacts:
			return connector.Workable{Means: "a case is of a contact: none is opened of a lead", Mend: `"leads": false in the CRM's settings, or leads that are qualified`}
		case a.Kind == delivery.OpenCase:
			table = "incident"
		case a.Kind == delivery.SetStatus && v.binding.Contacts:
			table = "contact"
		case a.Kind != delivery.SetStatus:
			return connector.Workable{}
		}
		takes, failed := v.statuses(ctx, table)
		if failed != nil {
			err = failed
		}
		return connector.Workable{Field: table + ".statuscode", Takes: takes}
	})
	return err
}

// statuses returns the numbers that the status of a table may be while its state is the first, nil if Dataverse does not tell.
func (v *visit) statuses(ctx context.Context, table string) (all []string, err error) {
	var told struct {
		Set struct {
			Options []struct {
				Value int `json:"Value"`
				State int `json:"State"`
			} `json:"Options"`
		} `json:"OptionSet"`
	}
	err = v.one(ctx, get(fmt.Sprintf("%s/Attributes(LogicalName='statuscode')/%sStatusAttributeMetadata?$select=LogicalName&$expand=OptionSet", tablePath(table), metadata))).read(&told)
	for _, o := range told.Set.Options {
		if o.State == 0 {
			all = append(all, strconv.Itoa(o.Value))
		}
	}
	if f := fault.Of(err); f != nil && f.Kind == fault.Permanent {
		err = nil
	}
	return all, err
}
