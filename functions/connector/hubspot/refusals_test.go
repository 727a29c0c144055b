package hubspot_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// TestARuleOfThePortalIsNamed: the fault names the property, and holds nothing of its value. From 2026-09 on rules of which properties must
// be there are enforced, too.
func TestARuleOfThePortalIsNamed(t *testing.T) {
	letters := simulator.Rule{Object: "contacts", Property: "firstname", Error: "INVALID_ALPHA", Refuses: func(properties map[string]string, _ bool) bool {
		return properties["firstname"] != "" && strings.ContainsAny(properties["firstname"], "0123456789")
	}}
	city := simulator.Rule{Object: "contacts", Property: "city", Error: "MISSING_REQUIRED_PROPERTY", From: "2026-09", Refuses: func(properties map[string]string, isNew bool) bool {
		return isNew && properties["lifecyclestage"] == "lead" && properties["city"] == ""
	}}
	cases := map[string]struct {
		version string
		rule    simulator.Rule
		person  string
		names   string // "" if nothing is refused
	}{
		"of what a value must be":                   {hubspot.Version202603, letters, "R2D2 Ruiz", "INVALID_ALPHA firstname"},
		"of what a value must be, before dates":     {hubspot.VersionLegacy, letters, "R2D2 Ruiz", "INVALID_ALPHA firstname"},
		"that is kept":                              {hubspot.Version202609, letters, "Ana Ruiz", ""},
		"of which properties there are":             {hubspot.Version202609, city, "Ana Ruiz", "MISSING_REQUIRED_PROPERTY city"},
		"of which properties there are, not before": {hubspot.Version202603, city, "Ana Ruiz", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := simulator.New(simulator.Options{Token: token})
			s.AddRule(c.rule)
			b, d := portal(), newcomer(1)
			b.Version, d.Person.Name = c.version, c.person
			_, errs := connectortest.Carry(t.Context(), newCRM(b, simulator.Transport(s), slog.New(slog.DiscardHandler)), d)
			switch f := fault.Of(errs[0]); {
			case c.names == "":
				none(t, errs)
			case f == nil || f.Kind != fault.Permanent || f.Code != "hubspot_validation_rule" || !strings.Contains(f.Error(), c.names) || strings.Contains(f.Error(), "Ruiz"):
				t.Errorf("%v, want %s", errs[0], c.names)
			}
		})
	}
}

// TestNothingIsWrittenOfWhomThePortalErased: nobody is made again, no message is kept, and nothing fails: twenty dead letters of one person
// would hold up a tenant.
func TestNothingIsWrittenOfWhomThePortalErased(t *testing.T) {
	for name, owner := range map[string]string{"nobody's": "", "somebody's": "4711"} {
		t.Run(name, func(t *testing.T) {
			s := simulator.New(simulator.Options{Token: token})
			s.Erase(s.Add("contacts", map[string]string{"email": "ana@example.test"}))
			var said bytes.Buffer
			crm := newCRM(portal(), simulator.Transport(s), slog.New(slog.NewTextHandler(&said, nil)))
			d := newcomer(1)
			d.Person.Email = "ana@example.test"
			d.Actions = append(d.Actions, stop(1, "2026-01-18T14:23:12Z").Actions...)
			if owner != "" {
				d.Actions[0].Value[delivery.Owner], d.Actions[0].Value[delivery.Tell] = owner, "owner"
			}
			done, errs := connectortest.Carry(t.Context(), crm, d)
			none(t, errs)
			for _, object := range []string{"contacts", "communications", "leads", "tasks"} {
				if held, _ := s.Records(object); len(held) > 0 {
					t.Errorf("%s: %v", object, held)
				}
			}
			if links := crm.Links(d, done[0]); links["contact"] != "" {
				t.Errorf("%v", links)
			}
			if !strings.Contains(said.String(), "erased the person") || strings.Contains(said.String(), "ana@") {
				t.Error(said.String())
			}
		})
	}
}
