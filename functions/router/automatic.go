package router

import (
	"strings"
	"unicode/utf8"

	"signalbox/shared/canonical"
)

// looked is how much of a text is looked at, in bytes: what answers by itself says so at once.
const looked = 320

// automatic says whether a message is one that a mailbox or a phone sent by itself: an out-of-office note, the answer of a phone
// whose owner drives or sleeps. The provider's word goes first; few give one. What is not recognised counts as the person's
// own words, and so does everything that asks a question: a sequence that stops once too often is noticed, one that goes on
// after an answer is the complaint.
func automatic(e *canonical.Event) bool {
	if e.Flags.AutoReply || e.Actor != nil && e.Actor.Kind == "automation" {
		return true
	}
	return e.Message != nil && saysAutomatic(e.Message.Text)
}

func saysAutomatic(text string) bool {
	if len(text) < len("ooo: x") {
		return false
	}
	if len(text) > looked {
		for text = text[:looked]; len(text) > looked-utf8.UTFMax && !utf8.ValidString(text); {
			text = text[:len(text)-1]
		}
	}
	text = strings.ToLower(strings.TrimLeft(text, " \t\r\n([{<*_-~#\"'“‘«【📵🚗🚘"))
	for _, opening := range [...]string{
		"automatic reply", "automatic response", "automatic message", "automated reply", "automated response", "automated message",
		"auto reply", "auto-reply", "autoreply", "auto response", "auto-response", "autoresponse",
		"this is an automatic reply", "this is an automated re", "this is an automated message", "this is an auto",
		"out of office", "out of the office", "ooo:", "ooo -",
		"abwesenheitsnotiz", "automatische antwort", "automatische nachricht", "abwesend:",
		"réponse automatique", "reponse automatique", "message automatique", "absence du bureau", //nolint:misspell // French
		"respuesta automática", "respuesta automatica", "mensaje automático", "mensaje automatico", "fuera de la oficina", //nolint:misspell // Spanish
		"risposta automatica", "messaggio automatico", "fuori ufficio", //nolint:misspell // Italian
		"resposta automática", "resposta automatica", "mensagem automática", "mensagem automatica", "fora do escritório",
		"automatisch antwoord", "automatisch bericht", "autosvar", "automatiskt svar", "automatisk svar", "automaattinen vastaus",
		"automatyczna odpowiedź", "otomatik yanıt", "автоответ", "автоматический ответ",
		"自動返信", "自動応答", "自动回复", "自動回覆", "자동 응답", "자동응답",
	} {
		if strings.HasPrefix(text, opening) {
			return !isQuestion(text)
		}
	}
	text = strings.ReplaceAll(text, "’", "'")
	for _, words := range [...]string{
		"i am out of office", "i'm out of office", "i am out of the office", "i'm out of the office", "currently out of office",
		"currently out of the office", "will be out of the office", "out of office until", "out of the office until",
		"nicht im büro", "actuellement absent", "absent du bureau", "absente du bureau", "estoy fuera de la oficina", "sono fuori ufficio",
		"estou fora do escritório", "momenteel afwezig",
		// What phones answer: Do Not Disturb While Driving and Focus of iOS.
		"with do not disturb while driving turned on", "with driving focus turned on", "with focus turned on",
		"i'm not receiving notifications. if this is urgent",
	} {
		if strings.Contains(text, words) {
			return !isQuestion(text)
		}
	}
	return false
}

func isQuestion(text string) bool { return strings.ContainsAny(text, "?？؟") }
