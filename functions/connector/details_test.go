package connector_test

import (
	"slices"
	"strings"
	"testing"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"

	"github.com/google/go-cmp/cmp"
)

// lined returns details as lines.
func lined(all []connector.Detail) string {
	lines := make([]string, len(all))
	for i, d := range all {
		lines[i] = strings.TrimSuffix(strings.TrimPrefix(d.Label+": "+d.Text, ": ")+" -> "+d.URL, " -> ")
	}
	return strings.Join(lines, "\n")
}

func TestWhatCameWithAMessageReadsAsPeopleSawIt(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		message canonical.Message
		want    []string
	}{
		"words alone": {canonical.Message{Text: "Hello"}, nil},
		"buttons and where they lead": {
			canonical.Message{Suggestions: []canonical.Suggestion{
				{Text: "Yes", Postback: "yes_1"},
				{Text: "Shop", Kind: canonical.SuggestURL, URL: "https://x.test/shop"},
				{Text: "Call us", Kind: canonical.SuggestCall, URL: "tel:+15550100"},
				{Text: "Where are you?", Kind: canonical.SuggestShareLocation},
			}},
			[]string{"buttons: Yes | Shop (https://x.test/shop) | Call us (tel:+15550100) | Where are you? (share location)"},
		},
		"a button that was tapped":                {canonical.Message{Postback: &canonical.Postback{Text: "Yes", Payload: "yes_1"}}, []string{"tapped: Yes"}},
		"one without a label, by its id":          {canonical.Message{Postback: &canonical.Postback{Payload: "yes_1"}}, []string{"tapped: yes_1"}},
		"a row that was chosen":                   {canonical.Message{Postback: &canonical.Postback{Kind: canonical.PostbackList, Text: "Red", Description: "Dark"}}, []string{"chosen: Red, Dark"}},
		"a time of a picker":                      {canonical.Message{Postback: &canonical.Postback{Kind: canonical.PostbackPicker, Text: "Mon 09:00"}}, []string{"chosen: Mon 09:00"}},
		"something tapped of a kind nobody knows": {canonical.Message{Postback: &canonical.Postback{Kind: "hologram", Text: "Wave"}}, []string{"tapped: Wave"}},
		"a form's answers, by their names": {
			canonical.Message{Postback: &canonical.Postback{Kind: canonical.PostbackForm, Text: "Sent", Payload: "flow-1", Fields: map[string]string{"size": "L", "colour": "red\nand blue", "none": ""}}},
			[]string{"form: Sent", "answer: colour: red and blue", "answer: none", "answer: size: L"},
		},
		"a form's answers without a title": {
			canonical.Message{Postback: &canonical.Postback{Kind: canonical.PostbackForm, Payload: "flow-1", Fields: map[string]string{"size": "L"}}}, []string{"answer: size: L"},
		},
		"files": {
			canonical.Message{Attachments: []canonical.Attachment{{URL: "https://x.test/a", ContentType: "image/png", Name: "a.png"}, {URL: "https://x.test/b"}}},
			[]string{"a.png (image/png) -> https://x.test/a", "Attachment 2 -> https://x.test/b"},
		},
		"a place, with a link to a map": {
			canonical.Message{Location: &canonical.Location{Latitude: 41.4, Longitude: -2.17, Label: "Office", Address: "1 Road\nTown"}},
			[]string{"location: Office, 1 Road Town, 41.400000,-2.170000 -> https://www.google.com/maps/search/?api=1&query=41.400000%2C-2.170000"},
		},
		"contact cards": {
			canonical.Message{Contacts: []canonical.Contact{{Name: "Bo Example", Organization: "Acme", Phones: []string{"+1 555 0100", "+1 555 0101"}, Emails: []string{"bo@example.com"}}, {Name: "Cy"}, {}}},
			[]string{"contact: Bo Example, Acme, +1 555 0100, +1 555 0101, bo@example.com", "contact: Cy"},
		},
		"an order": {
			canonical.Message{Order: &canonical.Order{ID: "o-7", Catalog: "c1", Text: "Ring twice", Currency: "EUR", Total: "52.00", Items: []canonical.OrderItem{{ID: "sku-1", Name: "Boots", Price: "21.00", Quantity: 2}, {ID: "sku-2"}}}},
			[]string{"order: o-7, total 52.00 EUR", "item: 2 × Boots, 21.00 EUR each", "item: 1 × sku-2", "note: Ring twice"},
		},
		"an order of which little is told": {canonical.Message{Order: &canonical.Order{Items: []canonical.OrderItem{{}}}}, []string{"order: 1 product", "item: 1 × ?"}},
		"a carousel": {
			canonical.Message{Cards: []canonical.Card{
				{Title: "Boots", Text: "Brown", Media: &canonical.Attachment{URL: "https://x.test/b", ContentType: "image/png"}, Suggestions: []canonical.Suggestion{{Text: "Buy"}, {Text: "More", URL: "https://x.test/m"}}},
				{Text: "Shoes"},
				{},
			}},
			[]string{
				"card 1: Boots: Brown", "card 1: picture or film (image/png) -> https://x.test/b", "card 1 buttons: Buy | More (https://x.test/m)", "card 2: Shoes", "card 3: without words",
			},
		},
		"a list with sections": {
			canonical.Message{List: &canonical.List{Title: "Which one?", Button: "Open", Items: []canonical.Item{
				{ID: "1", Title: "Red", Description: "Dark", Section: "Colours"},
				{ID: "2", Title: "Blue", Section: "Colours"},
				{ID: "3", Title: "L", Section: "Sizes"},
			}}},
			[]string{"list: Which one? [Open]", "section: Colours", "row: Red: Dark", "row: Blue", "section: Sizes", "row: L"},
		},
		"a list of nothing":            {canonical.Message{List: &canonical.List{}}, []string{"list: to choose from"}},
		"a template":                   {canonical.Message{Template: &canonical.Template{ID: "welcome_2", Variables: map[string]string{"2": "Monday", "1": "Ana"}}}, []string{"template: welcome_2, 1: Ana, 2: Monday"}},
		"what has no shape here":       {canonical.Message{Text: "look", ContentType: canonical.ContentUnsupported, Kind: "poll"}, []string{"not shown here: poll"}},
		"nor a name":                   {canonical.Message{ContentType: canonical.ContentUnsupported}, []string{"not shown here: content of another kind"}},
		"text that turns what follows": {canonical.Message{Suggestions: []canonical.Suggestion{{Text: "\u202egnp.exe\u2066"}, {Text: "B\x00\u2029C"}}}, []string{"buttons: gnp.exe | B C"}},
	} {
		if diff := cmp.Diff(strings.Join(c.want, "\n"), lined(connector.Details(&c.message))); diff != "" {
			t.Errorf("%s: %s", sentence, diff)
		}
	}
}

// TestNoMessageFillsAnActivity: what a forged one has too much of is counted.
func TestNoMessageFillsAnActivity(t *testing.T) {
	t.Parallel()
	m := canonical.Message{
		Attachments: slices.Repeat([]canonical.Attachment{{URL: "https://x.test/a", Name: strings.Repeat("n", 1000)}}, 256),
		List:        &canonical.List{Items: slices.Repeat([]canonical.Item{{Title: strings.Repeat("t", 1000), Description: strings.Repeat("d", 4000)}}, 256)},
	}
	all := connector.Details(&m)
	if last := all[len(all)-1]; len(all) != 250 || last.Text != "… and 58 more" {
		t.Errorf("%d lines, the last of them %+v", len(all), last)
	}
	for _, d := range all {
		if n := connector.Length(d.Text); n > 2000 {
			t.Errorf("%d characters: %.50s", n, d.Text)
		}
	}
	if files := slices.DeleteFunc(all, func(d connector.Detail) bool { return d.URL == "" }); len(files) != 50 {
		t.Errorf("%d files", len(files))
	}
}

func TestBelowAMessageIsWhatItsSummaryDoesNotSay(t *testing.T) {
	t.Parallel()
	reply := &canonical.Relation{Kind: "reply", ProviderMessageID: "1"}
	for sentence, c := range map[string]struct {
		event canonical.Event
		want  string
	}{
		"no message":               {canonical.Event{}, ""},
		"a button alone":           {canonical.Event{Message: &canonical.Message{Postback: &canonical.Postback{Text: "Yes"}}}, ""},
		"a row with a description": {canonical.Event{Message: &canonical.Message{Postback: &canonical.Postback{Kind: canonical.PostbackList, Text: "42", Description: "Two left"}}}, "chosen: 42, Two left"},
		"a button below words":     {canonical.Event{Message: &canonical.Message{Text: "ok", Postback: &canonical.Postback{Text: "Yes"}}}, "tapped: Yes"},
		"a form with its answers":  {canonical.Event{Message: &canonical.Message{Postback: &canonical.Postback{Text: "Sent", Fields: map[string]string{"size": "L"}}}}, "tapped: Sent\nanswer: size: L"},
		"of no shape alone":        {canonical.Event{Message: &canonical.Message{ContentType: canonical.ContentUnsupported, Kind: "poll"}}, ""},
		"a file":                   {canonical.Event{Message: &canonical.Message{Attachments: []canonical.Attachment{{URL: "https://x.test", Name: "a"}}}}, "a -> https://x.test"},
		"a reply":                  {canonical.Event{RelatesTo: reply, Message: &canonical.Message{Text: "ok"}}, "in reply to: an earlier message"},
		"a button of a message":    {canonical.Event{RelatesTo: reply, Message: &canonical.Message{Postback: &canonical.Postback{Text: "Yes"}}}, "in reply to: an earlier message"},
		"an edit is none of those": {canonical.Event{RelatesTo: &canonical.Relation{Kind: "edit"}, Message: &canonical.Message{Text: "ok"}}, ""},
	} {
		if diff := cmp.Diff(c.want, lined(connector.Below(c.event))); diff != "" {
			t.Errorf("%s: %s", sentence, diff)
		}
	}
}

// FuzzDetails: whatever somebody wrote, each detail is one line of a bounded length, and none turns the direction of the next.
func FuzzDetails(f *testing.F) {
	f.Add("Boots\n- tapped: Yes", "\u202e\u2067", "https://x.test")
	f.Fuzz(func(t *testing.T, one, two, address string) {
		m := canonical.Message{
			ContentType: canonical.ContentUnsupported, Kind: one,
			Postback:    &canonical.Postback{Text: one, Description: two, Fields: map[string]string{one: two}},
			Attachments: []canonical.Attachment{{URL: address, Name: one, ContentType: two}},
			Location:    &canonical.Location{Label: one, Address: two},
			Contacts:    []canonical.Contact{{Name: one, Phones: []string{two}}},
			Order:       &canonical.Order{ID: one, Total: two, Currency: one, Text: two, Items: []canonical.OrderItem{{Name: one, Price: two}}},
			Cards:       []canonical.Card{{Title: one, Text: two, Media: &canonical.Attachment{URL: address}, Suggestions: []canonical.Suggestion{{Text: one, URL: two, Kind: two}}}},
			List:        &canonical.List{Title: one, Button: two, Items: []canonical.Item{{Title: one, Description: two, Section: two}}},
			Template:    &canonical.Template{ID: one, Variables: map[string]string{two: one}},
		}
		for _, d := range connector.Details(&m) {
			if strings.ContainsAny(d.Label+d.Text, "\n\r\v\f\t\x00\u0085\u2028\u2029\u202a\u202b\u202d\u202e\u2066\u2067\u2068") || connector.Length(d.Text) > 2000 || d.Text == "" {
				t.Errorf("%+v", d)
			}
		}
	})
}
