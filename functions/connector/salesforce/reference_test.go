package salesforce_test

import (
	"strings"
	"testing"

	"signalbox/functions/connector/connectortest"
	"signalbox/shared/delivery"
)

// TestWordsThatLookLikeReferencesAreWords: in a composite graph "@{a.b}" is a reference, wherever it stands in a body. What
// somebody writes is none: it neither fails the graph nor reads what another part of it made.
func TestWordsThatLookLikeReferencesAreWords(t *testing.T) {
	for name, words := range map[string]string{
		"to nothing":               "hello @{goat.id}, are you there?",
		"to the person":            "@{person.id}",
		"to the person, in JSON":   `"WhoId":"@{person.id}","Lead__c":"@{person.id}"`,
		"that never ends":          "a price of @{12",
		"that is empty":            "@{}",
		"as many as fit":           strings.Repeat("@{", 16000),
		"and an address beside it": "ana@example.test {@} @ {x}",
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				d := newcomer(1)
				d.Event.Message.Text, d.Event.Message.Summary = words, words
				d.Actions[0].Value = map[string]string{"source": "messaging", "description": words}
				d.Person.Name = words
				known := linked(message(2, delivery.LogActivity), w.who)
				known.Event.Message = d.Event.Message
				_, errs := connectortest.Carry(t.Context(), w.process(), d, known)
				none(t, errs)
				leads, _ := w.Records("Lead")
				events, _ := w.Records("Msg_Event__c")
				tasks, _ := w.Records("Task")
				if len(leads) != 1 || len(events) != 2 || len(tasks) != 2 {
					t.Fatalf("%v %v %v", leads, events, tasks)
				}
				said := strings.ReplaceAll(words, "@{", "@｛")
				for _, e := range events {
					if e.Properties["Body__c"] != said {
						t.Errorf("%q, want %q", e.Properties["Body__c"], said)
					}
				}
				if whose := events[0].Properties["Lead__c"] + events[1].Properties["Lead__c"]; whose != leads[0].ID {
					t.Errorf("the message is of %q", whose)
				}
			})
		})
	}
}
