package router

import (
	"strings"
	"testing"

	"signalbox/shared/canonical"
)

// TestSaysAutomatic: notes that machines write, and messages of people that sound alike.
func TestSaysAutomatic(t *testing.T) {
	t.Parallel()
	machines := []string{
		"Automatic reply: I am away until Monday.",
		"AUTO-REPLY: thanks, we are closed",
		"[Auto Reply] Thank you for your message",
		"This is an automated response. Please do not reply.",
		"Out of Office: back on 4 January",
		"OOO until Monday, call Sam",
		"Out of the office until 4 January",
		"Automatic reply",
		"Auto response\nI am in a meeting",
		"Hi, I'm out of the office until Monday and will answer then.",
		"Thank you for your message. I am currently out of the office with limited access.",
		"I’m driving with Do Not Disturb While Driving turned on. I’ll see your message when I get where I’m going.",
		"I'm driving with Focus turned on. I'll see your message when I get where I'm going.",
		"(I’m not receiving notifications. If this is urgent, reply “urgent” to send a notification through with your original message.)",
		"Automatische Antwort: Ich bin bis 4. Januar nicht im Büro.",
		"Vielen Dank für Ihre Nachricht. Ich bin derzeit nicht im Büro.",
		"Réponse automatique : je suis en congés",
		"Bonjour, je suis actuellement absente jusqu’au 4 janvier.",
		"Respuesta automática: estoy de vacaciones",
		"Risposta automatica: torno lunedì",
		"Resposta automática: volto na segunda",
		"Automatisch antwoord: ik ben er maandag weer",
		"自動返信：休業中です",
		"自动回复：我现在不在",
	}
	people := []string{
		"", "ok", "yes please", "STOP", "I'm driving, call me at 5", "Are you out of the office next week?",
		"I'm out of the office tomorrow, can you call on Friday?", "Is this an automated message?", "Automatic reply? Really?",
		"Ooo - I love it, yes please", "ooo: nice! sign me up", "Ooo until when is the offer valid?",
		"This is an auto body shop, wrong number", "This is an automotive shop. Stop texting us",
		"I'm out of the office today, but yes, let's do it. Call my mobile", "I am out of office, take me off your list",
		"Out of the office crowd 12 of us want it. Send the contract", "Currently out of the office, please call me at 3",
		"Automatic response system sounds great, order two", "Auto-response feature works now, thanks",
		"Bin gerade nicht im Büro, ruf mich mobil an", "Call me back on Friday", "I will return it",
		"The automatic gearbox, please", "We moved out of that office", "no autopilot", "I will be out. Office closes at 5",
		"Do you sell office chairs? " + strings.Repeat("x", 400) + " automatic reply",
		strings.Repeat("é", 161) + " out of the office until Monday", "\xff\xfe", "Ich bin im Büro",
	}
	for _, text := range machines {
		if !saysAutomatic(text) {
			t.Errorf("a person's words: %q", text)
		}
	}
	for _, text := range people {
		if saysAutomatic(text) {
			t.Errorf("automatic: %q", text)
		}
	}
}

func BenchmarkSaysAutomatic(b *testing.B) {
	text := "What does product X cost for a team of twelve, and can we have an invoice in euros at the end of the month?"
	b.ReportAllocs()
	for b.Loop() {
		if saysAutomatic(text) {
			b.Fatal("automatic")
		}
	}
}

// TestWrittenByPerson: what counts as a person's word of ours, and what programs send.
func TestWrittenByPerson(t *testing.T) {
	t.Parallel()
	agent := canonical.Event{Type: canonical.TypeMessage, Direction: canonical.Outbound, Actor: &canonical.Actor{Kind: "agent"}}
	for sentence, c := range map[string]struct {
		change func(e *canonical.Event)
		want   bool
	}{
		"an agent's message":              {func(*canonical.Event) {}, true},
		"a program's":                     {func(e *canonical.Event) { e.Actor = &canonical.Actor{Kind: "automation"} }, false},
		"nobody says whose":               {func(e *canonical.Event) { e.Actor = nil }, false},
		"an agent's absence note":         {func(e *canonical.Event) { e.Flags.AutoReply = true }, false},
		"the customer's":                  {func(e *canonical.Event) { e.Direction, e.Actor.Kind = canonical.Inbound, "customer" }, false},
		"an agent's reaction says little": {func(e *canonical.Event) { e.Type = canonical.TypeReaction }, false},
	} {
		e := agent
		e.Actor = &canonical.Actor{Kind: agent.Actor.Kind}
		if c.change(&e); writtenByPerson(&e) != c.want {
			t.Errorf("%s: %v", sentence, !c.want)
		}
	}
}
