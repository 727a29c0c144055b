package router

import (
	"cmp"
	"regexp"
	"strings"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/identity"
	"signalbox/shared/tenant"
)

// identifier returns the strongest identifier of a participant.
func identifier(p canonical.Participant) string {
	return cmp.Or(p.Phone, p.ID, p.HashedEmail, p.ChannelAddress)
}

// person returns whom an event is about: the customer's side of it.
func person(e *canonical.Event, t tenant.Tenant, pepper canonical.Pepper, head conversation.Head) delivery.Person {
	customer := e.Customer()
	key := head.PersonKey
	if key == "" {
		key = canonical.PersonKey(pepper, identifier(customer))
	}
	p := delivery.Person{Key: key, Name: customer.DisplayName, Phone: customer.Phone, Region: t.Region, Unmatched: head.Reassigned}
	var addresses []string
	for _, i := range identity.Proving(customer.Identifiers) {
		if i.Kind == canonical.KindEmail {
			addresses = append(addresses, i.Value)
		}
	}
	if p.Phone == "" {
		addresses = append(addresses, customer.ChannelAddress, strings.TrimPrefix(customer.ID, string(e.Channel)+":"))
	}
	p.Email = email(addresses...)
	return p
}

// mailbox is an e-mail address that every CRM takes. It matches fewer than a mail server would: what it
// refuses is shown as an address, not as an e-mail address.
var mailbox = regexp.MustCompile(`^[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}$`)

// maxMailbox is the shortest length that a CRM keeps of an e-mail address.
const maxMailbox = 80

// email returns the first of the addresses that is an e-mail address, "" if none is.
func email(addresses ...string) string {
	for _, address := range addresses {
		if len(address) <= maxMailbox && mailbox.MatchString(address) {
			return address
		}
	}
	return ""
}
