package connectortest

import (
	"strings"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
)

// offer is a message of ours that offers everything there is to choose from, and what people are to read of it, in its order.
func offer() (m *canonical.Message, reads []string) {
	m = &canonical.Message{
		Text: "Which ones?",
		Cards: []canonical.Card{
			{Title: "Boots <new>", Text: "Brown & warm", Media: &canonical.Attachment{URL: "https://files.example/boots", ContentType: "image/png"}, Suggestions: []canonical.Suggestion{{Text: "Take boots", Postback: "secret-payload"}}},
			{Title: "Shoes"},
		},
		List: &canonical.List{Title: "Or choose", Button: "Open", Items: []canonical.Item{
			{ID: "secret-id", Title: "Red", Description: "Dark", Section: "Colours"}, {Title: "Large", Section: "Sizes"},
		}},
		Suggestions: []canonical.Suggestion{{Text: "No, thanks"}, {Text: "Shop", Kind: canonical.SuggestURL, URL: "https://shop.example/all"}},
	}
	return m, []string{
		"Which ones?", "Boots <new>", "Brown & warm", "Take boots", "Shoes", "Or choose", "Open", "Colours", "Red", "Dark", "Sizes", "Large", "No, thanks", "Shop", "https://shop.example/all",
	}
}

// choice is what a person sends who chooses, fills in and buys, and what people are to read of it.
func choice() (m *canonical.Message, reads []string) {
	m = &canonical.Message{
		Postback:    &canonical.Postback{Kind: canonical.PostbackForm, Text: "Sizes sent", Payload: "secret-payload", Fields: map[string]string{"width": "wide", "size": "43"}},
		Attachments: []canonical.Attachment{{URL: "https://files.example/foot", ContentType: "image/png", Name: "foot.png"}},
		Location:    &canonical.Location{Latitude: 41.4, Longitude: 2.17, Label: "Home"},
		Contacts:    []canonical.Contact{{Name: "Bo Example", Phones: []string{"+1 555 0100"}}},
		Order:       &canonical.Order{ID: "order-7", Currency: "EUR", Total: "42.00", Text: "Ring twice", Items: []canonical.OrderItem{{Name: "Boots", Quantity: 2, Price: "21.00"}}},
	}
	m.Summary = canonical.Summarize(*m)
	return m, []string{"Sizes sent", "size", "43", "width", "wide", "foot.png", "Home", "41.4", "Bo Example", "+1 555 0100", "order-7", "42.00 EUR", "2 × Boots", "21.00", "Ring twice"}
}

// inOrder fails the test unless a text has words in their order, and none that only programs set.
func (w *world[R]) inOrder(text string, words []string) {
	w.t.Helper()
	rest := text
	for _, one := range words {
		_, after, found := strings.Cut(rest, one)
		if !found {
			w.t.Errorf("no %q in its place in %q", one, text)
			return
		}
		rest = after
	}
	if strings.Contains(text, "secret-") {
		w.t.Errorf("what programs set is shown: %q", text)
	}
}

// richAlone is rich content in messages that are shown by themselves.
func richAlone[R any](w *world[R]) {
	var all []delivery.Delivery
	for n, content := range []func() (*canonical.Message, []string){offer, choice} {
		d := w.unknown(n+1, 1)
		var reads []string
		d.Event.Message, reads = content()
		d.Event.RelatesTo = &canonical.Relation{Kind: "reply", ProviderMessageID: "another"}
		w.finish(d)
		for _, a := range w.Held().Activities {
			if a.ExternalID == messageKey(d) {
				w.inOrder(a.Text, reads)
				w.inOrder(a.Text, []string{"in reply to", "an earlier message"})
			}
		}
		all = append(all, d)
		w.holds(n+1, all...)
	}
}

// sessionRich is rich content in the activity of a day.
func sessionRich[R any](w *world[R]) {
	w.meet(1)
	offered := w.known(1, 2)
	said, offers := offer()
	offered.Event.Message, offered.Event.Direction = said, canonical.Outbound
	offered.Event.Sender, offered.Event.Recipient = offered.Event.Recipient, offered.Event.Sender
	w.finish(w.talk(offered))
	chosen := w.known(1, 3)
	answer, choices := choice()
	chosen.Event.Message = answer
	chosen.Event.RelatesTo = &canonical.Relation{Kind: "reply", ProviderMessageID: offered.Event.ProviderMessageID}
	w.finish(w.talk(chosen))
	all := w.sessions()
	if len(all) != 1 {
		w.t.Fatalf("%d records of sessions, want one", len(all))
	}
	w.inOrder(all[0].Text, append(append(offers, "in reply to", "Which ones?"), choices...))
}
