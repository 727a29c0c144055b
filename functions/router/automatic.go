package router

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"signalbox/shared/canonical"
)

// maxLooked is how many bytes of a text are searched: an automatic note says what it is at its beginning.
const maxLooked = 320

// automatic reports whether a message is one that a mailbox or a phone sent by itself: an out-of-office note, the answer of a phone
// whose owner drives or sleeps. The provider's word goes first; few give one. What is not recognised for certain counts as the
// person's own words, and so does everything that asks a question: a sequence that stops once too often is noticed, one that goes
// on after an answer is the complaint.
func automatic(e *canonical.Event) bool {
	if e.Flags.AutoReply || e.Actor != nil && e.Actor.Kind == "automation" {
		return true
	}
	return e.Message != nil && saysAutomatic(e.Message.Text)
}

// writtenByPerson reports whether an event is a message that somebody of ours wrote: what a campaign, a bot, a sequence's step or an
// automatic reply sends is not.
func writtenByPerson(e *canonical.Event) bool {
	return e.Direction == canonical.Outbound && e.Type == canonical.TypeMessage && e.Actor != nil && e.Actor.Kind == "agent" && !e.Flags.AutoReply
}

func saysAutomatic(text string) bool {
	text = beginning(text)
	if strings.ContainsAny(text, "?？؟") {
		return false
	}
	return titled(text) || says(text, phones()) || (says(text, absences()) || abrupt(text)) && says(text, circumstances())
}

// beginning returns what is looked at: the first part in lower case, without what mail programs and people put before it.
func beginning(text string) string {
	if len(text) > maxLooked {
		for text = text[:maxLooked]; len(text) > maxLooked-utf8.UTFMax && !utf8.ValidString(text); {
			text = text[:len(text)-1]
		}
	}
	text = strings.TrimLeft(text, " \t\r\n([{<*_-~#\"'“‘«【📵🚗🚘")
	return strings.ReplaceAll(strings.ToLower(text), "’", "'")
}

func says(text string, phrases []string) bool {
	return slices.ContainsFunc(phrases, func(phrase string) bool { return strings.Contains(text, phrase) })
}

// titled reports whether a text begins with a title that only machines write, and the title ends there: "automatic response system" is
// something to order.
func titled(text string) bool {
	for _, title := range [...]string{
		"automatic reply", "automatic response", "automatic message", "automated reply", "automated response", "automated message",
		"auto reply", "auto-reply", "autoreply", "auto response", "auto-response", "autoresponse",
		"this is an automatic reply", "this is an automatic response", "this is an automatic message",
		"this is an automated reply", "this is an automated response", "this is an automated message",
		"this is an auto reply", "this is an auto-reply", "this is an autoreply", "out of office", "out of the office",
		"abwesenheitsnotiz", "automatische antwort", "automatische nachricht",
		"réponse automatique", "reponse automatique", "message automatique", "absence du bureau", //nolint:misspell // French
		"respuesta automática", "respuesta automatica", "mensaje automático", "mensaje automatico", "fuera de la oficina", //nolint:misspell // Spanish
		"risposta automatica", "messaggio automatico", "fuori ufficio", //nolint:misspell // Italian
		"resposta automática", "resposta automatica", "mensagem automática", "mensagem automatica", "fora do escritório",
		"automatisch antwoord", "automatisch bericht", "autosvar", "automatiskt svar", "automatisk svar", "automaattinen vastaus",
		"automatyczna odpowiedź", "otomatik yanıt", "автоответ", "автоматический ответ",
		"自動返信", "自動応答", "自动回复", "自動回覆", "자동 응답", "자동응답",
	} {
		if rest, ok := strings.CutPrefix(text, title); ok {
			next, _ := utf8.DecodeRuneInString(strings.TrimLeft(rest, " \t"))
			return rest == "" || next == '\n' || next == '\r' || unicode.IsPunct(next) || unicode.IsSymbol(next)
		}
	}
	return false
}

// phones are what phones answer: Do Not Disturb While Driving and Focus of iOS.
func phones() []string {
	return []string{
		"with do not disturb while driving turned on", "with driving focus turned on", "with focus turned on",
		"i'm not receiving notifications. if this is urgent",
	}
}

// absences are what people write too: "I'm out of the office, call my mobile". They need one of the circumstances to be a note.
func absences() []string {
	return []string{
		"i am out of office", "i'm out of office", "i am out of the office", "i'm out of the office", "currently out of office",
		"currently out of the office", "be out of office", "be out of the office",
		"nicht im büro", "nicht im hause", "actuellement absent", "absent du bureau", "absente du bureau", "fuera de la oficina",
		"fuori ufficio", "fora do escritório", "momenteel afwezig", "niet op kantoor",
	}
}

// abrupt reports whether a text begins with an absence that is nobody's: "OOO until Monday".
func abrupt(text string) bool {
	for _, opening := range [...]string{"ooo ", "ooo: ", "ooo - ", "out of office ", "out of the office "} {
		if strings.HasPrefix(text, opening) {
			return true
		}
	}
	return false
}

// circumstances are what notes of absence give besides: until when, and what happens meanwhile.
func circumstances() []string {
	return []string{
		" until ", " till ", "will return", "i return", "back on ", "back in the office", "limited access", "no access to", "in urgent", "urgent matters",
		"will respond", "will reply", "will answer", "get back to you", "thank you for your message", "thanks for your message", "thank you for your email",
		" bis ", "wieder ab ", "wieder am ", "zurück", "dringend", "vielen dank für ihre nachricht",
		"jusqu'au", "de retour", "en cas d'urgence", "merci pour votre message", "merci de votre message",
		"hasta el ", "de vuelta", "gracias por su mensaje", "fino al ", "grazie per il", "até ", "obrigado pela", "obrigada pela",
		" tot ", "dank voor uw bericht", "bedankt voor uw bericht",
	}
}
