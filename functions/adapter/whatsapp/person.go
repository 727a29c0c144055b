package whatsapp

import (
	"cmp"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/identity"
)

// contact is whom a change tells of, as it writes them: a number in digits, and the identifiers of a user, who may show no number.
type contact struct {
	phone, user, parent, name, username string
}

// person returns a customer by what an event says of them, and by what its change does.
func (c *change) person(number, user, parent string) canonical.Participant {
	number = strings.TrimPrefix(number, "+")
	return c.participant(c.find(number, user), number, user, parent)
}

// find returns the contact of a customer, one that says nothing where there is none. Most changes list contacts in the order of what is told of
// them.
func (c *change) find(number, user string) *contact {
	for n := range c.contacts {
		i := (c.next + n) % len(c.contacts)
		if found := &c.contacts[i]; user != "" && found.user == user || number != "" && (found.phone == number || found.user == number) {
			c.next = i
			return found
		}
	}
	if c.single {
		return &c.contacts[0]
	}
	return &contact{phone: c.thread}
}

// participant returns a customer. What has not the form of a number or of an identifier proves nothing, and names its sender where nothing else
// does. A user name changes at will: it is shown where there is no name.
func (c *change) participant(known *contact, number, user, parent string) canonical.Participant {
	other := adapter.Number(known.phone)
	p := canonical.Participant{Phone: other, DisplayName: known.name}
	if number != known.phone {
		p.Phone = cmp.Or(adapter.Number(number), other)
	}
	if p.DisplayName == "" && known.username != "" {
		p.DisplayName = "@" + known.username
	}
	written := [...]string{user, number, known.user, known.phone} // a user without a number may stand where that is due
	user, parent = firstOf(canonical.KindBSUID, written[:]...), firstOf(canonical.KindParentBSUID, parent, known.parent)
	id := cmp.Or(user, strings.TrimPrefix(p.Phone, "+"))
	for i := 0; i < len(written) && id == ""; i++ {
		if canonical.Printable(maxOpaque)(written[i]) {
			id = written[i]
		}
	}
	if id != "" {
		p.ID = Provider + ":" + id
	}
	if p.Phone == "" {
		p.ChannelAddress = id
	}
	for _, i := range [...]canonical.Identifier{{Kind: canonical.KindBSUID, Value: user}, {Kind: canonical.KindParentBSUID, Value: parent}} {
		if i.Value != "" {
			i.Scope = c.scope
			p.Identifiers = append(p.Identifiers, i)
		}
	}
	if other != p.Phone && other != "" { // the same, written by other rules of its country
		p.Identifiers = append(p.Identifiers, canonical.Identifier{Kind: canonical.KindPhone, Value: other})
	}
	return p
}

// maxOpaque is how long in bytes a name of a customer is at most that has no form that is known.
const maxOpaque = 128

// firstOf returns the first of what is written that is an identifier of a kind, "" where none is.
func firstOf(kind string, written ...string) string {
	for _, s := range written {
		if identity.WhatsApp(s) == kind {
			return s
		}
	}
	return ""
}

// nobody reports whether nothing tells who somebody is.
func nobody(p canonical.Participant) bool { return p.Phone == "" && p.ID == "" }
