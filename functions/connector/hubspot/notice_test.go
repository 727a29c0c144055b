package hubspot_test

import (
	"log/slog"
	"testing"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/delivery"
)

// TestWhatIsToldToSomebodyWhoHasLeftIsToldToSomebodyElse: the portal refuses an owner who is none of its users, here by no number.
func TestWhatIsToldToSomebodyWhoHasLeftIsToldToSomebodyElse(t *testing.T) {
	for name, c := range map[string]struct{ owner, standIn, told, untold string }{
		"the owner":                 {"4711", "4712", "4711", ""},
		"the stand-in":              {"left", "4712", "4712", ""},
		"whoever looks at the task": {"left", "gone", "", "true"},
		"there is no stand-in":      {"left", "", "", "true"},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulator.New(simulator.Options{Token: token})
			d := message(1, delivery.Notify)
			d.Person.Links = map[string]string{"contact": s.Add("contacts", map[string]string{"phone": "+15551234567", "hubspot_owner_id": c.owner})}
			d.Actions[0].Value = map[string]string{
				"about": "waiting", "subject": "Waiting", "text": "Still.", delivery.OfWhom: delivery.Held, delivery.To: delivery.TheirOwner, delivery.Owner: c.standIn,
			}
			done, errs := connectortest.Carry(t.Context(), newCRM(portal(), simulator.Transport(s), slog.New(slog.DiscardHandler)), d)
			if errs[0] != nil {
				t.Fatal(errs[0])
			}
			if tasks, _ := s.Records("tasks"); len(tasks) != 1 || tasks[0].Properties["hubspot_owner_id"] != c.told {
				t.Errorf("tasks %v, want one of %q", tasks, c.told)
			}
			if got := done[0]["notice"][connector.ResultUntold]; got != c.untold {
				t.Errorf("untold is %q, want %q", got, c.untold)
			}
		})
	}
}
