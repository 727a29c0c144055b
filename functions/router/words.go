package router

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/tenant"
)

// told returns an event as CRMs and sessions get it, by what was decided about it. None of them reads a file with our credentials. Words that the tenant keeps back by now are not told,
// whatever held when it came.
func (r *Router) told(e canonical.Event, d *Decision, t tenant.Tenant, pepper canonical.Pepper) canonical.Event {
	e.Consent = d.Consent
	e.Flags.AutoReply = e.Flags.AutoReply || d.AutoReply
	e.Metadata = maps.Clone(e.Metadata)
	delete(e.Metadata, canonical.RawVendor)
	if e.Message != nil {
		e.Message = e.Message.WithoutAccess()
	}
	if r.keepsFiles(&e, d, t) {
		e.Message = r.linked(&e, t, pepper)
	}
	if d.Withheld || t.TimelineOf(e.LineID).Withholds() {
		e = withoutWords(e, pepper)
	}
	return e
}

// withoutWords returns an event without what was said in it, and without files. In its place stands how long it is, and a digest under a
// key of the tenant, by which two can be told to be the same.
func withoutWords(e canonical.Event, pepper canonical.Pepper) canonical.Event {
	e.Metadata = nil
	if e.Attribution != nil {
		a := *e.Attribution
		a.Headline, a.Body = "", ""
		e.Attribution = &a
	}
	m := e.Message
	if m == nil || m.ContentType == canonical.ContentEncrypted {
		return e
	}
	var parts []string
	said := m.Text
	if m.Postback != nil {
		parts, said = append(parts, "button"), cmp.Or(said, m.Postback.Text)
	}
	for _, part := range []struct {
		name string
		has  bool
	}{
		{"template", m.Template != nil},
		{"cards", len(m.Cards) > 0},
		{"list", m.List != nil},
		{"contacts", len(m.Contacts) > 0},
		{"order", m.Order != nil},
		{"unsupported", m.ContentType == canonical.ContentUnsupported},
	} {
		if part.has {
			parts = append(parts, part.name)
		}
	}
	if said != "" {
		parts = append(parts, fmt.Sprintf("%d characters, digest %s", utf8.RuneCountInString(said), canonical.Digest(pepper, "words", said)[:12]))
	}
	if n := len(m.Attachments); n > 0 {
		parts = append(parts, fmt.Sprintf("%d attached", n))
	}
	if m.Location != nil {
		parts = append(parts, "location")
	}
	text := "[" + cmp.Or(strings.Join(parts, ", "), "no words") + "]"
	e.Message = &canonical.Message{Text: text, Summary: text, ContentType: "text/plain"}
	return e
}

// maxDescription bounds, in characters, what a new record says about the first message: the activity holds all of it.
const maxDescription = 2000

// description returns what a new record says about an event.
func description(e *canonical.Event) string {
	if e.Message == nil {
		return ""
	}
	return shorten(cmp.Or(e.Message.Text, e.Message.Summary), maxDescription)
}

// describedBy returns actions that were decided of an event when its words were told, without them: as it is told now.
func describedBy(actions []delivery.Action, before, now *canonical.Event) []delivery.Action {
	actions = slices.Clone(actions)
	for i, a := range actions {
		if words := a.Value["description"]; a.Kind == delivery.EnsurePerson && words != "" && words == description(before) {
			value := maps.Clone(a.Value)
			value["description"] = description(now)
			actions[i].Value = value
		}
	}
	return actions
}
