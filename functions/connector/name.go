package connector

import (
	"cmp"
	"slices"
	"strings"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
)

// LinkNamed is the key of delivery.Person.Links under which a CRM notes "true" once it calls the person by a name. While it does
// not, a name that comes is compared with what the CRM holds.
const LinkNamed = "named"

// AddressOf returns what a channel knows a person by who has no phone: an e-mail address, a handle, an opaque id. It is "" for
// who has a phone, and for who has neither.
func AddressOf(d delivery.Delivery) string {
	if d.Person.Phone != "" {
		return ""
	}
	them := d.Event.Sender
	if d.Event.Direction != canonical.Inbound {
		them = d.Event.Recipient
	}
	return Clean(cmp.Or(them.ChannelAddress, strings.TrimPrefix(them.ID, string(d.Event.Channel)+":"), d.Person.Email))
}

// EmailOf returns a person's e-mail address as CRMs compare it.
func EmailOf(d delivery.Delivery) string { return strings.ToLower(strings.TrimSpace(d.Person.Email)) }

// Ensured returns what is noted of a person who is new to a CRM: the source, the channel and the first message.
func Ensured(d delivery.Delivery) (source, channel, said string) {
	var value map[string]string
	for _, a := range d.Actions {
		if a.Kind == delivery.EnsurePerson {
			value = a.Value
		}
	}
	return cmp.Or(value["source"], "messaging"), cmp.Or(value["channel"], string(d.Event.Channel)), cmp.Or(value["description"], Said(d.Event))
}

// NameOf returns what a person said to call them, on one line, and "" for who did not.
func NameOf(d delivery.Delivery) string { return oneLine(d.Person.Name, maxName) }

// maxName is how long a name is at most; CRMs take less.
const maxName = 1024

// CalledBy returns what a CRM is to call a person who is new to it: by name, otherwise by number or address.
func CalledBy(d delivery.Delivery) string { return cmp.Or(NameOf(d), d.Person.Phone, AddressOf(d)) }

// Asks reports whether one of the actions of a delivery is of one of the kinds.
func Asks(d delivery.Delivery, kinds ...delivery.Kind) bool {
	return slices.ContainsFunc(d.Actions, func(a delivery.Action) bool { return slices.Contains(kinds, a.Kind) })
}

// MakesPerson reports whether a delivery is for somebody whom the CRM is to have.
func MakesPerson(d delivery.Delivery) bool {
	return slices.ContainsFunc(d.Actions, delivery.Action.MakesPerson)
}

// CarriesName reports whether a delivery that makes sure of the person says what they are called.
func CarriesName(d delivery.Delivery) bool { return NameOf(d) != "" && MakesPerson(d) }

// Nameless reports whether a name that a CRM holds of a person is none: it is empty, or what CalledBy gave for want of one,
// cut to limit characters. Any other was given by somebody else and is never replaced.
func Nameless(d delivery.Delivery, held string, limit int) bool {
	held = strings.TrimSpace(held)
	return held == "" || held == d.Person.Phone || held == Cut(AddressOf(d), limit) || SameNumber(d.Person.Phone, d.Person.Region, held)
}
