package hubspot

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/connect"
	"signalbox/shared/fault"
)

// codeOtherPortal is a token of another portal than the settings name.
const codeOtherPortal = "hubspot_other_portal"

// visit is one look at a portal.
type visit struct {
	*portal
	connect.Report
	install bool
	given   Properties // the names of the file, before defaults are filled in
	scopes  []string   // of the token, nil if HubSpot does not tell
	objects []described
}

// Connect implements connector.Connecter. Nothing of HubSpot's outlasts a request: after is not used.
func (c *CRM) Connect(ctx context.Context, of connector.BindingKey, install bool, _ string) (connect.Report, error) {
	v := &visit{install: install}
	err := v.open(ctx, c, of)
	for _, look := range []func(context.Context) error{v.account, v.limits, v.describe, v.complete, v.capabilities, v.validation, v.mapped, v.worked} {
		if err == nil {
			err = look(ctx)
		}
	}
	if err != nil && connector.OfCRM(Kind, err) {
		f := fault.Of(err)
		v.Add("portal", connect.Refused, f.Code+": no delivery comes through", mendOf(f.Code))
		err = nil
	}
	return v.Report, err
}

func (v *visit) open(ctx context.Context, c *CRM, of connector.BindingKey) error {
	b, err := c.options.Bindings.Binding(ctx, of.Tenant, of.CRM)
	if err != nil {
		return err
	}
	checked, r, err := b.check()
	if err != nil {
		return err
	}
	v.portal, v.given = &portal{crm: c, of: of, binding: checked, routes: r}, b.Properties
	return v.ending(cmp.Or(b.Version, Version202603))
}

// soon is how long before its end a version is told of.
const soon = 180 * 24 * time.Hour

//go:embed versions.json
var versions []byte

// ending tells of a version that ends.
func (v *visit) ending(version string) error {
	all, err := connect.ReadVersions(versions)
	for _, one := range all {
		if one.Name == version && (version == VersionLegacy || one.EndsBefore(time.Now().Add(soon))) {
			v.Add("version "+version, connect.Degraded, "HubSpot ends it on "+one.Ends, `"apiVersion": "`+Version202603+`" of the CRM in the tenant's file`)
		}
	}
	return err
}

// ask makes a request within its own time.
func (v *visit) ask(ctx context.Context, method, path string, in, out any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, connector.ConnectAttempt)
	defer cancel()
	return v.exchange(ctx, method, path, in, out)
}

// withheld reports whether a refusal is of one thing: others may be told.
func withheld(err error) bool {
	f := fault.Of(err)
	return f != nil && (f.Kind == fault.Permanent || f.Code == codeScopes || f.Code == "hubspot_forbidden" || f.Code == "hubspot_path_unknown")
}

// account finds out whose the token is and what it may do. HubSpot tells the latter of private apps, and is not said to of service keys; see
// https://developers.hubspot.com/docs/apps/legacy-apps/private-apps/overview.
func (v *visit) account(ctx context.Context) error {
	var token struct {
		Hub    int64    `json:"hubId"`
		Scopes []string `json:"scopes"`
	}
	var about struct {
		Portal int64  `json:"portalId"`
		Kind   string `json:"accountType"`
		Zone   string `json:"timeZone"`
	}
	_, err := v.ask(ctx, http.MethodPost, "/oauth/v2/private-apps/get/access-token-info", map[string]string{"tokenKey": string(v.binding.Token)}, &token)
	if err != nil && !withheld(err) {
		return err
	}
	v.scopes = token.Scopes
	header, err := v.ask(ctx, http.MethodGet, v.routes.account+"/details", nil, &about)
	if err != nil && !withheld(err) {
		return err
	}
	id := max(token.Hub, about.Portal)
	if v.binding.PortalID != 0 && id != 0 && id != v.binding.PortalID {
		return fault.New(fault.Blocked, codeOtherPortal, nil)
	}
	said := "HubSpot does not tell which"
	if id != 0 {
		said = strconv.FormatInt(id, 10)
	}
	if about.Kind != "" {
		said += ", " + about.Kind + ", " + about.Zone
	}
	v.Add("portal", connect.OK, said, "")
	v.granted()
	if most := header.Get("X-Hubspot-Ratelimit-Max"); most != "" {
		v.Add("burst limit", connect.OK, most+" requests in "+header.Get("X-Hubspot-Ratelimit-Interval-Milliseconds")+" ms", "")
	}
	return nil
}

// needs returns the scopes that deliveries need, each with what is without it.
func (v *visit) needs() (all []connect.Finding) {
	need := func(scope string, without connect.State, means string) {
		all = append(all, connect.Finding{What: "scope " + scope, State: without, Means: means, Mend: mendScope(scope)})
	}
	need("crm.objects.contacts.read", connect.Missing, "nobody is found: every delivery waits")
	need("crm.objects.contacts.write", connect.Missing, "nothing is written: every delivery waits")
	if v.binding.Capabilities.Leads {
		need("crm.objects.leads.read", connect.Missing, "a lead that is there is not found: deliveries that make one wait")
		need("crm.objects.leads.write", connect.Missing, "no lead is made: deliveries that make one wait")
	}
	need("files", connect.Degraded, "files of messages stay links, which the log tells")
	return all
}

// granted compares the scopes of the token with those that deliveries need.
func (v *visit) granted() {
	if v.scopes == nil {
		v.Add("scopes", connect.OK, "HubSpot does not tell them of this kind of token; what is below was tried", "")
		return
	}
	for _, f := range v.needs() {
		if slices.Contains(v.scopes, f.What[len("scope "):]) {
			f = connect.Finding{What: f.What, State: connect.OK}
		}
		v.Findings = append(v.Findings, f)
	}
}

// limits tells how many of the day's requests are left.
func (v *visit) limits(ctx context.Context) error {
	var usage struct {
		Results []struct {
			Used  int `json:"currentUsage"`
			Limit int `json:"usageLimit"`
		} `json:"results"`
	}
	_, err := v.ask(ctx, http.MethodGet, v.routes.account+"/api-usage/daily/private-apps", nil, &usage)
	if err != nil && !withheld(err) {
		return err
	}
	state, said := connect.OK, "HubSpot does not tell"
	if len(usage.Results) > 0 && usage.Results[0].Limit > 0 {
		u := usage.Results[0]
		said = fmt.Sprintf("%d of %d are used", u.Used, u.Limit)
		if u.Used > u.Limit/10*9 {
			state, said = connect.Degraded, said+": deliveries wait once all are, until midnight in the portal's time zone"
		}
	}
	v.Add("requests a day", state, said, "")
	return nil
}

// capabilities tells what the portal, or the file, does without.
func (v *visit) capabilities(context.Context) error {
	capable := v.binding.Capabilities
	if !capable.Leads {
		v.Add("leads", connect.Degraded, `the file has none: the step lead ends with "skipped", a new person is a contact alone`,
			`with a Sales Hub seat: "leads": true in the CRM's settings, make apply, make connect`)
	}
	if !capable.EngagementUpsert {
		v.Add("unique key of communications", connect.Degraded, "the file has none: the step activity.once looks for a message before it is made, which takes two or three requests more",
			`"engagementUpsert": true in the CRM's settings once the portal takes one`)
	}
	for _, o := range v.objects {
		_, sequences := o.held[sequenceBegan]
		switch {
		case o.kind == contacts && sequences:
			v.Add("sequences", connect.Degraded, "no API takes anybody out: a reply sets "+v.binding.Properties.StopAutomation+", and a workflow of the portal does; whether it is on no API tells",
				"make it once: functions/connector/hubspot/package/sequences.md")
		case o.kind == contacts:
			v.Add("sequences", connect.Degraded, "the portal has none: a reply sets "+v.binding.Properties.StopAutomation+" and ends nothing", "")
		}
	}
	return nil
}

// mendScope says how a token gets a scope.
func mendScope(scope string) string {
	return "HubSpot: Development > Keys > Service keys > the key > Add new scope > " + scope + " (of a private app: its Scopes)"
}

// mendOf says what a person is to do about a code of a portal that cannot be used.
func mendOf(code string) string {
	return cmp.Or((*CRM)(nil).Advice(code), "functions/connector/hubspot/runbook.md has the code")
}
