package hubspot

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"signalbox/shared/connect"
	"signalbox/shared/fault"

	definitions "signalbox/functions/connector/hubspot/package"
)

// heldProperty is a property as a portal has it.
type heldProperty struct {
	definitions.Property
	Calculated bool `json:"calculated"`
	Meta       struct {
		ReadOnly bool `json:"readOnlyValue"`
	} `json:"modificationMetadata"`
}

// described is an object type of a portal, and what it lacks.
type described struct {
	kind  string
	held  map[string]heldProperty
	lacks []definitions.Property // by the names of the file
}

// typeID returns HubSpot's id of an object type. See https://developers.hubspot.com/docs/api-reference/latest/crm/understanding-the-crm.
func typeID(kind string) string {
	return map[string]string{contacts: "0-1", communications: "0-18", leads: "0-136", tickets: "0-5"}[kind]
}

// wanted returns the properties of package/ that the binding needs, by the names of its file.
func (v *visit) wanted(kind string) ([]definitions.Property, error) {
	all, err := definitions.Properties(kind)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(d definitions.Property) bool {
		return kind == communications && d.HasUniqueValue && !v.binding.Capabilities.EngagementUpsert
	})
	for i, d := range all {
		all[i].Name = v.given.renamed(d.Name)
	}
	return all, nil
}

// describe reads the portal's properties and compares them with package/.
func (v *visit) describe(ctx context.Context) error {
	for _, kind := range definitions.Objects() {
		if kind == leads && !v.binding.Capabilities.Leads || kind == tickets && !v.opensCases() {
			continue
		}
		var list struct {
			Results []heldProperty `json:"results"`
		}
		switch _, err := v.ask(ctx, http.MethodGet, v.routes.properties+"/"+kind, nil, &list); {
		case err != nil && withheld(err) && kind == leads:
			v.Add(leads, connect.Missing, fault.Of(err).Code+": no lead is made, deliveries that make one wait",
				`a Sales Hub seat and the scopes crm.objects.leads.read and .write, or "leads": false in the CRM's settings`)
			continue
		case err != nil && withheld(err) && kind == tickets: // worked tells it
			continue
		case err != nil && withheld(err):
			v.Add(kind, connect.Missing, fault.Of(err).Code+": every delivery waits", mendOf(fault.Of(err).Code))
			continue
		case err != nil:
			return err
		}
		o := described{kind: kind, held: make(map[string]heldProperty, len(list.Results))}
		for _, p := range list.Results {
			o.held[p.Name] = p
		}
		wanted, err := v.wanted(kind)
		if err != nil {
			return err
		}
		v.holds(o, wanted)
	}
	return nil
}

// holds keeps what an object has and lacks of what is wanted.
func (v *visit) holds(o described, wanted []definitions.Property) {
	for _, d := range wanted {
		if held, there := o.held[d.Name]; there {
			v.compare(o.kind, d, held)
		} else {
			o.lacks = append(o.lacks, d)
		}
	}
	v.objects = append(v.objects, o)
	v.leadType(o)
}

// compare tells a property that is not what it has to be.
func (v *visit) compare(kind string, d definitions.Property, held heldProperty) {
	what := kind + "." + d.Name
	mend := "HubSpot: Settings > Properties > " + d.Name + ": archive it and make connect, or call ours otherwise by settings.properties of the CRM"
	switch {
	case held.Type != d.Type:
		v.Add(what, connect.Refused, "it is of the type "+held.Type+" and has to be "+d.Type+": deliveries that write it are refused", mend)
	case d.HasUniqueValue && !held.HasUniqueValue:
		v.Add(what, connect.Refused, "its values are not unique: what is written by this key is refused", mend)
	}
	var lacks []string
	for _, o := range d.Options {
		if !slices.ContainsFunc(held.Options, func(h definitions.Option) bool { return h.Value == o.Value }) {
			lacks = append(lacks, o.Value)
		}
	}
	if held.Type == d.Type && len(lacks) > 0 {
		v.Add(what, connect.Missing, "it lacks the options "+strings.Join(lacks, ", ")+": what has one of them is refused", "HubSpot: Settings > Properties > "+d.Name+" > Field type: add the options")
	}
}

// leadType tells a type of leads that the portal does not have.
func (v *visit) leadType(o described) {
	wanted := v.binding.LeadType
	options := o.held["hs_lead_type"].Options
	if o.kind != leads || wanted == "" || slices.ContainsFunc(options, func(h definitions.Option) bool { return h.Value == wanted }) {
		return
	}
	known := make([]string, len(options))
	for i, one := range options {
		known[i] = one.Value
	}
	v.Add("leads.hs_lead_type", connect.Refused, "settings.leadType is none of its options: no lead is made", "settings.leadType of the CRM is one of "+strings.Join(known, ", ")+": make apply")
}

// complete installs what an object lacks, or tells it. Where something was refused nothing is installed.
func (v *visit) complete(ctx context.Context) error {
	install, told := v.install && !v.Refused(), ""
	for _, o := range v.objects {
		what := "properties of " + o.kind
		switch {
		case len(o.lacks) == 0:
			v.Add(what, connect.OK, "", "")
			continue
		case !install:
			v.missing(o, o.lacks, cmp.Or(told, v.again()))
			continue
		}
		made, err := v.make(ctx, o)
		if err != nil && !withheld(err) {
			return err
		}
		if made > 0 {
			v.Add(what, connect.Installed, namesOf(o.lacks[:made]), "")
		}
		switch refused := fault.Of(err); {
		case err == nil:
		case refused.Code == codeScopes || refused.Code == "hubspot_forbidden":
			install, told = false, mendScope("crm.schemas.contacts.write")+", make connect, and take it away again"
			v.missing(o, o.lacks[made:], told)
		case o.kind == communications && o.lacks[made].HasUniqueValue:
			v.Add("unique key of communications", connect.Missing, refused.Code+": the portal takes none, so that every message waits",
				`"engagementUpsert": false in the CRM's settings, make apply, make connect`)
		default:
			v.missing(o, o.lacks[made:], refused.Code+": functions/connector/hubspot/runbook.md has the code")
		}
	}
	v.release()
	return nil
}

// again says how what is missing is installed.
func (v *visit) again() string {
	if v.Refused() {
		return "nothing is installed while something is refused: mend that, and make connect again"
	}
	return fmt.Sprintf("make connect TENANT=%s CRM=%s", v.of.Tenant, v.of.CRM)
}

// make makes the properties that an object lacks, and returns how many.
func (v *visit) make(ctx context.Context, o described) (made int, err error) {
	grouped := false
	for _, p := range o.held {
		grouped = grouped || p.GroupName == definitions.PropertyGroup().Name
	}
	if !grouped {
		_, err := v.ask(ctx, http.MethodPost, v.routes.groups(o.kind), definitions.PropertyGroup(), nil)
		if err != nil && !fault.Is(err, codeConflict) {
			return 0, err
		}
	}
	for _, d := range o.lacks {
		_, err := v.ask(ctx, http.MethodPost, v.routes.properties+"/"+o.kind, d, nil)
		if err != nil && !fault.Is(err, codeConflict) { // somebody made it meanwhile
			return made, err
		}
		made++
	}
	return made, nil
}

// missing tells the properties that an object lacks: those of the release of package/ that the file names, which deliveries write, and later ones.
func (v *visit) missing(o described, lacks []definitions.Property, mend string) {
	var now, later []definitions.Property
	for _, d := range lacks {
		if v.given.since(d.Name) <= max(v.binding.Package, 1) {
			now = append(now, d)
		} else {
			later = append(later, d)
		}
	}
	if len(now) > 0 {
		v.Add("properties of "+o.kind, connect.Missing, namesOf(now)+": deliveries that write them wait", mend)
	}
	if len(later) > 0 {
		v.Add("later properties of "+o.kind, connect.Degraded, namesOf(later)+": not written, the file says that an older package is installed", mend)
	}
}

// release tells a file that says that less is installed than there is.
func (v *visit) release() {
	if !v.Lacks() && max(v.binding.Package, 1) < Package {
		v.Add("package", connect.Degraded, fmt.Sprintf("the file says release %d: what came later is not written", max(v.binding.Package, 1)),
			fmt.Sprintf(`"package": %d in the CRM's settings, make apply`, Package))
	}
}

func namesOf(all []definitions.Property) string {
	names := make([]string, len(all))
	for i, d := range all {
		names[i] = d.Name
	}
	return connect.Names(names)
}

// renamed returns the file's name of a property that package/ calls standard.
func (p Properties) renamed(standard string) string {
	names := reflect.ValueOf(p)
	for i := range names.NumField() {
		if names.Type().Field(i).Tag.Get("standard") == standard {
			return cmp.Or(names.Field(i).String(), standard)
		}
	}
	return standard
}

// since returns the release of package/ that a property by the file's name came with.
func (p Properties) since(name string) int {
	names := reflect.ValueOf(p)
	for i := range names.NumField() {
		tag := names.Type().Field(i).Tag
		if name == cmp.Or(names.Field(i).String(), tag.Get("standard")) {
			since, _ := strconv.Atoi(tag.Get("since"))
			return since
		}
	}
	return 1
}
