package salesforce

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"signalbox/functions/connector"
	"signalbox/shared/connect"
	"signalbox/shared/fault"

	definitions "signalbox/functions/connector/salesforce/package"
)

// visit is one look at an org.
type visit struct {
	*org
	connect.Report
	install  bool
	assigned bool // the permission set is the integration user's
	objects  []objectState
}

// Connect implements connector.Connecter. After is the id of a deployment that was not done.
func (c *CRM) Connect(ctx context.Context, of connector.BindingKey, install bool, after string) (connect.Report, error) {
	v := &visit{install: install}
	if recordID.MatchString(after) {
		v.After = after
	}
	err := v.open(ctx, c, of)
	for _, look := range []func(context.Context) error{v.organization, v.versions, v.limits, v.user, v.schema, v.capabilities, v.mapped, v.worked} {
		if err == nil {
			err = look(ctx)
		}
	}
	if err != nil && connector.OfCRM(Kind, err) {
		f := fault.Of(err)
		v.After = ""
		v.Add("org", connect.Refused, f.Code+": no delivery comes through", mendOf(f.Code))
		err = nil
	}
	return v.Report, err
}

func (v *visit) open(ctx context.Context, c *CRM, of connector.BindingKey) error {
	b, err := c.options.Bindings.Binding(ctx, of.Tenant, of.CRM)
	if err == nil {
		b, err = b.check()
	}
	v.org = &org{crm: c, at: of, binding: b}
	return err
}

// ask makes a request within its own time.
func (v *visit) ask(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, connector.ConnectAttempt)
	defer cancel()
	return v.call(ctx, method, path, in, out)
}

// query reads records by a query.
func (v *visit) query(ctx context.Context, soql string, records any) error {
	reply := struct {
		Records any `json:"records"`
	}{records}
	return v.ask(ctx, http.MethodGet, v.path("query")+"?q="+url.QueryEscape(soql), nil, &reply)
}

// told reports whether a refusal is of one thing: others may be told.
func told(err error) bool {
	f := fault.Of(err)
	return f != nil && (f.Kind == fault.Permanent || f.Code == codeForbidden || f.Code == codeSchema || f.Code == "salesforce_path_unknown")
}

// organization finds out which org the session is of.
func (v *visit) organization(ctx context.Context) error {
	var found []struct {
		ID      string `json:"Id"`
		Edition string `json:"OrganizationType"`
		Sandbox bool   `json:"IsSandbox"`
	}
	err := v.query(ctx, "SELECT Id, OrganizationType, IsSandbox FROM Organization", &found)
	if err != nil && !told(err) {
		return err
	}
	said := "Salesforce does not tell which"
	if len(found) == 1 && recordID.MatchString(found[0].ID) {
		if v.binding.ofAnother(found[0].ID) {
			return fault.New(fault.Blocked, codeOtherOrg, nil)
		}
		said = found[0].ID + ", " + found[0].Edition
		if found[0].Sandbox {
			said += ", a sandbox"
		}
	}
	v.Add("org", connect.OK, said, "")
	return nil
}

// versions reports whether the org has the version of the API that is used.
func (v *visit) versions(ctx context.Context) error {
	var all []struct {
		Version string `json:"version"`
	}
	if err := v.ask(ctx, http.MethodGet, "/services/data", nil, &all); err != nil || len(all) == 0 {
		return err
	}
	oldest, newest := "v"+all[0].Version, "v"+all[len(all)-1].Version
	for _, one := range all {
		if "v"+one.Version == v.binding.Version {
			v.Add("version", connect.OK, v.binding.Version+", of "+oldest+" to "+newest, "")
			return nil
		}
	}
	v.Add("version", connect.Refused, v.binding.Version+" is none of the org's, "+oldest+" to "+newest+": no delivery comes through",
		`"apiVersion": "`+Version+`" of the CRM in the tenant's file, make apply`)
	return nil
}

// limits tells how many of the day's requests are left.
func (v *visit) limits(ctx context.Context) error {
	var limits struct {
		Daily struct {
			Max       int `json:"Max"`
			Remaining int `json:"Remaining"`
		} `json:"DailyApiRequests"`
	}
	if err := v.ask(ctx, http.MethodGet, v.path("limits"), nil, &limits); err != nil && !told(err) {
		return err
	}
	d := limits.Daily
	state, said := connect.OK, "Salesforce does not tell"
	if d.Max > 0 {
		said = fmt.Sprintf("%d of %d are left", d.Remaining, d.Max)
		if d.Remaining < d.Max/10 {
			state, said = connect.Degraded, said+": deliveries wait once none is, for up to 24 hours"
		}
	}
	v.Add("requests a day", state, said, "")
	return nil
}

// user finds out whether the integration user has the permission set.
func (v *visit) user(ctx context.Context) error {
	id, err := v.crm.sessions.User(ctx, v.at)
	if err != nil || id == "" {
		return err
	}
	var found []struct {
		ID string `json:"Id"`
	}
	query := "SELECT Id FROM PermissionSetAssignment WHERE AssigneeId = '" + id + "' AND PermissionSet.Name = '" + definitions.PermissionSetName + "'"
	if err := v.query(ctx, query, &found); err != nil && !told(err) {
		return err
	}
	v.assigned = len(found) > 0
	return nil
}

// mendAssign says how the integration user gets the permission set.
func (v *visit) mendAssign() string {
	return "Setup > Permission Sets > " + definitions.PermissionSetName + " > Manage Assignments > Add Assignment: the integration user; or sf org assign permset --name " +
		definitions.PermissionSetName + " --on-behalf-of <its user name> --target-org <alias>"
}

// again is the command that looks again.
func (v *visit) again() string {
	return fmt.Sprintf("make connect TENANT=%s CRM=%s", v.at.Tenant, v.at.CRM)
}

// capabilities tells what the org does without, or more than the file says.
func (v *visit) capabilities(ctx context.Context) error {
	v.permissions()
	if !v.Lacks() && max(v.binding.Package, 1) < Package {
		v.Add("package", connect.Degraded, fmt.Sprintf("the file says release %d: what came later is not written", max(v.binding.Package, 1)), fmt.Sprintf(`"package": %d in the CRM's settings, make apply`, Package))
	}
	capable := v.binding.Capabilities
	if capable.Tasks && !capable.TaskUpsert {
		v.Add("unique key of tasks", connect.Degraded, "the file has none: a task is looked for before it is made, which takes two requests more", `"taskUpsert": true in the CRM's settings once the org takes one`)
	}
	v.countries()
	if err := v.files(ctx); err != nil {
		return err
	}
	return v.cadences(ctx)
}

// permissions tells whose the permission set is. What the integration user needs may come from another one.
func (v *visit) permissions() {
	what := "permission set " + definitions.PermissionSetName
	switch {
	case v.assigned:
		v.Add(what, connect.OK, "", "")
	case v.Lacks():
		v.Add(what, connect.Missing, "it is not assigned to the integration user, who sees no field of ours without it", v.mendAssign())
	default:
		v.Add(what, connect.Degraded, "it is not assigned to the integration user, who may do all that is needed by other ones", v.mendAssign())
	}
}

// countries compares what the file says of picklists of countries with the org.
func (v *visit) countries() {
	for _, o := range v.objects {
		if o.object != contactObject || o.absent {
			continue
		}
		_, there := o.held["MailingCountryCode"]
		switch {
		case v.binding.Capabilities.CountryCodes && !there:
			v.Add("codes of countries", connect.Missing, "State and Country/Territory Picklists are off: people cannot be looked for", `"countryCodes": false in the CRM's settings, make apply`)
		case !v.binding.Capabilities.CountryCodes && there:
			v.Add("codes of countries", connect.Degraded, "the file does not use them: national numbers are read by the names of countries", `"countryCodes": true in the CRM's settings, make apply`)
		}
	}
}

// files reports whether the integration user may make files.
func (v *visit) files(ctx context.Context) error {
	var about description
	err := v.ask(ctx, http.MethodGet, v.path("sobjects/ContentVersion/describe"), nil, &about)
	switch {
	case err != nil && !told(err):
		return err
	case err != nil || !about.Creatable:
		v.Add("files", connect.Degraded, "the integration user may make none: files of messages stay links, which the log tells", "Setup > Files > General Settings, and a licence with Salesforce Files for the integration user")
	default:
		v.Add("files", connect.OK, "", "")
	}
	return nil
}

// cadences reports whether a reply ends cadences.
func (v *visit) cadences(ctx context.Context) error {
	const without = "a reply sets Msg_Stop_Automation__c and ends nothing itself"
	if !v.binding.Capabilities.SalesEngagement {
		v.Add("cadences", connect.Degraded, "the file does not end them: "+without, `with Sales Engagement: "salesEngagement": true in the CRM's settings; otherwise a flow that listens to the field`)
		return nil
	}
	err := v.ask(ctx, http.MethodGet, v.path("sobjects/ActionCadenceTracker/describe"), nil, nil)
	if err == nil {
		err = v.ask(ctx, http.MethodGet, v.path("actions/standard/removeTargetFromSalesCadence"), nil, nil)
	}
	switch {
	case err == nil:
		v.Add("cadences", connect.OK, "", "")
	case withheld(err) || told(err):
		v.Add("cadences", connect.Degraded, "Sales Engagement is not licensed, or the integration user may not use it: "+without+"; the metric SequencesNotCancelled counts it",
			"Setup > Sales Engagement, and its permission set for the integration user; or \"salesEngagement\": false in the CRM's settings")
	default:
		return err
	}
	return nil
}

// mendOf says what a person is to do about a code of an org that cannot be used.
func mendOf(code string) string {
	return cmp.Or((*CRM)(nil).Advice(code), "functions/connector/salesforce/runbook.md has the code")
}
