package router

import (
	"encoding/json"
	"strings"
	"testing"

	"signalbox/shared/canonical"
)

// TestATextThatIsAReactionIsNoAnswer is what ended sequences: phones tell a reaction by a text where the channel has none.
func TestATextThatIsAReactionIsNoAnswer(t *testing.T) {
	t.Parallel()
	reactions := []string{
		"Liked “Shall we talk?”", "Loved “Shall we talk?”", "Disliked “Shall we talk?”", "Laughed at “Shall we talk?”",
		"Emphasized “Shall we talk?”", "Emphasised “Shall we talk?”", "Questioned “Shall we talk?”",
		`Liked "Shall we talk?"`, "  Liked “Shall we talk?”\n", "liked “two lines\n\nof it”", "Liked “he said “yes” to it”",
		"Liked “" + strings.Repeat("long ", 400) + "”", "Liked “cut off in the mid",
		`Liked "He said "no" ok"`, `Liked "He said "no""`, `Loved ""No" he said"`, `Liked "a "b "c" d" e"`, `Liked "ends in a blank "`, `Liked "(“x” or "y")"`,
		"Reacted with a sticker to “Hi”", `Reacted with a sticker to "Hi"`, "Reacted with a sticker to an image",
		"Loved an image", "Laughed at a movie", "Liked an attachment", "Loved a photo", "Emphasized an audio message", "Questioned a video.",
		"Removed a like from “Shall we talk?”", "Removed a heart from “Shall we talk?”", "Removed a dislike from “x”", "Removed a laugh from “x”",
		"Removed an exclamation from “x”", "Removed a question mark from “x”", "Removed a heart from an image",
		"👍 to “Shall we talk?”", `👍 to "Shall we talk?"`, "❤️ to “x”", "👍🏽 to “x”", "👨‍👩‍👧 to “x”", "\u200a👍\u200b to “\u200bx\u200b”", "‼️ to “x”",
		"5️⃣ to “x”", "Reacted 5️⃣ to “Shall we?”", "#️⃣ to “x”", "*\u20e3 to “x”", "Removed 0️⃣ from “x”", "Reaccionó con 1️⃣ a “x”",
		"Reacted 😂 to “x”", "Reacted with ❤️ to “x”", "Reacted 😂 to an image", "Removed 👍 from “x”", "Removed 😂 from an image",
		"Le gustó “¿Hablamos?”", "Le encantó “x”", "No le gustó “x”", "Le dio risa “x”", "Exclamó por “x”", "Dudó sobre “x”", "Le encantó una imagen",
		"Reaccionó con 😂 a “x”", "Reaccionó con 😂 a una imagen",
		"A aimé « On en parle ? »", "A adoré « x »", "N’a pas aimé « x »", "A ri de « x »", "A souligné « x »",
		"A réagi ❤️ à « x »", "a réagi avec 🔥 à « x »", "A retiré la réaction 😂 à « x »",
		"a attribué la mention « Adore » à « x »", "A retiré la mention « J’aime » de « x »",
		"Понравилось «Поговорим?»",
	}
	for _, text := range reactions {
		if !isReaction(text) {
			t.Errorf("a person's words: %q", text)
		}
	}
	answers := []string{
		"", "👍", "ok 👍", "I liked “Shall we talk?”", "Liked it", "Liked “the offer”. When can we meet?", `Loved "it" and "that"`, `Loved "it " and "that"`, `Liked "5" screens, call me`,
		"Reacted with a sticker to it", "I reacted with a sticker to “Hi”",
		"Loved “it” and “that”", "Liked", "Liked an image of yours, call me", "to “x”", "12 to “x”", "5 to “x”", "# to “x”", "5\ufe0f to “x”", "15️⃣ to “x”", "5️⃣2 to “x”", "a️⃣ to “x”", "a to “x”", "👍 to that", "Removed the number from “x”, fine",
		"Removed me from “x”?", "Questioned by my boss: “why?”", "“Liked”", "\xff\xfe", strings.Repeat("“", 100_000), "Emphasized",
	}
	for _, text := range answers {
		if isReaction(text) {
			t.Errorf("a reaction: %q", text)
		}
	}
}

// TestAMessageOfNothingIsNoAnswer is what ended sequences: what a provider cannot show, a reaction on WhatsApp among it, is told by
// a message without content.
func TestAMessageOfNothingIsNoAnswer(t *testing.T) {
	t.Parallel()
	inbound := func(m canonical.Message) *canonical.Event {
		return &canonical.Event{Type: canonical.TypeMessage, Direction: canonical.Inbound, Message: &m}
	}
	cases := map[string]struct {
		event *canonical.Event
		want  bool
	}{
		"nothing":     {inbound(canonical.Message{Summary: "[empty message]"}), false},
		"blanks":      {inbound(canonical.Message{Text: " \u200b\n"}), false},
		"no message":  {&canonical.Event{Type: canonical.TypeMessage, Direction: canonical.Inbound}, false},
		"words":       {inbound(canonical.Message{Text: "ok"}), true},
		"a thumb":     {inbound(canonical.Message{Text: "👍"}), true},
		"a picture":   {inbound(canonical.Message{Attachments: []canonical.Attachment{{URL: "https://a"}}}), true},
		"a contact":   {inbound(canonical.Message{Contacts: []canonical.Contact{{}}}), true},
		"an order":    {inbound(canonical.Message{Order: &canonical.Order{}}), true},
		"of no shape": {inbound(canonical.Message{ContentType: canonical.ContentUnsupported}), true},
		"a button":    {inbound(canonical.Message{Postback: &canonical.Postback{Payload: "yes"}}), true},
		"a picture whose address was set aside": {&canonical.Event{
			Type: canonical.TypeMessage, Direction: canonical.Inbound, Message: &canonical.Message{Summary: "[empty message]"},
			Metadata: map[string]json.RawMessage{"setAside": json.RawMessage(`[{"path":"$.message.attachments[0].url"}]`)},
		}, true},
		"what only a device shows": {inbound(canonical.Message{ContentType: canonical.ContentEncrypted}), true},
		"a place":                  {inbound(canonical.Message{Location: &canonical.Location{}}), true},
		"a reaction":               {&canonical.Event{Type: canonical.TypeReaction, Direction: canonical.Inbound, Reaction: &canonical.Reaction{Emoji: "👍"}}, false},
		"a consent":                {&canonical.Event{Type: canonical.TypeConsent, Direction: canonical.Inbound, Consent: &canonical.Consent{State: "opted_out"}}, true},
		"a told consent":           {&canonical.Event{Type: canonical.TypeConsent, Direction: canonical.Status, Consent: &canonical.Consent{State: "opted_out"}}, false},
		"a reaction that the provider tells as a message": {&canonical.Event{
			Type: canonical.TypeMessage, Direction: canonical.Inbound, Message: &canonical.Message{Text: "👍"}, RelatesTo: &canonical.Relation{Kind: "reaction"},
		}, false},
		"an answer to a message": {&canonical.Event{
			Type: canonical.TypeMessage, Direction: canonical.Inbound, Message: &canonical.Message{Text: "👍"}, RelatesTo: &canonical.Relation{Kind: "reply"},
		}, true},
	}
	for name, c := range cases {
		if got := canReply(c.event); got != c.want {
			t.Errorf("%s can answer: %t", name, got)
		}
	}
}

func FuzzIsReaction(f *testing.F) {
	for _, seed := range []string{"Liked “x”", "👍 to “x”", "a attribué la mention « Adore » à « x »", "Loved an image", "Loved an image" + strings.Repeat(" ", 90), "\xff“", `Liked "a "b" c"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if isReaction(text) && !strings.ContainsAny(text, "“\"«„") && len(strings.TrimFunc(text, invisible)) > maxWording {
			t.Errorf("%q is a reaction to nothing", text)
		}
	})
}

func BenchmarkIsReaction(b *testing.B) {
	text := "What does product X cost for a team of twelve, and can we have an invoice in euros at the end of the month?"
	b.ReportAllocs()
	for b.Loop() {
		if isReaction(text) {
			b.Fatal("a reaction")
		}
	}
}
