package salesforce

import (
	"context"
	"fmt"
	"net/http"

	"signalbox/shared/connect"

	definitions "signalbox/functions/connector/salesforce/package"
)

// description is an object as the integration user sees it: a field that it may not see is not there.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/dome-sobject-describe.
type description struct {
	Creatable bool        `json:"createable"`
	Updatable bool        `json:"updateable"`
	Fields    []heldField `json:"fields"`
}

type heldField struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Length     int    `json:"length"`
	ExternalID bool   `json:"externalId"`
	Unique     bool   `json:"unique"`
	Creatable  bool   `json:"createable"`
	Updatable  bool   `json:"updateable"`
	Restricted bool   `json:"restrictedPicklist"`
	Values     []struct {
		Value  string `json:"value"`
		Active bool   `json:"active"`
	} `json:"picklistValues"`
}

// objectState is an object of the package in an org.
type objectState struct {
	object string // by the name of its records
	absent bool
	about  description
	held   map[string]heldField
	lacks  []definitions.Field
}

// objectsOf returns the objects of the package that a binding needs, by the names of their records.
func (b Binding) objectsOf() (objects []string) {
	for _, object := range definitions.Objects() {
		switch {
		case object == caseObject: // it is looked at where rules open cases
		case object == "Activity" && b.Capabilities.Tasks:
			objects = append(objects, taskObject)
		case object != "Activity":
			objects = append(objects, object)
		}
	}
	return objects
}

// packaged returns the name that the package has for an object.
func packaged(object string) string {
	if object == taskObject {
		return "Activity"
	}
	return object
}

// schema compares the org with the package, and deploys it if anything is missing and nothing refused.
func (v *visit) schema(ctx context.Context) error {
	if err := v.describe(ctx); err != nil {
		return err
	}
	lacking := false
	for _, o := range v.objects {
		lacking = lacking || len(o.lacks) > 0
		if err := v.compare(o); err != nil {
			return err
		}
	}
	mend := v.again()
	if v.Refused() {
		mend = "nothing is deployed while something is refused: mend that, and make connect again"
	}
	before := v.objects
	if lacking && v.install && !v.Refused() || v.After != "" {
		outcome, err := v.deploy(ctx)
		if err != nil {
			return err
		}
		mend = outcome.mend
		if outcome.succeeded {
			v.objects = nil
			if err := v.describe(ctx); err != nil {
				return err
			}
		}
	}
	for i, o := range v.objects {
		v.tell(o, len(before[i].lacks), mend)
	}
	return nil
}

// describe reads the objects of the package.
func (v *visit) describe(ctx context.Context) error {
	for _, object := range v.binding.objectsOf() {
		o := objectState{object: object, held: map[string]heldField{}}
		err := v.ask(ctx, http.MethodGet, v.path("sobjects/"+object+"/describe"), nil, &o.about)
		if err != nil && !told(err) {
			return err
		}
		o.absent = err != nil
		for _, f := range o.about.Fields {
			o.held[f.Name] = f
		}
		fields, err := definitions.Fields(packaged(object))
		if err != nil {
			return err
		}
		for _, f := range fields {
			if _, there := o.held[f.Name]; !there {
				o.lacks = append(o.lacks, f)
			}
		}
		v.objects = append(v.objects, o)
	}
	return nil
}

// describedAs returns the type that a field of the package is described with.
func describedAs(kind string) string {
	return map[string]string{
		"Text": "string", "LongTextArea": "textarea", "Checkbox": "boolean", "DateTime": "datetime", "Number": "double", "Lookup": "reference",
	}[kind]
}

// compare tells the fields of an object that are not what they have to be.
func (v *visit) compare(o objectState) error {
	fields, err := definitions.Fields(packaged(o.object))
	if err != nil {
		return err
	}
	for _, f := range fields {
		held, there := o.held[f.Name]
		what := o.object + "." + f.Name
		where := "Setup > Object Manager > " + packaged(o.object) + " > Fields & Relationships > " + f.Name
		keyed := o.object != taskObject || v.binding.Capabilities.TaskUpsert
		switch {
		case !there:
		case held.Type != describedAs(f.Type):
			v.Add(what, connect.Refused, "it is of the type "+held.Type+" and has to be "+describedAs(f.Type)+": deliveries that write it are refused", where+": delete it, make connect")
		case f.ExternalID && keyed && (!held.ExternalID || !held.Unique):
			v.unkeyed(o, what, where)
		case !held.Creatable || !held.Updatable:
			v.Add(what, connect.Missing, "the integration user may not edit it: deliveries that write it wait", where+" > Set Field-Level Security, or the permission set "+definitions.PermissionSetName)
		case f.Type == "Text" && held.Length < f.Length:
			v.Add(what, connect.Degraded, fmt.Sprintf("it keeps %d characters of %d: what is longer is cut", held.Length, f.Length), where+" > Edit > Length")
		}
	}
	v.standard(o)
	if !o.absent && (!o.about.Creatable || !o.about.Updatable) {
		v.Add(o.object, connect.Missing, "the integration user may not make or change one: deliveries that do wait", "a licence of the integration user that has it, and the permission set "+definitions.PermissionSetName)
	}
	return nil
}

// standardOf returns the fields of Salesforce's own that are written to an object.
func standardOf(object string) []string {
	return map[string][]string{
		contactObject: {"FirstName", "LastName", "Phone", "Email", "LeadSource", fieldDescription},
		leadObject:    {"FirstName", "LastName", "Company", "Phone", "Email", "LeadSource", fieldDescription},
		taskObject:    {"Subject", fieldDescription, "WhoId", "ActivityDate", "Status", "Priority", "TaskSubtype"},
	}[object]
}

// standard tells the fields of Salesforce's own that are hidden from the integration user, or not to be written by it.
func (v *visit) standard(o objectState) {
	for _, name := range standardOf(o.object) {
		if o.absent || o.held[name].Creatable {
			continue
		}
		state, means := connect.Missing, "deliveries that write it wait"
		if dispensable.MatchString(name) && (o.object != taskObject || name != fieldDescription) {
			state, means = connect.Degraded, "records are made without it, which the log tells"
		}
		v.Add(o.object+"."+name, state, "hidden from the integration user, or not to be edited by it: "+means,
			"Setup > Object Manager > "+o.object+" > Fields & Relationships > "+name+" > Set Field-Level Security: Visible, and not Read-Only, for its profile")
	}
}

// unkeyed tells a key by which nothing can be upserted.
func (v *visit) unkeyed(o objectState, what, where string) {
	mend := where + " > Edit: External ID, and Unique"
	if o.object == taskObject {
		mend += `; in an org that takes none "taskUpsert": false in the CRM's settings, make apply`
	}
	v.Add(what, connect.Refused, "it is no external id that is unique: what is written by this key is refused", mend)
}

// tell tells what an object has and lacks. Of the fields that it lacked before, a deployment brought those that are there now.
func (v *visit) tell(o objectState, lacked int, mend string) {
	what := "fields of " + o.object
	var now, later []string
	for _, f := range o.lacks {
		if definitions.Since(o.object, f.Name) <= max(v.binding.Package, 1) {
			now = append(now, f.Name)
		} else {
			later = append(later, f.Name)
		}
	}
	if len(now) > 0 {
		v.Add(what, connect.Missing, connect.Names(now)+": not there, or hidden from the integration user; deliveries that write them wait", mend)
	}
	if len(later) > 0 {
		v.Add("later "+what, connect.Degraded, connect.Names(later)+": not written, the file says that an older package is deployed", mend)
	}
	switch {
	case len(o.lacks) > 0:
	case lacked > 0:
		v.Add(what, connect.Installed, fmt.Sprintf("%d of them", lacked), "")
	default:
		v.Add(what, connect.OK, "", "")
	}
}
