package router_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/session"
	"signalbox/shared/tenant"
)

// TestWordsAreKeptBack: nothing that is sent to CRMs, or kept to be shown by them, has words of an event where the tenant keeps them back.
// The record of the event has them.
func TestWordsAreKeptBack(t *testing.T) {
	t.Parallel()
	const secrets = "secret"
	secret := func(e *canonical.Event) {
		e.Message = &canonical.Message{
			Text: "secret words", Summary: "secret words", ContentType: "text/plain",
			Attachments: []canonical.Attachment{{URL: "https://example.com/secret.png", ContentType: "image/png", Name: "secret.png", Size: 12}},
			Suggestions: []canonical.Suggestion{{Text: "secret button"}}, Postback: &canonical.Postback{Text: "secret", Payload: "secret"},
			Template: &canonical.Template{ID: "secret", Variables: map[string]string{"1": "secret"}}, Location: &canonical.Location{Label: "secret"},
			Cards: []canonical.Card{{Title: "secret", Media: &canonical.Attachment{URL: "https://example.com/secret"}}}, List: &canonical.List{Title: "secret"},
			Contacts: []canonical.Contact{{Name: "secret"}}, Order: &canonical.Order{Text: "secret"},
		}
		e.Attribution = &canonical.Attribution{SourceID: "ad-1", Headline: "secret", Body: "secret"}
		e.Metadata["ButtonText"] = []byte(`"secret"`)
	}
	summary := func(t *tenant.Timeline) { t.Granularity = tenant.BySummary }
	digest := func(t *tenant.Timeline) { t.Words = tenant.WordsDigest }
	alone := func(t *tenant.Timeline) { t.Words, t.Granularity = tenant.WordsDigest, tenant.ByMessage }
	for name, c := range map[string]struct {
		timeline func(*tenant.Timeline)
		event    canonical.Event
		known    bool
		want     string // in their place
	}{
		"of a day":                       {digest, event("secret words", nil), true, "[12 characters, digest %s]"},
		"of somebody new":                {digest, event("secret words", nil), false, "[12 characters, digest %s]"},
		"of a message by itself":         {alone, event("secret words", nil), false, "[12 characters, digest %s]"},
		"of a summary":                   {summary, event("secret words", nil), true, "[12 characters, digest %s]"},
		"everything that may have words": {digest, event("secret words", secret), true, "[button, template, cards, list, contacts, order, 12 characters, digest %s, 1 attached, location]"},
		"characters, not bytes":          {digest, event("sécret", nil), true, "[6 characters, digest %s]"},
		"no words": {digest, event("", func(e *canonical.Event) {
			e.Message.Attachments = slices.Repeat([]canonical.Attachment{{URL: "https://example.com/secret"}}, 2)
		}), true, "[2 attached]"},
		"what has no shape here": {digest, event("", func(e *canonical.Event) {
			e.Message.ContentType, e.Message.Kind = canonical.ContentUnsupported, "secret"
		}), true, "[unsupported]"},
		"what nobody but a device can read": {digest, event("", func(e *canonical.Event) { e.Message.ContentType = canonical.ContentEncrypted }), true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := shownBy(c.timeline)
			if c.known {
				w.link(t, c.event)
			}
			w.routeAll(t, c.event)
			want := c.want
			if text := c.event.Message.Text; strings.Contains(want, "%s") {
				pepper, _ := w.Pepper(t.Context(), "demo")
				want = fmt.Sprintf(want, canonical.Digest(pepper, "words", text)[:12])
			}
			var seen []string
			for _, m := range w.sent {
				seen = append(seen, string(w.opened(t, m.Body)))
			}
			if d := w.deliveries(t)[0]; d.Event.Message.Text != want {
				t.Errorf("the CRM is told %q, want %q", d.Event.Message.Text, want)
			}
			page, _, err := w.store.List(t.Context(), session.Sessions("demo", c.event.ThreadID))
			if err != nil || (len(page) == 0) != (name == "of a message by itself") {
				t.Fatal(page, err)
			}
			for _, held := range page {
				record, err := session.Open(t.Context(), w.ring, held)
				if err != nil || record.Entries[0].Event.Message.Text != want {
					t.Errorf("the session says %+v, %v", record, err)
				}
				seen = append(seen, fmt.Sprintf("%+v %+v", record, record.Entries[0].Event.Message))
			}
			for _, one := range seen {
				if strings.Contains(one, secrets) || strings.Contains(one, "sécret") {
					t.Errorf("words are told: %s", one)
				}
			}
			if record, _ := w.record(t, c.event); c.event.Message.Text != "" && !strings.Contains(string(record.Event), c.event.Message.Text) {
				t.Error("the event's record has no words")
			}
		})
	}
}

// TestNobodyIsToldHowAFileIsRead: the key of a file, and what it is read with, is in the event's record and nowhere else.
func TestNobodyIsToldHowAFileIsRead(t *testing.T) {
	t.Parallel()
	for name, timeline := range map[string]func(*tenant.Timeline){
		"of a day":               func(*tenant.Timeline) {},
		"of a message by itself": func(t *tenant.Timeline) { t.Granularity = tenant.ByMessage },
	} {
		w, key := shownBy(timeline), strings.Repeat("5ec2e7", 10)
		file := canonical.Attachment{URL: "https://example.com/a", Access: &canonical.Access{Scheme: canonical.AccessBearer, Cipher: canonical.CipherAES256CTR, Key: key}}
		e := event("look", func(e *canonical.Event) {
			e.Message.Attachments, e.Message.Cards = []canonical.Attachment{file}, []canonical.Card{{Title: "Boots", Media: &file}}
		})
		w.routeAll(t, e)
		if told := w.deliveries(t)[0].Event.Message; len(told.Attachments) != 1 || told.Attachments[0].Access != nil || told.Cards[0].Media.Access != nil {
			t.Errorf("%s: a CRM is told %+v", name, told)
		}
		for _, m := range w.sent {
			if strings.Contains(string(w.opened(t, m.Body)), key) {
				t.Errorf("%s: the key is sent", name)
			}
		}
		page, _, err := w.store.List(t.Context(), session.Sessions("demo", e.ThreadID))
		if err != nil || len(page) == 0 && name == "of a day" {
			t.Fatal(page, err)
		}
		for _, held := range page {
			record, err := session.Open(t.Context(), w.ring, held)
			if err != nil || record.Entries[0].Event.Message.Attachments[0].Access != nil {
				t.Errorf("%s: the session says %+v, %v", name, record, err)
			}
		}
		if record, _ := w.record(t, e); !strings.Contains(string(record.Event), key) {
			t.Errorf("%s: the event's record has no key", name)
		}
	}
}

// TestWordsThatAreKeptBackLaterAreNotToldAgain: what is sent once more is told as the tenant wants it now.
func TestWordsThatAreKeptBackLaterAreNotToldAgain(t *testing.T) {
	t.Parallel()
	w, e := shownBy(func(t *tenant.Timeline) { t.Granularity = tenant.ByMessage }), spoken("secret", 0)
	w.routeAll(t, e)
	w.tenant.Timeline.Words = tenant.WordsDigest
	w.routeAll(t, e)
	all := w.deliveries(t)
	if all[0].Event.Message.Text != "secret" || all[0].Actions[0].Value["description"] != "secret" {
		t.Errorf("%+v", all[0])
	}
	if now := all[1].Event.Message.Text; strings.Contains(now, "secret") || all[1].Actions[0].Value["description"] != now || all[1].Actions[0].Value["source"] == "" {
		t.Errorf("%q, and %+v", now, all[1].Actions)
	}
}
