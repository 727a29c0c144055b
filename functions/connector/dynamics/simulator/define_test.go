package simulator_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/dynamics/simulator"
)

// Pages that hold definitions.
const (
	tables        = "webapi/create-update-entity-definitions-using-web-api"
	columns       = "webapi/create-update-column-definitions-using-web-api"
	relationships = "webapi/create-update-entity-relationships-using-web-api"
)

const (
	goats   = `{"@odata.type":"Microsoft.Dynamics.CRM.EntityMetadata","SchemaName":"msg_Goat","OwnershipType":"UserOwned","IsActivity":ACTIVITY,"IsAvailableOffline":ACTIVITY,"HasActivities":false,"HasNotes":NOTES,` + named
	named   = `"Attributes":[{"@odata.type":"Microsoft.Dynamics.CRM.StringAttributeMetadata","SchemaName":"msg_Name","IsPrimaryName":true,"MaxLength":100}]}`
	horns   = `{"@odata.type":"Microsoft.Dynamics.CRM.StringAttributeMetadata","SchemaName":"msg_Horns","MaxLength":64}`
	hornKey = `{"SchemaName":"msg_HornsKey","KeyAttributes":["msg_horns"]}`
	herder  = `{"@odata.type":"Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata","SchemaName":"msg_contact_msg_goat","ReferencedEntity":"contact","ReferencingEntity":"msg_goat","Lookup":{"SchemaName":"msg_Herder"}}`
)

func table(activity, notes string) string {
	return strings.NewReplacer("ACTIVITY", activity, "NOTES", notes).Replace(goats)
}

func TestADefinedTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{Indexing: time.Minute})
		person := s.Add("contact", map[string]any{"lastname": "Ruiz"})
		make := func(path, body string) {
			t.Helper()
			if got := ask(t, s, "POST", path, body, "MSCRM.SolutionUniqueName", "signalbox"); got.status != 204 || !strings.Contains(got.header.Get("OData-EntityId"), path+"(") {
				t.Fatalf("%s: %+v: see %s", path, got, tables)
			}
		}
		make("EntityDefinitions", table("false", "true"))
		make("EntityDefinitions(LogicalName='msg_goat')/Attributes", horns)
		make("EntityDefinitions(LogicalName='msg_goat')/Keys", hornKey)
		make("RelationshipDefinitions", herder)
		row, values := "msg_goats(msg_horns='2')", `{"msg_name":"Ana","msg_Herder@odata.bind":"/contacts(`+person+`)"}`
		if got := ask(t, s, "PATCH", row, values); got.status != 400 {
			t.Errorf("before the index is there: %+v: see %s", got, defineKeys)
		}
		if got := ask(t, s, "GET", "EntityDefinitions(LogicalName='msg_goat')/Keys", ""); !strings.Contains(got.body, `"EntityKeyIndexStatus":"Pending"`) {
			t.Errorf("%+v: see %s", got, defineKeys)
		}
		time.Sleep(time.Minute)
		if got := ask(t, s, "PATCH", row, values); got.status != 204 {
			t.Errorf("%+v", got)
		}
		if got := ask(t, s, "GET", row+"?$select=_msg_herder_value", ""); got.value(t, "_msg_herder_value") != person {
			t.Errorf("%+v: see %s", got, relationships)
		}
	})
}

func TestAKeyOnRowsThatAreThere(t *testing.T) {
	s := simulator.New(simulator.Options{Bare: true})
	ask(t, s, "POST", "EntityDefinitions(LogicalName='lead')/Attributes", horns)
	ask(t, s, "POST", "leads", `{"lastname":"Ruiz","msg_horns":"2"}`)
	ask(t, s, "POST", "EntityDefinitions(LogicalName='lead')/Keys", hornKey)
	if got := ask(t, s, "GET", "leads(msg_horns='2')?$select=lastname", ""); got.value(t, "lastname") != "Ruiz" {
		t.Errorf("%+v", got)
	}
}

func TestADefinedSolution(t *testing.T) {
	s := simulator.New(simulator.Options{Bare: true})
	define := func() asked {
		return ask(t, s, "POST", "EntityDefinitions(LogicalName='lead')/Attributes", horns, "MSCRM.SolutionUniqueName", "signalbox")
	}
	if got := define(); got.status != 400 {
		t.Errorf("no solution: %+v", got)
	}
	publisher := ask(t, s, "POST", "publishers?$select=publisherid", `{"uniquename":"signalbox","friendlyname":"Signalbox","customizationprefix":"msg","customizationoptionvalueprefix":10000}`, "Prefer", "return=representation")
	id, _ := publisher.value(t, "publisherid").(string)
	if got := ask(t, s, "POST", "solutions", `{"uniquename":"signalbox","friendlyname":"Signalbox","version":"1.0.0.0","publisherid@odata.bind":"/publishers(`+id+`)"}`); got.status != 204 {
		t.Errorf("%+v", got)
	}
	if got := define(); got.status != 204 {
		t.Errorf("%+v: see %s", got, columns)
	}
	if got := ask(t, s, "POST", "PublishAllXml", ""); got.status != 204 {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsNotDefined(t *testing.T) {
	lead := "EntityDefinitions(LogicalName='lead')"
	cases := map[string]struct{ path, body, says string }{
		"no prefix":                 {"EntityDefinitions", `{"SchemaName":"Goat"}`, "prefix"},
		"no primary name":           {"EntityDefinitions", `{"SchemaName":"msg_Goat"}`, "primary name"},
		"a name that is taken":      {"EntityDefinitions", strings.Replace(table("false", "true"), "msg_Goat", "msg_message", 1), "0x80047010"},
		"an activity without notes": {"EntityDefinitions", table("true", "false"), "0x8004F123"},
		"an activity not offline":   {"EntityDefinitions", strings.Replace(table("true", "true"), `"IsAvailableOffline":true`, `"IsAvailableOffline":false`, 1), "0x8004F122"},
		"a column that is there":    {lead + "/Attributes", strings.Replace(horns, "msg_Horns", "msg_senderkey", 1), "0x80047013"},
		"a column of no length":     {lead + "/Attributes", strings.Replace(horns, `,"MaxLength":64`, "", 1), "MaxLength"},
		"a column of another type":  {lead + "/Attributes", strings.Replace(horns, "String", "Money", 1), "MoneyAttributeMetadata"},
		"a choice without options":  {lead + "/Attributes", strings.Replace(horns, "String", "Boolean", 1), "OptionSet"},
		"a key of no column":        {lead + "/Keys", hornKey, "msg_horns"},
		"a key of a long text":      {lead + "/Keys", strings.Replace(hornKey, "msg_horns", "msg_firstmessage", 1), "msg_firstmessage"},
		"a key that is there":       {lead + "/Keys", `{"SchemaName":"msg_senderkeykey","KeyAttributes":["msg_senderkey"]}`, "0x80060893"},
		"a lookup to no table":      {"RelationshipDefinitions", herder, "ReferencingEntity"},
		"another table's columns":   {"EntityDefinitions(LogicalName='goat')/Attributes", horns, "Could not find an entity"},
	}
	for name, c := range cases {
		if got := ask(t, simulator.New(simulator.Options{}), "POST", c.path, c.body); got.status < 400 || !strings.Contains(got.body, c.says) {
			t.Errorf("%s: %+v, want %s", name, got, c.says)
		}
	}
}

func TestOneCustomizationAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulator.New(simulator.Options{Customizing: time.Minute})
		for _, c := range []struct{ path, body string }{{"EntityDefinitions(LogicalName='lead')/Attributes", horns}, {"RelationshipDefinitions", herder}} {
			if got := ask(t, s, "POST", c.path, c.body); got.status != 429 || !strings.Contains(got.body, "0x80071151") {
				t.Errorf("%s: %+v", c.path, got)
			}
		}
		time.Sleep(time.Minute)
		if got := ask(t, s, "POST", "EntityDefinitions(LogicalName='lead')/Attributes", horns); got.status != 204 {
			t.Errorf("%+v", got)
		}
	})
}

func TestWhoOwnsARow(t *testing.T) {
	s, lead := populated(t)
	team := s.Add("team", map[string]any{"name": "Sales"})
	for _, c := range []struct{ owner, user, team string }{{"", simulator.IntegrationUser, ""}, {"/teams(" + team + ")", "", team}, {"/systemusers(" + simulator.FirstUser + ")", simulator.FirstUser, ""}} {
		if c.owner != "" {
			ask(t, s, "PATCH", "leads("+lead+")", `{"ownerid@odata.bind":"`+c.owner+`"}`)
		}
		if user, of := property(t, s, "lead", lead, "_owninguser_value"), property(t, s, "lead", lead, "_owningteam_value"); user != c.user || of != c.team {
			t.Errorf("%s: user %q, team %q", c.owner, user, of)
		}
	}
}
