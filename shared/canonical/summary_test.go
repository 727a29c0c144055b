package canonical_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"signalbox/shared/canonical"
)

func TestSummarize(t *testing.T) {
	files := func(types ...string) (list []canonical.Attachment) {
		for _, typ := range types {
			list = append(list, canonical.Attachment{URL: "https://example.com", ContentType: typ})
		}
		return list
	}
	as := func(n int) string { return strings.Repeat("a", n) }
	cases := map[string]struct {
		in   canonical.Message
		want string
	}{
		"text":                              {canonical.Message{Text: "Is order #77 late?"}, "Is order #77 late?"},
		"text with lines and blanks":        {canonical.Message{Text: "  Hello\r\n\n\tthere  you "}, "Hello there you"},
		"text with control characters":      {canonical.Message{Text: "a\x00b\u202ec\x7f"}, "abc"},
		"text before everything else":       {canonical.Message{Text: "look", Attachments: files("image/png"), Location: &canonical.Location{}}, "look"},
		"text of the full length":           {canonical.Message{Text: as(120)}, as(120)},
		"one character more":                {canonical.Message{Text: as(121)}, as(119) + "…"},
		"a cut at a space":                  {canonical.Message{Text: as(110) + " " + as(20)}, as(110) + "…"},
		"no cut at a space far away":        {canonical.Message{Text: as(20) + " " + as(110)}, as(20) + " " + as(98) + "…"},
		"a cut before a combining mark":     {canonical.Message{Text: as(118) + "e\u0301" + as(9)}, as(118) + "…"},
		"a cut before an emoji of several":  {canonical.Message{Text: as(117) + "👩‍🚒" + as(9)}, as(117) + "…"},
		"a cut before a skin colour":        {canonical.Message{Text: as(118) + "👍🏽" + as(9)}, as(118) + "…"},
		"a cut between flags, not in one":   {canonical.Message{Text: as(116) + "🇩🇪🇫🇷" + as(9)}, as(116) + "🇩🇪" + "…"},
		"a cut before a flag of tags":       {canonical.Message{Text: as(115) + "🏴󠁧󠁢󠁳󠁣󠁴󠁿" + as(9)}, as(115) + "…"},
		"a cut before a variation selector": {canonical.Message{Text: as(118) + "❤️" + as(9)}, as(118) + "…"},
		"nothing but combining marks":       {canonical.Message{Text: strings.Repeat("\u0301", 500)}, strings.Repeat("\u0301", 119) + "…"},
		"blank text and a button":           {canonical.Message{Text: " \n", Postback: &canonical.Postback{Text: "Track parcel", Payload: "track:77"}}, "[button: Track parcel]"},
		"a button with only a payload":      {canonical.Message{Postback: &canonical.Postback{Payload: "track:77"}}, "[button: track:77]"},
		"a button with a long text":         {canonical.Message{Postback: &canonical.Postback{Text: as(200)}}, "[button: " + as(109) + "…]"},
		"a row of a list":                   {canonical.Message{Postback: &canonical.Postback{Kind: canonical.PostbackList, Text: "Red", Payload: "r1", Description: "Dark"}}, "[choice: Red]"},
		"a time of a picker":                {canonical.Message{Postback: &canonical.Postback{Kind: canonical.PostbackPicker, Payload: "slot-3"}}, "[choice: slot-3]"},
		"a form's answers":                  {canonical.Message{Postback: &canonical.Postback{Kind: canonical.PostbackForm, Text: "Sent", Fields: map[string]string{"size": "L", "colour": "red"}}}, "[form: colour: red, size: L]"},
		"a form without answers":            {canonical.Message{Postback: &canonical.Postback{Kind: canonical.PostbackForm, Text: "Sent"}}, "[form: Sent]"},
		"a button of a kind nobody knows":   {canonical.Message{Postback: &canonical.Postback{Kind: "hologram", Text: "Wave"}}, "[button: Wave]"},
		"a contact card":                    {canonical.Message{Contacts: []canonical.Contact{{Name: "Bo Example", Phones: []string{"+1"}}}}, "[contact: Bo Example]"},
		"a contact card without a name":     {canonical.Message{Contacts: []canonical.Contact{{Emails: []string{"bo@example.com"}}}}, "[contact: bo@example.com]"},
		"an empty contact card":             {canonical.Message{Contacts: []canonical.Contact{{}}}, "[contact]"},
		"several contact cards":             {canonical.Message{Contacts: []canonical.Contact{{Name: "Bo"}, {Name: "Cy"}}}, "[2 contacts]"},
		"an order":                          {canonical.Message{Order: &canonical.Order{ID: "o1", Currency: "EUR", Total: "42.00", Items: []canonical.OrderItem{{Quantity: 2}, {}}}}, "[order: 3 items, 42.00 EUR]"},
		"an order of one thing":             {canonical.Message{Order: &canonical.Order{Items: []canonical.OrderItem{{Name: "Boots"}}}}, "[order: 1 item]"},
		"an order without lines":            {canonical.Message{Order: &canonical.Order{ID: "o1"}}, "[order: o1]"},
		"a card":                            {canonical.Message{Cards: []canonical.Card{{Title: "Boots", Text: "Brown"}}}, "[card: Boots]"},
		"a card without a title":            {canonical.Message{Cards: []canonical.Card{{Text: "Brown"}}}, "[card: Brown]"},
		"a carousel of pictures":            {canonical.Message{Cards: make([]canonical.Card, 2)}, "[carousel]"},
		"a carousel":                        {canonical.Message{Cards: []canonical.Card{{Title: "Boots"}, {Text: "Shoes"}}, Template: &canonical.Template{ID: "HX1"}}, "[carousel: Boots, Shoes]"},
		"a list":                            {canonical.Message{List: &canonical.List{Title: "Which size?", Button: "Open"}}, "[list: Which size?]"},
		"a list without a title":            {canonical.Message{List: &canonical.List{Items: []canonical.Item{{Title: "Red"}, {Title: "Blue"}}}}, "[list: Red, Blue]"},
		"of a kind that has no shape":       {canonical.Message{ContentType: canonical.ContentUnsupported, Kind: "poll_creation"}, "[unsupported: poll_creation]"},
		"of no kind that has no shape":      {canonical.Message{ContentType: canonical.ContentUnsupported}, "[unsupported]"},
		"no shape, but a file":              {canonical.Message{ContentType: canonical.ContentUnsupported, Kind: "ephemeral", Attachments: files("image/png")}, "[image]"},
		"an image":                          {canonical.Message{Attachments: files("image/jpeg")}, "[image]"},
		"a film, in another case":           {canonical.Message{Attachments: files("Video/MP4")}, "[video]"},
		"a voice message":                   {canonical.Message{Attachments: files("audio/ogg; codecs=opus")}, "[audio]"},
		"a contact":                         {canonical.Message{Attachments: files("text/x-vcard")}, "[contact]"},
		"a document":                        {canonical.Message{Attachments: files("application/pdf")}, "[attachment]"},
		"a file of unknown type":            {canonical.Message{Attachments: files("")}, "[attachment]"},
		"several files":                     {canonical.Message{Attachments: files("image/png", "image/png")}, "[2 attachments]"},
		"a labelled place":                  {canonical.Message{Location: &canonical.Location{Label: "Office", Address: "1 Road"}}, "[location: Office]"},
		"a place with an address":           {canonical.Message{Location: &canonical.Location{Label: " ", Address: "1\nRoad"}}, "[location: 1 Road]"},
		"a bare place":                      {canonical.Message{Location: &canonical.Location{}}, "[location]"},
		"a template":                        {canonical.Message{Template: &canonical.Template{ID: "HX1"}}, "[template: HX1]"},
		"suggestions":                       {canonical.Message{Suggestions: []canonical.Suggestion{{Text: "Yes"}, {Text: "No"}}}, "[suggestions: Yes, No]"},
		"what only a device shows":          {canonical.Message{ContentType: canonical.ContentEncrypted}, "[encrypted message, read on the device]"},
		"nothing":                           {canonical.Message{}, "[empty message]"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := canonical.Summarize(c.in)
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if utf8.RuneCountInString(got) > canonical.SummaryLength {
				t.Errorf("%d characters", utf8.RuneCountInString(got))
			}
		})
	}
}

func FuzzSummarize(f *testing.F) {
	f.Add("Hello 👩‍🚒\n\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range []canonical.Message{
			{Text: text},
			{Postback: &canonical.Postback{Text: text}},
			{Postback: &canonical.Postback{Kind: canonical.PostbackForm, Fields: map[string]string{text: text}}},
			{Contacts: []canonical.Contact{{Phones: []string{text}}}},
			{Order: &canonical.Order{Total: text}},
			{Cards: []canonical.Card{{}, {Text: text}}},
			{ContentType: canonical.ContentUnsupported, Kind: text},
		} {
			s := canonical.Summarize(m)
			if s == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > canonical.SummaryLength || strings.ContainsAny(s, "\r\n\t\x00") {
				t.Errorf("%q", s)
			}
		}
	})
}
