package whatsapp

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
)

// reader reads the changes of one webhook.
type reader struct {
	scope    string // of the identifiers of users
	received time.Time
	parsed   []adapter.Parsed
	seen     map[[2]string]bool // the kinds and keys of events, once there are several
}

// change is what happened to one number of ours.
type change struct {
	*reader
	ours     canonical.Participant
	number   string // ours, in digits
	contacts []contact
	next     int            // where the search for a contact begins
	single   bool           // there is one message or the like, so that a single contact is its customer
	thread   string         // of a history: the customer's number
	raw      jsontext.Value // of the event that is read
}

// lists returns the members of a change that hold events, in the order in which they are read.
func lists() [5]string {
	return [...]string{"messages", "message_echoes", "statuses", "user_preferences", "history"}
}

// change reads one change of an entry.
func (r *reader) change(v jsontext.Value) error {
	field := v.TextAt("field")
	switch field {
	case "messages", "smb_message_echoes", "message_echoes", "standby", "user_preferences", "history":
	default:
		return nil
	}
	var room [8]member
	value := read(v.At("value"), room[:0]...)
	if value == nil {
		return malformed("value_malformed")
	}
	c := r.about(value)
	for _, name := range lists() {
		all := value.get(name)
		if !isList(all) {
			return malformed("value_malformed")
		}
		for one := range all.Elements() {
			if err := c.read(field, name, one); err != nil {
				return err
			}
		}
	}
	return nil
}

// read reads one element of a list.
func (c *change) read(field, list string, v jsontext.Value) error {
	var room [16]member
	c.raw = v
	switch o := read(v, room[:0]...); {
	case list == "messages" && field == "history":
		c.imported(o, "{}", true)
	case list == "messages":
		c.message(o, source{direction: canonical.Inbound})
	case list == "message_echoes":
		c.message(o, source{direction: canonical.Outbound, actor: author(field)})
	case list == "statuses":
		c.status(o)
	case list == "user_preferences":
		c.preference(o)
	default:
		return c.history(o)
	}
	return nil
}

// author returns who wrote what an echo tells of: a colleague in the WhatsApp Business app, Meta's agent in conversations that it holds, or
// a program by the API.
func author(field string) *canonical.Actor {
	switch field {
	case "standby":
		return &canonical.Actor{Kind: "automation", Via: "meta_business_agent"}
	case "message_echoes":
		return &canonical.Actor{Kind: "automation", Via: "cloud_api"}
	default:
		return &canonical.Actor{Kind: "agent", Via: "whatsapp_business_app"}
	}
}

// about reads whose change it is, and of whom it tells.
func (r *reader) about(value object) *change {
	metadata := value.get("metadata")
	c := &change{
		reader: r, number: digits(metadata.TextAt("display_phone_number")), ours: canonical.Participant{ChannelAddress: metadata.TextAt("phone_number_id")},
	}
	c.ours.Phone = adapter.Number(c.number)
	for v := range value.get("contacts").Elements() {
		var room [8]member
		o, profile := read(v, room[:0]...), v.At("profile")
		c.contacts = append(c.contacts, contact{
			phone: o.text("wa_id"), user: o.text("user_id"), parent: o.text("parent_user_id"),
			name: profile.TextAt("name"), username: strings.TrimPrefix(profile.TextAt("username"), "@"),
		})
	}
	c.single = len(c.contacts) == 1 && count(value) == 1
	return c
}

// count returns how many events a change holds, those of a history aside: 2 stands for more.
func count(value object) (n int) {
	all := lists()
	for _, name := range all[:len(all)-1] {
		for range value.get(name).Elements() {
			if n++; n > 1 {
				return n
			}
		}
	}
	return n
}

// digits returns the digits of a number that is written for people: "+1 555-078-3881".
func digits(number string) string {
	for i := range len(number) {
		if number[i] < '0' || number[i] > '9' {
			return strings.Map(func(r rune) rune {
				if r < '0' || r > '9' {
					return -1
				}
				return r
			}, number)
		}
	}
	return number
}

// add adds an event with what is the same of all. A webhook may hold one twice.
func (c *change) add(p adapter.Parsed, person canonical.Participant) {
	if c.repeats(&p) {
		return
	}
	e := &p.Event
	e.Channel = canonical.WhatsApp
	if e.Sender, e.Recipient = c.ours, person; e.Direction == canonical.Inbound {
		e.Sender, e.Recipient = person, c.ours
	}
	p.Person, p.Side = cmp.Or(person.Phone, person.ID), cmp.Or(c.ours.ChannelAddress, c.ours.Phone)
	p.Addresses = []string{c.ours.ChannelAddress, c.ours.Phone}
	p.Vendor = adapter.JSONFields(c.raw, isOpen)
	c.parsed = append(c.parsed, p)
}

// repeats reports whether an event was added before.
func (c *change) repeats(p *adapter.Parsed) bool {
	name := [2]string{p.Kind, p.Key}
	if c.seen == nil && len(c.parsed) > 0 {
		c.seen = map[[2]string]bool{{c.parsed[0].Kind, c.parsed[0].Key}: true}
	}
	repeated := c.seen[name]
	if c.seen != nil {
		c.seen[name] = true
	}
	return repeated
}

// fail adds that something cannot be used; the rest can.
func (c *change) fail(code string) { c.parsed = append(c.parsed, adapter.Parsed{Err: malformed(code)}) }

// isOpen names the members that say nothing about a person. An id of a message is none: it holds the customer's number.
func isOpen(name string) bool {
	switch name {
	case "type", "timestamp", "status", "category", "value", "recipient_type", "errors.code", "errors.title", "interactive.type", "system.type",
		"pricing.billable", "pricing.pricing_model", "pricing.category", "pricing.type", "history_context.status":
		return true
	default:
		return strings.HasSuffix(name, ".mime_type")
	}
}

// instant reads a time in seconds since 1970, or in milliseconds, which a time in seconds is not for thousands of years. It returns the zero
// time for what is none, and for what has not happened by our clock: the time of receipt stands in.
func (r *reader) instant(s string) time.Time {
	const milliseconds = 100_000_000_000
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	at := time.Unix(n, 0)
	if n >= milliseconds {
		at = time.UnixMilli(n)
	}
	if at.After(r.received) {
		return time.Time{}
	}
	return at.UTC()
}
