package connector_test

import (
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/session"
)

var nine = time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC) // in Berlin

// said returns an event of a provider's message, n minutes after nine.
func said(id string, n int, text string) canonical.Event {
	return canonical.Event{
		EventID: canonical.EventID("e-" + id), Type: canonical.TypeMessage, Channel: canonical.RCS, Direction: canonical.Inbound, ProviderMessageID: id,
		Sender: canonical.Participant{DisplayName: "Ann"}, Message: &canonical.Message{Text: text},
		Timestamp: nine.Add(time.Duration(n) * time.Minute), ReceivedAt: nine.Add(time.Duration(n) * time.Minute),
	}
}

// ours returns the same of a message of ours.
func ours(id string, n int, text string) canonical.Event {
	e := said(id, n, text)
	e.Direction, e.Actor = canonical.Outbound, &canonical.Actor{Kind: "agent"}
	e.Sender.DisplayName = "Ben"
	return e
}

// about returns an event of another type about a message.
func about(kind canonical.Type, id string, n int, text string) canonical.Event {
	e := said("", n, text)
	e.EventID = canonical.EventID(string(kind) + e.Timestamp.String() + text)
	e.Type, e.RelatesTo = kind, &canonical.Relation{Kind: string(kind), ProviderMessageID: id}
	return e
}

func reaction(id string, n int, by, emoji string, removed bool) canonical.Event {
	e := about(canonical.TypeReaction, id, n, emoji+by)
	e.Sender.DisplayName, e.Message, e.Reaction = by, nil, &canonical.Reaction{Emoji: emoji, Removed: removed}
	return e
}

// to returns an event as a reply to a message, unless it is about one in another way.
func to(id string, e canonical.Event) canonical.Event {
	if e.RelatesTo == nil {
		e.RelatesTo = &canonical.Relation{Kind: "reply", ProviderMessageID: id}
	}
	e.EventID += canonical.EventID("to" + id + e.Timestamp.String())
	return e
}

// told returns a line for a table.
func told(l connector.Line) string {
	words := []string{l.At.Format("15:04"), "<"}
	if !l.Inbound {
		words[1] = ">"
	}
	words = append(words, l.Author+":")
	add := func(ok bool, word string) {
		if ok {
			words = append(words, word)
		}
	}
	add(l.Text != "", l.Text)
	for _, d := range l.Details {
		add(true, "("+strings.TrimPrefix(d.Label+": "+d.Text, ": ")+")")
	}
	add(len(l.Reactions) > 0, strings.Join(l.Reactions, ","))
	add(l.Edited, "(edited)")
	add(l.Withdrawn, "(withdrawn)")
	add(l.Failed != "", "failed "+l.Failed)
	add(l.Ad != "", "by "+l.Ad)
	return strings.Join(words, " ")
}

func TestASessionReadsLikeAConversation(t *testing.T) {
	t.Parallel()
	of := func(change func(*canonical.Message)) canonical.Event {
		e := said("1", 0, "")
		change(e.Message)
		e.Message.Summary = canonical.Summarize(*e.Message)
		return e
	}
	for name, c := range map[string]struct {
		events []canonical.Event
		failed map[int]string
		want   []string
	}{
		"who said what and when, in the zone": {[]canonical.Event{said("1", 0, "Hello"), ours("2", 3, "Hi")}, nil, []string{"09:00 < Ann: Hello", "09:03 > Ben (agent): Hi"}},
		"a late message is at its place":      {[]canonical.Event{said("2", 5, "second"), said("1", 0, "first")}, nil, []string{"09:00 < Ann: first", "09:05 < Ann: second"}},
		"an edit changes the words where they are": {
			[]canonical.Event{said("1", 0, "Helo"), said("2", 1, "there"), about(canonical.TypeEdit, "1", 2, "Hello")},
			nil,
			[]string{"09:00 < Ann: Hello (edited)", "09:01 < Ann: there"},
		},
		"the newest edit stands":                 {[]canonical.Event{said("1", 0, "a"), about(canonical.TypeEdit, "1", 3, "c"), about(canonical.TypeEdit, "1", 2, "b")}, nil, []string{"09:00 < Ann: c (edited)"}},
		"an edit that came before its message":   {[]canonical.Event{about(canonical.TypeEdit, "1", 0, "b"), said("1", 1, "a")}, nil, []string{"09:01 < Ann: b (edited)"}},
		"what was taken back is not shown":       {[]canonical.Event{said("1", 0, "oops"), about(canonical.TypeRetract, "1", 1, "")}, nil, []string{"09:00 < Ann: (withdrawn)"}},
		"nor is an edit of it":                   {[]canonical.Event{said("1", 0, "oops"), about(canonical.TypeRetract, "1", 1, ""), about(canonical.TypeEdit, "1", 2, "x")}, nil, []string{"09:00 < Ann: (withdrawn)"}},
		"reactions say whose they are":           {[]canonical.Event{ours("1", 0, "Hi"), reaction("1", 1, "Ann", "👍", false), reaction("1", 2, "Mary Ann", "❤️", false)}, nil, []string{"09:00 > Ben (agent): Hi 👍 Ann,❤️ Mary Ann"}},
		"a reaction twice is one":                {[]canonical.Event{ours("1", 0, "Hi"), reaction("1", 1, "Ann", "👍", false), reaction("1", 2, "Ann", "👍", false)}, nil, []string{"09:00 > Ben (agent): Hi 👍 Ann"}},
		"one is taken off":                       {[]canonical.Event{ours("1", 0, "Hi"), reaction("1", 1, "Ann", "👍", false), reaction("1", 2, "Ann", "👍", true)}, nil, []string{"09:00 > Ben (agent): Hi"}},
		"all of somebody are taken off":          {[]canonical.Event{ours("1", 0, "Hi"), reaction("1", 1, "Ann", "👍", false), reaction("1", 1, "Mary Ann", "👍", false), reaction("1", 2, "Ann", "", true)}, nil, []string{"09:00 > Ben (agent): Hi 👍 Mary Ann"}},
		"what is about a message of another day": {[]canonical.Event{reaction("0", 1, "Ann", "👍", false), about(canonical.TypeEdit, "0", 2, "new"), about(canonical.TypeRetract, "0", 3, "")}, nil, []string{"09:01 < Ann: 👍 Ann", "09:02 < Ann: (withdrawn)"}},
		"of which the newest words stand, too":   {[]canonical.Event{about(canonical.TypeEdit, "0", 1, "b"), about(canonical.TypeEdit, "0", 2, "c"), reaction("0", 3, "Ben", "👍", false)}, nil, []string{"09:01 < Ann: c 👍 Ben (edited)"}},
		"all that were there are taken back":     {[]canonical.Event{reaction("0", 1, "Ann", "👍", false), reaction("0", 2, "Ann", " ", true)}, nil, []string{"09:01 < Ann: Took back 👍"}},
		"and what is put again is there":         {[]canonical.Event{reaction("0", 1, "Ann", "👍", false), reaction("0", 2, "Ann", " ", true), reaction("0", 3, "Ann", "❤️", false)}, nil, []string{"09:01 < Ann: ❤️ Ann"}},
		"one of a day before":                    {[]canonical.Event{reaction("0", 2, "Ann", " ", true)}, nil, []string{"09:02 < Ann: Took back a reaction"}},
		"nor is a reaction that was taken back":  {[]canonical.Event{reaction("0", 1, "Ann", "👍", false), reaction("0", 2, "Mary Ann", "❤️", false), reaction("0", 3, "Ann", "👍", true)}, nil, []string{"09:01 < Ann: ❤️ Mary Ann"}},
		"an edit is not said by who reacted": {
			[]canonical.Event{reaction("0", 1, "Ann", "👍", false), func() canonical.Event {
				e := about(canonical.TypeEdit, "0", 2, "new")
				e.Direction, e.Sender.DisplayName = canonical.Outbound, "Ben"
				return e
			}(), reaction("0", 3, "Ann", "👍", true)},
			nil,
			[]string{"09:01 < Ann: Took back 👍", "09:02 > Ben: new (edited)"},
		},
		"a message that several told of is one": {[]canonical.Event{ours("1", 0, "Hi"), func() canonical.Event { e := ours("1", 1, "Hi"); e.EventID = "echo"; return e }()}, map[int]string{0: "30003"}, []string{"09:00 > Ben (agent): Hi failed 30003"}},
		"messages without an id are not one":    {[]canonical.Event{func() canonical.Event { e := said("", 0, "a"); e.EventID = "a"; return e }(), func() canonical.Event { e := said("", 1, "b"); e.EventID = "b"; return e }()}, nil, []string{"09:00 < Ann: a", "09:01 < Ann: b"}},
		"a failure says why":                    {[]canonical.Event{ours("1", 0, "Hi")}, map[int]string{0: "30003"}, []string{"09:00 > Ben (agent): Hi failed 30003"}},
		"buttons are shown as offered": {[]canonical.Event{of(func(m *canonical.Message) {
			m.Text, m.Suggestions = "Well?", []canonical.Suggestion{{Text: "Yes"}, {Text: "No"}}
		})}, nil, []string{"09:00 < Ann: Well? (buttons: Yes | No)"}},
		"and as tapped": {[]canonical.Event{of(func(m *canonical.Message) { m.Postback = &canonical.Postback{Payload: "yes_1", Text: "Yes"} })}, nil, []string{"09:00 < Ann: (tapped: Yes)"}},
		"attachments are named": {[]canonical.Event{of(func(m *canonical.Message) {
			m.Attachments = []canonical.Attachment{{URL: "https://x.test/a", ContentType: "image/png", Name: "a.png"}, {URL: "https://x.test/b"}}
		})}, nil, []string{"09:00 < Ann: (a.png (image/png)) (Attachment 2)"}},
		"a place is one":                    {[]canonical.Event{of(func(m *canonical.Message) { m.Location = &canonical.Location{Latitude: 1} })}, nil, []string{"09:00 < Ann: (location: 1.000000,0.000000)"}},
		"what has no words has its summary": {[]canonical.Event{of(func(m *canonical.Message) { m.ContentType = canonical.ContentEncrypted })}, nil, []string{"09:00 < Ann: [encrypted message, read on the device]"}},
		"a keyword without a message is the words": {[]canonical.Event{func() canonical.Event {
			e := said("1", 0, "")
			e.Type, e.Message, e.Consent = canonical.TypeConsent, nil, &canonical.Consent{Keyword: "stop"}
			return e
		}()}, nil, []string{"09:00 < Ann: stop"}},
		"what brought them is told": {[]canonical.Event{func() canonical.Event {
			e := said("1", 0, "Hi")
			e.Attribution = &canonical.Attribution{SourceType: "ad", SourceID: "77", SourceURL: "https://ad.test/1", Headline: "Spring\n09:01 > Ben: sale", Body: "x"}
			return e
		}()}, nil, []string{"09:00 < Ann: Hi by Spring 09:01 > Ben: sale, ad 77, https://ad.test/1"}},
		"a reply says to what": {
			[]canonical.Event{ours("1", 0, "On Monday\nor Tuesday?"), to("1", said("2", 3, "Monday")), to("1", about(canonical.TypeEdit, "1", 4, "Monday or never?"))},
			nil,
			[]string{"09:00 > Ben (agent): Monday or never? (edited)", "09:03 < Ann: Monday (in reply to: 09:00 Ben (agent): Monday or never?)"},
		},
		"a reply to a reply":                  {[]canonical.Event{ours("1", 0, "A"), to("1", said("2", 1, "B")), to("2", said("3", 2, "C"))}, nil, []string{"09:00 > Ben (agent): A", "09:01 < Ann: B (in reply to: 09:00 Ben (agent): A)", "09:02 < Ann: C (in reply to: 09:01 Ann: B)"}},
		"a reply to what was taken back":      {[]canonical.Event{said("1", 0, "oops"), to("1", ours("2", 1, "What?")), about(canonical.TypeRetract, "1", 2, "")}, nil, []string{"09:00 < Ann: (withdrawn)", "09:01 > Ben (agent): What? (in reply to: a message that was withdrawn)"}},
		"a reply that was taken back":         {[]canonical.Event{ours("1", 0, "A"), to("1", said("2", 1, "B")), about(canonical.TypeRetract, "2", 2, "")}, nil, []string{"09:00 > Ben (agent): A", "09:01 < Ann: (withdrawn)"}},
		"a reply to a message of another day": {[]canonical.Event{to("0", said("1", 0, "B"))}, nil, []string{"09:00 < Ann: B (in reply to: an earlier message)"}},
		"a reply to nobody knows what":        {[]canonical.Event{said("", 0, "A"), to("", said("2", 1, "B"))}, nil, []string{"09:00 < Ann: A", "09:01 < Ann: B (in reply to: an earlier message)"}},
		"a reply without an id":               {[]canonical.Event{said("1", 0, "A"), to("1", said("", 1, "B")), said("", 2, "C")}, nil, []string{"09:00 < Ann: A", "09:01 < Ann: B (in reply to: 09:00 Ann: A)", "09:02 < Ann: C"}},
		"a reply to a picture": {[]canonical.Event{of(func(m *canonical.Message) {
			m.Attachments = []canonical.Attachment{{URL: "https://x.test/a", Name: "a.png"}}
		}), to("1", ours("2", 1, "B"))}, nil, []string{"09:00 < Ann: (a.png)", "09:01 > Ben (agent): B (in reply to: 09:00 Ann: a.png)"}},
		"an edit of a message with a file replaces": {[]canonical.Event{of(func(m *canonical.Message) { m.Attachments = []canonical.Attachment{{URL: "https://x.test/a"}} }), about(canonical.TypeEdit, "1", 1, "none")}, nil, []string{"09:00 < Ann: none (edited)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation("Europe/Berlin")
			if err != nil {
				t.Fatal(err)
			}
			var r session.Record
			for _, e := range c.events {
				r.Add(e)
			}
			for i, code := range c.failed {
				r.Entries[i].Failed = code
			}
			var got []string
			for _, line := range connector.Lines(r, zone) {
				got = append(got, told(line))
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}
