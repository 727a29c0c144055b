package connector_test

import (
	"strings"
	"testing"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
)

func TestAuthorIsWhoSentIt(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		direction canonical.Direction
		actor     *canonical.Actor
		sender    canonical.Participant
		auto      bool
		want      string
	}{
		"a customer by the name they gave":             {canonical.Inbound, nil, canonical.Participant{DisplayName: "Ann", Phone: "+15552010001"}, false, "Ann"},
		"a customer without a name by the number":      {canonical.Inbound, nil, canonical.Participant{Phone: "+15552010001"}, false, "+15552010001"},
		"a customer without a number by the id":        {canonical.Inbound, nil, canonical.Participant{ID: "sms:x.1"}, false, "x.1"},
		"a customer who is known by a digest":          {canonical.Inbound, nil, canonical.Participant{HashedEmail: "00"}, false, "customer"},
		"a customer's phone that wrote by itself":      {canonical.Inbound, nil, canonical.Participant{DisplayName: "Ann"}, true, "Ann (automatic)"},
		"an agent who has a name":                      {canonical.Outbound, &canonical.Actor{Kind: "agent"}, canonical.Participant{DisplayName: "Ann"}, false, "Ann (agent)"},
		"an agent whom the program names":              {canonical.Outbound, &canonical.Actor{Kind: "agent", Via: "Ann"}, canonical.Participant{}, false, "Ann (agent)"},
		"an agent and the program":                     {canonical.Outbound, &canonical.Actor{Kind: "agent", Via: "inbox"}, canonical.Participant{DisplayName: "Ann"}, false, "Ann (agent, by inbox)"},
		"an agent without a name":                      {canonical.Outbound, &canonical.Actor{Kind: "agent"}, canonical.Participant{}, false, "agent"},
		"a program":                                    {canonical.Outbound, &canonical.Actor{Kind: "automation", Via: "drip"}, canonical.Participant{DisplayName: "Acme"}, false, "automatic, by drip"},
		"a program without a name":                     {canonical.Outbound, &canonical.Actor{Kind: "automation"}, canonical.Participant{}, false, "automatic"},
		"an agent's absence note":                      {canonical.Outbound, &canonical.Actor{Kind: "agent"}, canonical.Participant{DisplayName: "Ann"}, true, "automatic"},
		"somebody of ours":                             {canonical.Outbound, nil, canonical.Participant{}, false, "us"},
		"nobody":                                       {canonical.Status, nil, canonical.Participant{}, false, ""},
		"a name that would be a line of its own":       {canonical.Inbound, nil, canonical.Participant{DisplayName: " Ann\n12:00\tBob:\x00 "}, false, "Ann 12:00 Bob:"},
		"a name that would be the whole of a timeline": {canonical.Inbound, nil, canonical.Participant{DisplayName: strings.Repeat("é", 200)}, false, strings.Repeat("é", 79) + "…"},
	} {
		e := canonical.Event{Direction: c.direction, Channel: canonical.SMS, Actor: c.actor, Sender: c.sender, Flags: canonical.Flags{AutoReply: c.auto}}
		if got := connector.Author(e); got != c.want {
			t.Errorf("%s: %q, want %q", sentence, got, c.want)
		}
	}
}

func TestATextIsCutToWhatCRMsCount(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		text  string
		limit int
		want  string
	}{
		"what fits stays":                       {"héllo", 5, "héllo"},
		"what does not ends with a sign":        {"hélloo", 5, "héll…"},
		"emoji are two characters":              {"🙂🙂", 4, "🙂🙂"},
		"an emoji is not cut in two":            {"🙂🙂🙂", 4, "🙂…"},
		"what is no text at all is made a text": {"\xff\x00", 5, "\uFFFD"},
	} {
		if got := connector.Cut(c.text, c.limit); got != c.want {
			t.Errorf("%s: %q, want %q", sentence, got, c.want)
		}
	}
}

func TestSaidOfWhatIsAboutAnotherMessage(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]canonical.Event{
		"hello":                {Type: canonical.TypeMessage, Message: &canonical.Message{Text: "hello", Summary: "hello"}},
		"[image]":              {Type: canonical.TypeMessage, Message: &canonical.Message{Summary: "[image]"}},
		"Edited: hello":        {Type: canonical.TypeEdit, Message: &canonical.Message{Text: "hello"}},
		"Edited: [image]":      {Type: canonical.TypeEdit, Message: &canonical.Message{Summary: "[image]"}},
		"Deleted a message":    {Type: canonical.TypeRetract},
		"Reacted with 👍":       {Type: canonical.TypeReaction, Reaction: &canonical.Reaction{Emoji: "👍"}},
		"Took back 👍":          {Type: canonical.TypeReaction, Reaction: &canonical.Reaction{Emoji: "👍", Removed: true}},
		"Took back a reaction": {Type: canonical.TypeReaction, Reaction: &canonical.Reaction{Emoji: " ", Removed: true}},
		"stop":                 {Type: canonical.TypeConsent, Consent: &canonical.Consent{Keyword: "stop"}},
	} {
		if got := connector.Said(e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWhatIsWrittenForPeopleTurnsNothingAround(t *testing.T) {
	t.Parallel()
	if got, want := connector.Clean("a\x00b\u202ec\u202dd\u2067e\n\tf\x7f"), "abcd\u2067e\n\tf"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	d := delivery.Delivery{Person: delivery.Person{Name: " Ann\r\n09:01\u2028sent\u202e \u2066Ben\t"}}
	if got, want := connector.NameOf(d), "Ann 09:01 sent Ben"; got != want {
		t.Errorf("a name is %q, want %q", got, want)
	}
}
