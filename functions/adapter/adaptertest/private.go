package adaptertest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/webhook"
)

// private checks that no value of a webhook and no credential can be found in what operators see.
func private(t *testing.T, p Provider) {
	worlds := map[string]func(*world){
		"all is well":              func(*world) {},
		"the queue is down":        func(w *world) { w.events.down = true },
		"all is down":              func(w *world) { w.events.down, w.spoolDown, w.stateDown = true, true, true },
		"the address is nobody's":  func(w *world) { w.noLines = true },
		"nothing can be looked up": func(w *world) { w.linesDown = true },
		"the channel panics":       func(w *world) { w.channel = panicking{p.Channel} },
		"the signature is wrong": func(w *world) {
			w.provider.Sign = func(r webhook.Request, _ secret.Value) webhook.Request { return p.Sign(r, p.token(older)) }
		},
	}
	for name, prepare := range worlds {
		t.Run(name, func(t *testing.T) {
			for _, folder := range folders(t) {
				w := newWorld(p)
				prepare(w)
				w.send(t, readFolder(t, folder).Request())
				w.events.down, w.spoolDown = false, false
				_ = w.drain(t)
				for _, m := range w.events.messages {
					w.output.WriteString(m.ID + " " + m.Group + " " + m.Trace + "\n")
				}
				for _, l := range w.letters() {
					w.output.WriteString(deadLetterText(t, l))
				}
				checkPrivate(t, p, folder, w.output.String())
			}
		})
	}
}

// checkPrivate checks that what was written of a case holds nothing of it.
func checkPrivate(t *testing.T, p Provider, folder, seen string) {
	t.Helper()
	for what, value := range personal(t, p, readFolder(t, folder)) {
		if strings.Contains(seen, value) {
			t.Errorf("%s: %s can be read in\n%s", folder, what, seen)
		}
	}
}

// personal returns what must not be seen of a case: everything its events say of people, and every credential.
func personal(t *testing.T, p Provider, c Case) map[string]string {
	t.Helper()
	found := map[string]string{
		"the current token": string(p.token(current)), "the previous token": string(p.token(previous)), "an old token": string(p.token(older)),
		"the pepper": string(pepper),
	}
	w := newWorld(p)
	w.send(t, c.Request())
	add := func(what, value string) {
		digits := strings.Trim(value, "0123456789") == ""
		if len(value) > 3 && !digits || len(value) > 7 { // shorter ones are part of any word, or of any time
			found[what] = value
		}
	}
	for _, m := range w.events.messages {
		var e canonical.Event
		if err := json.Unmarshal(m.Body, &e); err != nil {
			t.Fatal(err)
		}
		for side, who := range map[string]canonical.Participant{"sender": e.Sender, "recipient": e.Recipient} {
			add(side+"'s phone", strings.TrimPrefix(who.Phone, "+"))
			add(side+"'s id", who.ID)
			add(side+"'s name", who.DisplayName)
			add(side+"'s address", who.ChannelAddress)
		}
		if e.Message == nil {
			continue
		}
		addContent(e.Message, add)
	}
	return found
}

// addContent adds what a message holds.
func addContent(m *canonical.Message, add func(what, value string)) {
	add("the text", m.Text)
	add("the summary", m.Summary)
	if m.Postback != nil {
		add("the payload", m.Postback.Payload)
		for name, answer := range m.Postback.Fields {
			add("the answer to "+name, answer)
		}
	}
	if m.Location != nil {
		add("the place", m.Location.Address)
	}
	if m.Order != nil {
		add("what was written to an order", m.Order.Text)
	}
	for _, c := range m.Contacts {
		for i, value := range slices.Concat([]string{c.Name}, c.Phones, c.Emails) {
			add(fmt.Sprint("of contact ", c.Name, ": ", i), value)
		}
	}
	for i, a := range m.Attachments {
		add(fmt.Sprint("attachment ", i), a.URL)
		if a.Access != nil {
			add(fmt.Sprint("the key of attachment ", i), a.Access.Key)
		}
	}
}
