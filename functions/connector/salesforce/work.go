package salesforce

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// caseObject is Salesforce's object of cases, and fieldCaseKey our key of one.
const (
	caseObject   = "Case"
	fieldCaseKey = "Msg_Case_Key__c"
)

// fieldStatusSet is when the message was sent because of which a lead has its status.
const fieldStatusSet = "Msg_Status_Set_At__c"

// codeNoStatus is a status of a contact, which has none.
const codeNoStatus = "salesforce_contact_no_status"

// ofWork returns the error of a step: of work, what the org does not let us do is of the work alone, and names the word that it may be about.
func (r Request) ofWork(err error) error {
	return connector.OfWork(r.Action, err, "Case.Status", "Lead.Status", codeForbidden, codeSchema, "salesforce_path_unknown")
}

// priority returns a task's word for one of ours.
func priority(of string) string {
	return map[string]string{delivery.Low: "Low", delivery.Normal: "Normal", delivery.High: "High"}[of]
}

// unpackaged leaves work undone for which the binding's package has no field, and reports whether it did.
func (o *org) unpackaged(w batch) bool {
	if o.binding.Package >= releaseWork {
		return false
	}
	for i := range w.Len() {
		w.Succeed(i, connector.ResultLeft, connector.CodeWorkPackage)
	}
	return true
}

// openCase makes cases with a key that is unique: one that is refused for its key is there, and stays as it is. A case is of no lead: of one it
// says who they are.
func (o *org) openCase(ctx context.Context, w batch) {
	if o.unpackaged(w) {
		return
	}
	w.Each(w.All(), func(i int) {
		r := w.Request(i)
		c := connector.CaseOf(r.Delivery, r.Action)
		record := connector.Object{
			fieldCaseKey, c.Key, "Subject", connector.Cut(c.Subject, maxSubject), "Description", connector.Cut(c.Text, maxText), "Status", c.Status,
			"Priority", strings.Replace(priority(c.Priority), "Normal", "Medium", 1),
		}
		if kindOf(r.Who) == contactObject {
			record = append(record, "ContactId", r.Who)
		} else {
			record = append(record, "SuppliedName", connector.Cut(connector.CalledBy(r.Delivery), maxSupplied), "SuppliedPhone", r.Delivery.Person.Phone,
				"SuppliedEmail", connector.EmailOf(r.Delivery))
		}
		err := o.create(ctx, caseObject, record)
		if fault.Is(err, codeDuplicateValue) {
			err = nil
		}
		o.conclude(ctx, w, i, err)
	})
}

// maxSupplied is how long the name on a case is.
const maxSupplied = 80

// setStatus gives leads a status, with the time of the message because of which they have it: a status that is as new, or newer, is left alone.
func (o *org) setStatus(ctx context.Context, w batch) {
	if o.unpackaged(w) {
		return
	}
	o.amend(ctx, w, nil, func(r Request, held *holding) (connector.Object, error) {
		if !connector.Newer(r.Delivery, wholeSecond(instantOf(held.StatusSet)), r.again) {
			return nil, nil
		}
		held.StatusSet = connector.Instant(connector.WorkTime(r.Delivery))
		return row(leadObject, held.ID, "Status", r.Action.Value[delivery.To], fieldStatusSet, held.StatusSet), nil
	}, fieldStatusSet)
}

// start runs autolaunched flows, one interview each. Nothing tells whether one ran whose reply was lost: it is not run again.
// See https://developer.salesforce.com/docs/atlas.en-us.api_action.meta/api_action/actions_obj_flow.htm.
func (o *org) start(ctx context.Context, w batch) {
	w.Each(w.All(), func(i int) {
		r := w.Request(i)
		if w.Intended(i) || connector.Forgotten(r.Delivery.Event) {
			w.Succeed(i, connector.ResultLeft, connector.CodeWorkUnsure)
			return
		}
		a := connector.AutomationOf(r.Delivery, r.Action, r.Who)
		var ran []struct {
			Success bool      `json:"isSuccess"`
			Errors  []problem `json:"errors"`
		}
		err := o.call(ctx, http.MethodPost, o.path("actions/custom/flow/"+a.Name), map[string]any{"inputs": []map[string]string{a.Inputs}}, &ran)
		if err == nil && (len(ran) != 1 || !ran[0].Success) {
			err = fault.New(fault.Permanent, codeFlow, nil)
		}
		o.conclude(ctx, w, i, err)
	})
}

// worked compares the work that the tenant's rules ask for with the org.
func (v *visit) worked(ctx context.Context) (err error) {
	connector.AddWork(&v.Report, v.binding.Work, func(a delivery.Action) (of connector.Workable) {
		var failed error
		switch {
		case a.Kind == delivery.StartAutomation:
			of, failed = v.startable(ctx, a)
		case a.Kind != delivery.CreateTask && v.binding.Package < releaseWork:
			of = connector.Workable{Means: "the file says that an older package is deployed", Mend: fmt.Sprintf(`make connect, then "package": %d in the CRM's settings, make apply`, Package)}
		case a.Kind == delivery.OpenCase:
			of, failed = v.picklist(ctx, caseObject, fieldCaseKey)
		case a.Kind == delivery.SetStatus && !v.binding.Capabilities.Leads:
			of = connector.Workable{Means: "the file has no leads, and a contact has no status", Mend: `"leads": true in the CRM's settings, or no such rule`}
		case a.Kind == delivery.SetStatus:
			of, failed = v.picklist(ctx, leadObject, fieldStatusSet)
		}
		err = cmp.Or(err, failed)
		return of
	})
	return err
}

// picklist returns what the status of an object takes, if the integration user may make one and sees a field of ours.
func (v *visit) picklist(ctx context.Context, object, ours string) (connector.Workable, error) {
	of := connector.Workable{Field: object + ".Status"}
	var about description
	there, err := v.has(ctx, v.path("sobjects/"+object+"/describe"), &about)
	if err != nil {
		return of, err
	}
	if !there || !about.Creatable || !slices.ContainsFunc(about.Fields, func(f heldField) bool { return f.Name == ours && f.Creatable }) {
		of.Means = "the integration user may not make a " + object + ", or does not see " + ours
		of.Mend = "a licence of the integration user that has it; make connect, and " + v.mendAssign()
		return of, nil
	}
	for _, f := range about.Fields {
		for _, one := range f.Values {
			if f.Name == "Status" && one.Active {
				of.Takes = append(of.Takes, one.Value)
			}
		}
	}
	return of, nil
}

// has reads what there is at a path, and reports whether there is something that the integration user may see.
func (v *visit) has(ctx context.Context, path string, out any) (bool, error) {
	switch err := v.ask(ctx, http.MethodGet, path, nil, out); {
	case err == nil:
		return true, nil
	case !told(err):
		return false, err
	}
	return false, nil
}

// startable reports whether there is a flow that is active, with the input variables that a rule names.
func (v *visit) startable(ctx context.Context, a delivery.Action) (of connector.Workable, err error) {
	name := a.Value[delivery.Name]
	type variable struct {
		Name string `json:"name"`
	}
	var about struct {
		Inputs []variable `json:"inputs"`
	}
	switch there, err := v.has(ctx, v.path("actions/custom/flow/"+name), &about); {
	case err != nil:
		return of, err
	case !there:
		of.Means = "there is no autolaunched flow " + name + " that is active, or the integration user may not run it"
		of.Mend = "Setup > Flows > New Flow > Autolaunched Flow (No Trigger), API name " + name + ", Activate; and the permission Run Flows for the integration user"
		return of, nil
	}
	var lacks []string
	for value := range a.Value {
		input, is := strings.CutPrefix(value, delivery.Input)
		if is && !slices.ContainsFunc(about.Inputs, func(one variable) bool { return one.Name == input }) {
			lacks = append(lacks, input)
		}
	}
	if slices.Sort(lacks); len(lacks) > 0 {
		of.Means = "the flow " + name + " has no variable " + strings.Join(lacks, ", ") + " that is available for input"
		of.Mend = "Setup > Flows > " + name + " > the variable > Available for input; or another name in the tenant's rules, make apply"
	}
	return of, nil
}
