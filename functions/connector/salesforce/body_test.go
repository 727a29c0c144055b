package salesforce

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
)

func TestEverybodyHasALastName(t *testing.T) {
	cases := map[string]struct {
		person      delivery.Person
		first, last string
	}{
		"two words":          {delivery.Person{Name: "Ana Ruiz"}, "Ana", "Ruiz"},
		"more words":         {delivery.Person{Name: " Ana  María Ruiz "}, "Ana", "María Ruiz"},
		"one word":           {delivery.Person{Name: "Ana", Phone: "+15551234567"}, "", "Ana"},
		"nothing but blanks": {delivery.Person{Name: " \n", Phone: "+15551234567"}, "", "+15551234567"},
		"an address":         {delivery.Person{Email: "ana@example.test"}, "", "ana@example.test"},
		"nothing":            {delivery.Person{}, "", "Unknown"},
		"too long":           {delivery.Person{Name: strings.Repeat("a", 50) + " " + strings.Repeat("é", 100)}, strings.Repeat("a", 39) + "…", strings.Repeat("é", 79) + "…"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if first, last := nameOf(delivery.Delivery{Person: c.person}); first != c.first || last != c.last {
				t.Errorf("%q %q, want %q %q", first, last, c.first, c.last)
			}
		})
	}
}

func TestTextsSayWhatWasSaid(t *testing.T) {
	cases := map[string]struct {
		message *canonical.Message
		want    string
	}{
		"text":        {&canonical.Message{Text: "a < b\x00\r\nc"}, "a < b\r\nc"},
		"attachments": {&canonical.Message{Summary: "2 files", Attachments: []canonical.Attachment{{URL: "https://f.example/1", ContentType: "image/png"}, {URL: "https://f.example/2", Name: "bill.pdf"}}}, "2 files\n- Attachment 1 (image/png) https://f.example/1\n- bill.pdf https://f.example/2"},
		"a place":     {&canonical.Message{Summary: "Location", Location: &canonical.Location{Latitude: 41.4, Longitude: 2.17}}, "Location\n- location: 41.400000,2.170000 https://www.google.com/maps/search/?api=1&query=41.400000%2C2.170000"},
		"a button":    {&canonical.Message{Postback: &canonical.Postback{Text: "Yes"}, Summary: "[button: Yes]"}, "[button: Yes]"},
		"no message":  {nil, ""},
		"too much":    {&canonical.Message{Text: strings.Repeat("é", 40000)}, strings.Repeat("é", 31999) + "…"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := connector.PlainText(canonical.Event{Channel: canonical.SMS, Message: c.message}, maxText); got != c.want {
				t.Errorf("\n got %.200q\nwant %.200q", got, c.want)
			}
		})
	}
}

func TestWhatWeSentSaysWhoSentIt(t *testing.T) {
	for sentence, c := range map[string]struct {
		direction canonical.Direction
		actor     *canonical.Actor
		want      string
	}{
		"an agent":           {canonical.Outbound, &canonical.Actor{Kind: "agent", Via: "inbox"}, "inbox (agent):\nhello"},
		"a program":          {canonical.Outbound, &canonical.Actor{Kind: "automation", Via: "drip"}, "automatic, by drip:\nhello"},
		"nobody says who":    {canonical.Outbound, nil, "hello"},
		"a customer is told": {canonical.Inbound, nil, "hello"},
	} {
		e := canonical.Event{Direction: c.direction, Actor: c.actor, Message: &canonical.Message{Text: "hello"}}
		if got := connector.PlainText(e, maxText); got != c.want {
			t.Errorf("%s: %q, want %q", sentence, got, c.want)
		}
		if got := member(newTask(e, "", ""), "Subject"); strings.Contains(got, "inbox") {
			t.Errorf("%s: subject %q", sentence, got)
		}
	}
}

// TestAbsurdLinksLeaveRoomForTheWords: there are as many as fit, each on a line of its own.
func TestAbsurdLinksLeaveRoomForTheWords(t *testing.T) {
	words := strings.Repeat("é", maxText)
	got := connector.PlainText(canonical.Event{Channel: canonical.SMS, Message: &canonical.Message{Text: words, Attachments: manyLinks()}}, maxText)
	said, links, _ := strings.Cut(got, "\n")
	if n := connector.Length(got); n > maxText || connector.Length(said) < maxText/4 || strings.Count("\n"+links, "\n- Attachment ") != 11 {
		t.Errorf("%d characters, %d of the words, and %d lines", n, connector.Length(said), strings.Count(got, "\n"))
	}
}

func manyLinks() []canonical.Attachment {
	links := make([]canonical.Attachment, 60)
	for i := range links {
		links[i].URL = "https://f.example/" + strings.Repeat("x", 3000)
	}
	return links
}

func FuzzBodies(f *testing.F) {
	f.Add("hello", "Ana Ruiz", "https://files.example.test/1")
	f.Add(strings.Repeat("🙂", 16001), strings.Repeat("🙂", 41), "")
	f.Add(strings.Repeat("é", 40000), "\xff", strings.Repeat("x", 3000))
	f.Fuzz(func(t *testing.T, said, name, address string) {
		e := canonical.Event{
			Channel: canonical.RCS, Direction: canonical.Inbound, Timestamp: time.Unix(0, 0),
			Message: &canonical.Message{Text: said, Attachments: []canonical.Attachment{{URL: address, Name: name}}},
		}
		e.Attribution = &canonical.Attribution{SourceType: said, SourceID: name, SourceURL: address, Headline: said, ClickID: name}
		task := newTask(e, "", "003000000000002AAA")
		d := delivery.Delivery{Event: e, Person: delivery.Person{Name: name}}
		by := (&org{binding: Binding{Package: Package}}).originOf(d)
		person := newPerson(d, leadObject, by)
		for what, c := range map[string]struct {
			text string
			most int
		}{
			"subject": {member(task, "Subject"), 255}, "description": {member(task, "Description"), 32000},
			"body":       {member(newEvent(e, "", leadObject, by), "Body__c"), 32000},
			"first name": {member(person, "FirstName"), 40}, "last name": {member(person, "LastName"), 80},
			"first message": {member(person, "Msg_First_Message__c"), 32000},
			"headline":      {by.headline, 255}, "click": {by.click, 255}, "ad": {by.id, 255}, "source": {by.source, 64}, "page": {by.url, 4096},
		} {
			if n := len(utf16.Encode([]rune(c.text))); n > c.most || !utf8.ValidString(c.text) {
				t.Errorf("%s has %d characters: %.100q", what, n, c.text)
			}
		}
		if member(person, "LastName") == "" || member(person, "Company") == "" {
			t.Error("a required field is empty")
		}
	})
}

// member returns the text under a name.
func member(o connector.Object, name string) string {
	text, _ := o[slices.Index(o, any(name))+1].(string)
	return text
}

func withAddress(address string) delivery.Delivery {
	return delivery.Delivery{Event: canonical.Event{Channel: canonical.Web, Direction: canonical.Inbound, Sender: canonical.Participant{ChannelAddress: address}}}
}

func TestAnAddressThatWasCutIsNoName(t *testing.T) {
	for _, length := range []int{maxLastName, maxLastName + 1, 256} {
		d := withAddress(strings.Repeat("a", length))
		if first, last := nameOf(d); named(d, first, last) {
			t.Errorf("an address of %d characters is taken for a person's choice", length)
		}
	}
	if !named(withAddress("a"), "", "b") {
		t.Error("another name is taken for none")
	}
}

func TestAnAddressThatDoesNotFitIsLeftOut(t *testing.T) {
	for length, want := range map[int]int{maxField: maxField, maxField + 1: 0} {
		if by := (&org{binding: Binding{Package: Package}}).originOf(withAddress(strings.Repeat("a", length))); len(by.address) != want {
			t.Errorf("of %d characters %d are kept", length, len(by.address))
		}
	}
}
