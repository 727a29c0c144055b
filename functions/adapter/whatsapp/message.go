package whatsapp

import (
	"cmp"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
)

// source is what the place in a change where a message stands says of it.
type source struct {
	direction canonical.Direction
	actor     *canonical.Actor
	history   jsontext.Value // of an imported message: how far the import is
	file      bool           // it is the file of a message that comes by itself without
}

// customer returns whom a message is from, or to.
func (c *change) customer(m object, direction canonical.Direction) canonical.Participant {
	if direction == canonical.Inbound {
		return c.person(m.text("from"), m.text("from_user_id"), m.text("from_parent_user_id"))
	}
	return c.person(m.text("to"), m.text("to_user_id"), m.text("to_parent_user_id"))
}

// message reads a message, and what is sent like one: a reaction, an edit, a retraction, the news of another number. That somebody has opened
// a chat is none.
func (c *change) message(m object, from source) {
	id, kind, system := m.text("id"), m.text("type"), m.object("system")
	switch {
	case kind == "request_welcome":
		return
	case id == "":
		c.fail("message_id_missing")
		return
	case kind == "system" && isIdentity(system.text("type")):
		c.identity(m, system, id)
		return
	}
	person := c.customer(m, from.direction)
	if nobody(person) {
		c.fail("customer_missing")
		return
	}
	var left leftovers
	e := canonical.Event{
		Type: canonical.TypeMessage, Direction: from.direction, ProviderMessageID: id, Actor: from.actor, Timestamp: c.instant(m.text("timestamp")),
		RelatesTo: reply(m.object("context"), &left), Attribution: attribution(m.object("referral")),
	}
	e.Flags.Historical = from.history != ""
	say(&e, m, kind, &left)
	key := "message"
	if from.file && e.Type == canonical.TypeMessage { // whichever of the two comes first, the message has its file
		key, e.Type, e.RelatesTo = "media", canonical.TypeEdit, &canonical.Relation{Kind: "edit", ProviderMessageID: id}
	}
	if kind == "contacts" && from.direction == canonical.Inbound {
		person.Identifiers = append(person.Identifiers, shared(m)...)
	}
	if group := m.text("group_id"); group != "" {
		left.addText("group", group)
		e.Participants = c.members(person, group)
	}
	if from.direction == canonical.Inbound {
		left.addText("username", c.find(m.text("from"), m.text("from_user_id")).username)
	}
	left.add("history", from.history)
	left.addText("historyStatus", m.object("history_context").text("status"))
	e.Metadata = left.metadata()
	c.add(adapter.Parsed{Event: e, Kind: key, Key: id}, person)
}

// members returns who is known to take part in a group, and the group itself.
func (c *change) members(person canonical.Participant, group string) []canonical.Participant {
	return []canonical.Participant{person, c.ours, {
		ID: Provider + ":group:" + group, Identifiers: []canonical.Identifier{{Kind: canonical.KindChat, Scope: c.scope, Value: group}},
	}}
}

// say makes an event say what a message says.
func say(e *canonical.Event, m object, kind string, left *leftovers) {
	about := func(relation, id string) *canonical.Relation {
		return &canonical.Relation{Kind: relation, ProviderMessageID: id}
	}
	o := m.get(kind)
	switch original := o.TextAt("original_message_id"); {
	case kind == "reaction" && o.TextAt("message_id") != "":
		emoji := strings.TrimSpace(o.TextAt("emoji"))
		e.Type, e.RelatesTo = canonical.TypeReaction, about("reaction", o.TextAt("message_id"))
		if e.Reaction = (&canonical.Reaction{Emoji: emoji}); emoji == "" || len(emoji) > maxEmoji {
			e.Reaction = &canonical.Reaction{Emoji: canonical.UnknownEmoji, Removed: emoji == ""}
		}
	case kind == "edit" && original != "":
		edited := read(o.At("message"))
		e.Type, e.RelatesTo, e.Message = canonical.TypeEdit, about("edit", original), words(edited, edited.text("type"), left)
	case kind == "revoke" && original != "":
		e.Type, e.RelatesTo = canonical.TypeRetract, about("retract", original)
	default:
		e.Message = words(m, kind, left)
	}
}

// maxEmoji is how long in bytes an emoji is at most; what is longer is none.
const maxEmoji = 64

// reply returns which message a message is about, nil where none. A message that is passed on is about none.
func reply(context object, left *leftovers) *canonical.Relation {
	if context == nil {
		return nil
	}
	left.add("forwarded", context.get("forwarded"))
	left.add("frequentlyForwarded", context.get("frequently_forwarded"))
	left.add("product", context.get("referred_product"))
	id := context.text("id")
	if id == "" {
		return nil
	}
	return &canonical.Relation{Kind: "reply", ProviderMessageID: id, Sender: context.text("from")}
}

// attribution is the advertisement or post that a conversation began at.
func attribution(referral object) *canonical.Attribution {
	if referral == nil {
		return nil
	}
	a := canonical.Attribution{
		SourceType: referral.text("source_type"),
		SourceID:   referral.text("source_id"),
		SourceURL:  referral.text("source_url"),
		Headline:   referral.text("headline"),
		Body:       referral.text("body"),
		ClickID:    referral.text("ctwa_clid"),
	}
	if a == (canonical.Attribution{}) {
		return nil
	}
	return &a
}

// isIdentity reports whether news of WhatsApp's own are about what a person is known by. That a person has a new device moves nothing.
func isIdentity(kind string) bool {
	switch kind {
	case "user_changed_number", "customer_changed_number", "user_changed_user_id", "customer_identity_changed":
		return true
	default:
		return false
	}
}

// identity reads that a person has another number, or another identifier. The text that comes with it is for people.
// See https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/system.
func (c *change) identity(m, system object, id string) {
	if system.text("type") == "customer_identity_changed" {
		return
	}
	current := c.participant(&contact{}, cmp.Or(system.text("wa_id"), system.text("new_wa_id")), system.text("user_id"), system.text("parent_user_id"))
	previous := c.participant(&contact{}, m.text("from"), system.text("previous_user_id"), system.text("previous_parent_user_id"))
	changed := &canonical.Identity{Reason: canonical.NumberChanged, Previous: identifiers(previous), Current: identifiers(current)}
	if system.text("type") == "user_changed_user_id" {
		changed.Reason = canonical.Rotated
	}
	if nobody(current) || len(changed.Previous) == 0 {
		c.fail("identity_incomplete")
		return
	}
	c.add(adapter.Parsed{
		Event: canonical.Event{Type: canonical.TypeIdentity, Direction: canonical.Inbound, Identity: changed, Timestamp: c.instant(m.text("timestamp"))},
		Kind:  "identity", Key: id,
	}, current)
}

// identifiers returns all that a person is known by.
func identifiers(p canonical.Participant) []canonical.Identifier {
	if p.Phone == "" {
		return p.Identifiers
	}
	return append([]canonical.Identifier{{Kind: canonical.KindPhone, Value: p.Phone}}, p.Identifiers...)
}

// history reads a part of the history that a business has agreed to import, or that it has not.
// See https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/history.
func (c *change) history(part object) error {
	if !isList(part.get("threads")) {
		return malformed("value_malformed")
	}
	progress := cmp.Or(part.get("metadata"), "{}")
	for _, thread := range part.objects("threads") {
		if !isList(thread.get("messages")) {
			return malformed("value_malformed")
		}
		c.thread = thread.text("id")
		for v := range thread.get("messages").Elements() {
			c.raw = v
			c.imported(read(v), progress, false)
		}
	}
	return nil
}

// imported reads a message of a history. What is not from our number is the customer's. The file of a message of the last two weeks comes by
// itself, after the message or before it.
func (c *change) imported(m object, progress jsontext.Value, file bool) {
	from := source{direction: canonical.Inbound, history: progress, file: file}
	sender := m.text("from")
	isOurs := digits(sender) == c.number
	if c.thread != "" { // which is the customer's: our own number may be written by other rules of its country
		isOurs = digits(sender) != digits(c.thread)
	}
	if sender != "" && isOurs {
		from.direction, from.actor = canonical.Outbound, author("")
	}
	c.message(m, from)
}
