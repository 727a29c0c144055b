package dynamics

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/connect"
	"signalbox/shared/fault"

	definitions "signalbox/functions/connector/dynamics/package"
)

var _ connector.Connecter = (*CRM)(nil)

// installing is how long one request to connect adds definitions: each takes Dataverse some seconds. The next goes on with what is missing.
const installing = 45 * time.Second

// visit is one look at an environment.
type visit struct {
	*environment
	connect.Report
	install bool
	until   time.Time
	locked  bool // somebody else customizes the environment
}

// Connect implements connector.Connecter. The tables, columns and keys of package/ are made by requests of the definitions, in a solution of
// ours. The index of a key is built later: Report.After is set until it is.
// See https://learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-entity-definitions-using-web-api.
func (c *CRM) Connect(ctx context.Context, of connector.BindingKey, install bool, _ string) (connect.Report, error) {
	v := &visit{install: install, until: time.Now().Add(installing)}
	e, err := c.environment(ctx, of)
	if err == nil {
		v.environment = e
		err = v.look(ctx)
	}
	if err != nil && connector.OfCRM(Kind, err) {
		code := fault.Of(err).Code
		v.Add("environment", connect.Refused, code+": no delivery comes through", c.Advice(code))
		err = nil
	}
	return v.Report, err
}

// one makes a request within its own time.
func (v *visit) one(ctx context.Context, p part) reply {
	ctx, cancel := context.WithTimeout(ctx, connector.ConnectAttempt)
	defer cancel()
	return v.exchange(ctx, [][]part{{p}})[0][0]
}

func (v *visit) look(ctx context.Context) error {
	var us bearer
	if err := v.one(ctx, get("WhoAmI")).read(&us); err != nil {
		return err
	}
	v.Add("environment", connect.OK, "the application user is "+us.UserID, "")
	tables, err := definitions.Tables()
	if err != nil {
		return err
	}
	if !v.opensCases() {
		tables = slices.DeleteFunc(tables, func(t definitions.Table) bool { return t.Set == cases })
	}
	if v.binding.Contacts {
		tables = slices.DeleteFunc(tables, func(t definitions.Table) bool { return t.Name == "lead" })
		for i := range tables {
			tables[i].Columns = slices.DeleteFunc(tables[i].Columns, func(c definitions.Column) bool { return c.Target == "lead" })
		}
		v.Add("leads", connect.Degraded, "the file has none: a new person is a contact", `"leads": true in the CRM's settings where there is Dynamics 365 Sales`)
	}
	all, lacks := make([]definition, len(tables)), false
	for i, t := range tables {
		if all[i], err = v.held(ctx, t); err != nil {
			return err
		}
		lacks, v.install = lacks || all[i].lacks(t), v.install && !all[i].refuses(t)
	}
	if v.install && lacks {
		if err := v.solution(ctx); err != nil {
			return err
		}
	}
	for i, t := range tables {
		if err := v.table(ctx, t, all[i]); err != nil {
			return err
		}
	}
	if err := v.mapped(ctx, tables); err != nil {
		return err
	}
	if v.locked {
		v.Add("customization", connect.Missing, codeCustomized+": somebody else imports a solution or publishes, and nothing can be made", v.crm.Advice(codeCustomized))
	}
	v.Add("sequences", connect.Degraded, "no API that is documented takes anybody out: a reply sets msg_stopautomation, and a flow of the environment does the rest",
		"make it once: functions/connector/dynamics/package/README.md")
	return v.worked(ctx)
}

// definition is what an environment has of a table.
type definition struct {
	there   bool
	columns map[string]string // their types
	keys    map[string]string // the states of their indexes
}

// lacks reports whether a table, or a column or a key of it, is missing.
func (d definition) lacks(t definitions.Table) bool {
	return !d.there || slices.ContainsFunc(t.Columns, func(c definitions.Column) bool { return d.columns[c.Name] == "" }) ||
		slices.ContainsFunc(t.Keys, func(k definitions.Key) bool { return d.keys[k.Name] == "" })
}

// refuses reports whether a column of another type, or a key without an index, is in the way of a table's.
func (d definition) refuses(t definitions.Table) bool {
	return slices.ContainsFunc(t.Columns, func(c definitions.Column) bool { return d.columns[c.Name] != "" && d.columns[c.Name] != c.Type }) ||
		slices.ContainsFunc(t.Keys, func(k definitions.Key) bool { return d.keys[k.Name] == "Failed" })
}

func tablePath(name string) string { return "EntityDefinitions(LogicalName='" + name + "')" }

func (v *visit) held(ctx context.Context, t definitions.Table) (definition, error) {
	d := definition{columns: map[string]string{}, keys: map[string]string{}}
	var table struct {
		Keys []struct {
			Name   string `json:"LogicalName"`
			Status string `json:"EntityKeyIndexStatus"`
		} `json:"Keys"`
	}
	var columns struct {
		Value []struct {
			Name string `json:"LogicalName"`
			Type string `json:"AttributeType"`
		} `json:"value"`
	}
	err := v.one(ctx, get(tablePath(t.Name)+"?$select=LogicalName&$expand=Keys($select=LogicalName,EntityKeyIndexStatus)")).read(&table)
	if missing(err) {
		return d, nil
	}
	if err == nil {
		err = v.one(ctx, get(tablePath(t.Name)+"/Attributes?$select=LogicalName,AttributeType")).read(&columns)
	}
	d.there = err == nil
	for _, c := range columns.Value {
		d.columns[c.Name] = c.Type
	}
	for _, k := range table.Keys {
		d.keys[k.Name] = k.Status
	}
	return d, err
}

// mendInstall is what installs what is missing.
const mendInstall = "make connect TENANT=… CRM=… installs it; the application user needs the role System Customizer for that, and only for that"

// table tells how a table stands, and makes what it lacks.
func (v *visit) table(ctx context.Context, t definitions.Table, d definition) error {
	switch {
	case d.there:
	case t.Set == cases:
		v.Add("table "+t.Name, connect.Degraded, "the environment has no such table: no case is opened", "an environment with Dynamics 365 Customer Service")
		return nil
	case !t.Custom:
		v.Add("table "+t.Name, connect.Missing, "the environment has no such table: deliveries wait", `for leads, "leads": false in the CRM's settings; otherwise an environment with Dynamics 365`)
		return nil
	default:
		made, err := v.make(ctx, "EntityDefinitions", newTable(t))
		if err != nil {
			return err
		}
		if !made {
			v.Add("table "+t.Name, connect.Missing, "deliveries wait", mendInstall)
			return nil
		}
		v.Add("table "+t.Name, connect.Installed, "", "")
	}
	complete, err := v.columns(ctx, t, d)
	if err != nil || !complete { // a key needs its columns
		return err
	}
	return v.keys(ctx, t, d)
}

// columns tells how the columns of a table stand, makes those that it lacks, and reports whether all are there.
func (v *visit) columns(ctx context.Context, t definitions.Table, d definition) (complete bool, err error) {
	installed, lacks := false, ""
	for _, c := range t.Columns {
		switch have := d.columns[c.Name]; have {
		case c.Type:
		case "":
			path, members := newColumn(t, c)
			made, err := v.make(ctx, path, members)
			if err != nil {
				return false, err
			}
			if installed = installed || made; !made {
				lacks += " " + c.Name
			}
		default:
			v.Add("column "+c.Name+" of "+t.Name, connect.Refused, "it is a "+have+" and is to be a "+c.Type+": deliveries wait",
				"make.powerapps.com, Tables, the table, Columns: delete the one that is in its way; then make connect")
		}
	}
	switch {
	case lacks != "":
		v.Add("columns of "+t.Name, connect.Missing, "deliveries wait: it lacks"+lacks, mendInstall)
	case installed:
		v.Add("columns of "+t.Name, connect.Installed, "", "")
	default:
		v.Add("columns of "+t.Name, connect.OK, "", "")
	}
	return lacks == "", nil
}

func (v *visit) keys(ctx context.Context, t definitions.Table, d definition) error {
	for _, k := range t.Keys {
		what, status := "key "+k.Name+" of "+t.Name, d.keys[k.Name]
		if status == "" {
			made, err := v.make(ctx, tablePath(t.Name)+"/Keys", connector.Object{
				"@odata.type", metadata + "EntityKeyMetadata", "SchemaName", k.Name, "DisplayName", label("Messaging key"), "KeyAttributes", k.Columns,
			})
			if err != nil {
				return err
			}
			if made {
				status = "Pending"
			}
		}
		switch status {
		case "Active":
			v.Add(what, connect.OK, "", "")
		case "Pending", "InProgress":
			v.After = k.Name
			v.Add(what, connect.Missing, "deliveries wait: its index is being built", v.crm.Advice("dynamics_key_pending"))
		case "Failed":
			v.Add(what, connect.Refused, "its index could not be built: deliveries wait", v.crm.Advice("dynamics_key_failed"))
		default:
			v.Add(what, connect.Missing, "deliveries wait", v.crm.Advice(codeKey))
		}
	}
	return nil
}

// make makes a definition in our solution. It returns false if nothing is to be installed, or if the time is over: the next request goes on.
// Dataverse takes one customization at a time: what somebody else imports or publishes is waited for. See
// https://learn.microsoft.com/troubleshoot/power-platform/dataverse/working-with-solutions/solution-operations-concurrency-failures.
func (v *visit) make(ctx context.Context, path string, members connector.Object) (bool, error) {
	if !v.install {
		return false, nil
	}
	if v.locked || time.Now().After(v.until) {
		v.After = path
		return false, nil
	}
	data, err := json.Marshal(members)
	if err != nil {
		return false, err
	}
	for {
		err = v.one(ctx, part{method: http.MethodPost, path: path, data: data, solution: true}).err
		switch {
		case exists(err): // a try that was cut off made it
			return true, nil
		case !fault.Is(err, codeCustomized):
			return err == nil, err
		case time.Until(v.until) < customWait:
			v.After, v.locked = path, true
			return false, nil
		}
		if err := connector.Wait(ctx, customWait); err != nil {
			return false, err
		}
	}
}

// solution makes our publisher and our solution, if they are not there.
func (v *visit) solution(ctx context.Context) error {
	for _, c := range []struct {
		set, id string
		members func(publisher string) connector.Object
	}{
		{"publishers", "publisherid", func(string) connector.Object {
			return connector.Object{
				"uniquename", definitions.Solution, "friendlyname", "Signalbox", "customizationprefix", definitions.Prefix, "customizationoptionvalueprefix", 47110,
			}
		}},
		{"solutions", "solutionid", func(publisher string) connector.Object {
			return connector.Object{
				"uniquename", definitions.Solution, "friendlyname", "Signalbox", "version", "1.0.0.0", "publisherid@odata.bind", "/publishers(" + publisher + ")",
			}
		}},
	} {
		find := get(c.set + "?$select=" + c.id + "&$filter=uniquename%20eq%20'" + definitions.Solution + "'")
		_, there, err := v.first(ctx, find, c.id)
		if err == nil && !there {
			publisher, _, failed := v.first(ctx, get("publishers?$select=publisherid&$filter=uniquename%20eq%20'"+definitions.Solution+"'"), "publisherid")
			if err = failed; err == nil {
				data, _ := json.Marshal(c.members(publisher)) // texts and a number
				err = v.one(ctx, part{method: http.MethodPost, path: c.set, data: data}).err
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// first returns a column of the first row that a query finds.
func (v *visit) first(ctx context.Context, query part, column string) (id string, found bool, err error) {
	var told struct {
		Value []map[string]any `json:"value"`
	}
	if err := v.one(ctx, query).read(&told); err != nil || len(told.Value) == 0 {
		return "", false, err
	}
	id, _ = told.Value[0][column].(string)
	return id, true, nil
}

// metadata is what the names of the types of definitions begin with.
const metadata = "Microsoft.Dynamics.CRM."

// label returns a name for people, in English.
func label(text string) connector.Object {
	return connector.Object{"@odata.type", metadata + "Label", "LocalizedLabels", []connector.Object{
		{"@odata.type", metadata + "LocalizedLabel", "Label", text, "LanguageCode", 1033},
	}}
}

// required is the level of a column that nobody has to fill in.
func required() connector.Object {
	return connector.Object{"Value", "None", "CanBeChanged", true, "ManagedPropertyLogicalName", "canmodifyrequirementlevelsettings"}
}

// newTable returns the definition of a table with the column that rows are called by. An activity is called by its subject, and has to be there
// offline. See https://learn.microsoft.com/power-apps/developer/data-platform/custom-activities.
func newTable(t definitions.Table) connector.Object {
	primary := definitions.Column{Name: definitions.Prefix + "_name", Type: "String", Length: 100, Label: "Name"}
	if t.Activity {
		primary = definitions.Column{Name: "Subject", Type: "String", Length: maxSubject, Label: "Subject"}
	}
	return connector.Object{
		"@odata.type", metadata + "EntityMetadata", "SchemaName", t.Name, "DisplayName", label(t.Label), "DisplayCollectionName", label(t.Labels),
		"OwnershipType", "UserOwned", "IsActivity", t.Activity, "IsAvailableOffline", t.Activity, "HasActivities", false, "HasNotes", t.Activity,
		"Attributes",
		[]connector.Object{append(attribute(primary), "IsPrimaryName", true)},
	}
}

// attribute returns the definition of a column.
func attribute(c definitions.Column) connector.Object {
	of := connector.Object{
		"@odata.type", metadata + c.Type + "AttributeMetadata", "SchemaName", c.Name, "DisplayName", label(c.Label), "RequiredLevel", required(),
	}
	switch c.Type {
	case "String":
		return append(of, "MaxLength", c.Length, "FormatName", connector.Object{"Value", "Text"})
	case "Memo":
		return append(of, "MaxLength", c.Length, "Format", "TextArea")
	case "Integer":
		return append(of, "MinValue", -2147483648, "MaxValue", 2147483647, "Format", "None")
	case "DateTime":
		return append(of, "Format", "DateAndTime", "DateTimeBehavior", connector.Object{"Value", "UserLocal"})
	case "Boolean":
		option := func(value int, text string) connector.Object {
			return connector.Object{"Value", value, "Label", label(text)}
		}
		return append(of, "DefaultValue", false, "OptionSet", connector.Object{
			"@odata.type", metadata + "BooleanOptionSetMetadata", "TrueOption", option(1, "Yes"), "FalseOption", option(0, "No"),
		})
	default:
		return of
	}
}

// newColumn returns where a column is made, and of what: a lookup is made with the relationship that it is of.
func newColumn(t definitions.Table, c definitions.Column) (path string, members connector.Object) {
	if c.Type != "Lookup" {
		return tablePath(t.Name) + "/Attributes", attribute(c)
	}
	return "RelationshipDefinitions", connector.Object{
		"@odata.type", metadata + "OneToManyRelationshipMetadata", "SchemaName", strings.Join([]string{t.Name, c.Name}, "_"),
		"ReferencedEntity", c.Target, "ReferencedAttribute", c.Target + "id", "ReferencingEntity", t.Name,
		"CascadeConfiguration",
		connector.Object{
			"Assign", "NoCascade", "Delete", "RemoveLink", "Merge", "Cascade", "Reparent", "NoCascade", "Share", "NoCascade", "Unshare", "NoCascade",
		},
		"Lookup", attribute(c),
	}
}
