package router_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"

	"github.com/google/go-cmp/cmp"
)

// TestACRMIsToldOfANewNumber holds what is told of a change of number: the number, and a task where somebody else had it.
func TestACRMIsToldOfANewNumber(t *testing.T) {
	t.Parallel()
	hello := says("1", 0, "hello", canonical.WhatsApp, byBoth(phone, user))
	stranger := says("0", -60, "hello", canonical.SMS, canonical.Participant{Phone: phone2})
	was, is := []canonical.Identifier{number(phone), bsuid(user)}, []canonical.Identifier{number(phone2), bsuid(user3)}
	moved := changes("moved", 30, canonical.NumberChanged, byBoth(phone2, user3), was, is)
	for name, c := range map[string]struct {
		before []canonical.Event
		change canonical.Event
		want   []delivery.Kind
		task   string
	}{
		"a number that nobody had":       {[]canonical.Event{hello}, moved, []delivery.Kind{delivery.ChangePhone}, ""},
		"a number that somebody had":     {[]canonical.Event{stranger, hello}, moved, []delivery.Kind{delivery.ChangePhone, delivery.Notify}, "lead 1, lead 2"},
		"of somebody whom no CRM holds":  {nil, moved, nil, ""},
		"another identifier":             {[]canonical.Event{hello}, changes("moved", 30, canonical.Rotated, byUser(user3), []canonical.Identifier{bsuid(user)}, []canonical.Identifier{bsuid(user3)}), nil, ""},
		"a number that nobody has now":   {[]canonical.Event{hello}, changes("moved", 30, canonical.Deactivated, canonical.Participant{Phone: phone}, was[:1], nil), []delivery.Kind{delivery.Notify}, "lead 1"},
		"one that somebody else has now": {[]canonical.Event{hello}, changes("moved", 30, canonical.Reassigned, canonical.Participant{Phone: phone}, was[:1], nil), []delivery.Kind{delivery.Notify}, "lead 1"},
		"a change that names one number": {[]canonical.Event{hello}, changes("moved", 30, canonical.NumberChanged, byBoth(phone2, user3), was[1:], is), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := quiet(t)
				o.receiveAll(c.before...)
				o.receiveAll(c.change, c.change)
				var kinds []delivery.Kind
				task := ""
				for _, d := range o.shown[len(c.before):] {
					for _, a := range d.Actions {
						kinds = append(kinds, a.Kind)
						if a.Kind == delivery.ChangePhone && (a.Value["from"] != phone || a.Value["to"] != phone2) {
							t.Errorf("a CRM is told of %v", a.Value)
						}
						_, ids, _ := strings.Cut(a.Value["subject"], ": ")
						task += ids
					}
				}
				if diff := cmp.Diff(c.want, kinds); diff != "" || task != c.task {
					t.Errorf("%s\nthe task names %q, want %q", diff, task, c.task)
				}
			})
		})
	}
}
