package consent_test

import (
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"

	"github.com/google/go-cmp/cmp"
)

func TestKeyword(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"stop as it is":            {"STOP", consent.Stop},
		"in small letters":         {"stop", consent.Stop},
		"with blanks around":       {" \tStop\r\n", consent.Stop},
		"stopall":                  {"StopAll", consent.Stop},
		"unsubscribe":              {"unsubscribe", consent.Stop},
		"cancel":                   {"cancel", consent.Stop},
		"end":                      {"end", consent.Stop},
		"quit":                     {"quit", consent.Stop},
		"start":                    {"start", consent.Start},
		"a yes answers a question": {"Yes", ""},
		"unstop":                   {"unstop", consent.Start},
		"help":                     {"help", consent.Help},
		"info":                     {"info", consent.Help},
		"in a sentence it is talk": {"please stop calling", ""},
		"twice it is talk":         {"STOP STOP", ""},
		"nothing asks for nothing": {"", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := consent.Keyword(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestEveryWayToWriteStopIsAnOptOut is what was plain talk: words that the law names (47 CFR 64.1200(a)(10)) or providers block on,
// and the ways in which phones and people write them.
func TestEveryWayToWriteStopIsAnOptOut(t *testing.T) {
	t.Parallel()
	stop := map[string]string{
		"revoke":                              "REVOKE",
		"optout in one word":                  "OPTOUT",
		"opt out in two words":                "Opt out",
		"opt-out with a hyphen":               "opt-out",
		"opt-out with a hyphen of typography": "opt\u2011out",
		"stop all in two words":               "STOP ALL",
		"a full stop behind":                  "Stop.",
		"a mark behind":                       "stop!",
		"several marks, and blanks":           " STOP !!! ",
		"in quotes":                           "“STOP”",
		"with a sign":                         "stop 🛑",
		"with a sign and its selector":        "stop ✋\ufe0f",
		"in full width":                       "ＳＴＯＰ",
		"in full width with its full stop":    "ＳＴＯＰ。",
		"in bold letters of mathematics":      "𝐒𝐓𝐎𝐏",
		"white in black circles":              "🅢🅣🅞🅟",
		"white in black squares":              "🆂🆃🅾🅿",
		"with emoji among such letters":       "🆂🆃🅾️🅿️",
		"such letters and a sign":             "🅔🅝🅓 🛑",
		"a sign that is such a letter":        "stop 🅾️",
		"with zero-width spaces":              "\u200bST\u200dOP\ufeff",
		"with a soft hyphen":                  "UNSUB\u00adSCRIBE",
		"with marks of direction":             "\u200fstop\u200e",
		"with spaces that do not break":       "\u00a0opt\u00a0out\u202f",
		"with an old letter for s":            "ſtop",
		"French without an accent":            "ARRET",
		"French with an accent":               "ARRÊT",
		"French with an accent of its own":    "arre\u0302t",
		"French, told":                        "Arrête",
		"letters apart":                       "S T O P",
		"with a filler of Korean":             "STOP\u3164",
		"with a filler of half width":         "\uffa0STOP",
		"with what is ignored by default":     "ST\u034fOP\u2065\ufff0",
		"with a byte that is nothing":         "stop\x00",
		"with control characters":             "\x07st\u0085op\x7f",
		"with a number in a circle":           "STOP①",
		"with a number in a black circle":     "stop ❷",
		"with a number in brackets":           "⑶ Stop",
		"with a number on a key":              "Stop 1\ufe0f\u20e3",
	}
	for name, text := range stop {
		if got := consent.Keyword(text); got != consent.Stop {
			t.Errorf("%s: %q is %q", name, text, got)
		}
	}
	talk := map[string]string{
		"a sentence with stop":              "please stop by tomorrow",
		"a sentence that begins with stop":  "stop by tomorrow",
		"a sentence that ends with stop":    "I will not stop.",
		"a question":                        "Stop?",
		"a question of full width":          "end？",
		"a word that begins with a keyword": "stopped",
		"a word and a number":               "STOP 2",
		"a word and a small number":         "STOP²",
		"a word and a fraction":             "cancel ½",
		"a number on a key and one beside":  "stop 21\ufe0f\u20e3",
		"a time":                            "Stop by at 5",
		"a time in a circle":                "Stop by at ⑤",
		"an end of something":               "the end",
		"a keyword and an address":          "stop https://a.example",
		"marks alone":                       "!!!",
		"a sign alone":                      "🛑",
		"signs that are letters":            "🅰️🅱️",
		"a question of such letters":        "🅢🅣🅞🅟?",
		"a sentence of such letters":        "🆂🆃🅾🅿 🅱🆈",
		"something long":                    strings.Repeat("stop", 100_000),
		"blanks without end":                strings.Repeat(" ", 100_000) + "x",
		"bytes that are no text":            "sto\xffp",
	}
	for name, text := range talk {
		if got := consent.Keyword(text); got != "" {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// TestAnOptInIsOnlyWhatTheProviderTakesForOne: what is wrongly read as an opt-out is a message fewer, what is wrongly read as an
// opt-in one too many.
func TestAnOptInIsOnlyWhatTheProviderTakesForOne(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"yes!", "Yes.", "ＹＥＳ", "y e s", "start?", "un stop", "st\u200bart", "yeſ", "START①", "yes\x00", "start\u3164", "🆈🅴🆂", "🅢🅣🅐🅡🅣"} {
		if got := consent.Keyword(text); got != "" {
			t.Errorf("%q is %q", text, got)
		}
	}
}

func FuzzKeyword(f *testing.F) {
	for _, seed := range []string{"STOP", "ＳＴＯＰ。", "arre\u0302t", "\u200bST\u200dOP", "\xff", "opt\u2011out", "STOP①", "stop\x00\u3164", "stop 1\ufe0f\u20e3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := consent.Keyword(text); got == consent.Stop && len(text) > 256 {
			t.Errorf("%d bytes are a keyword", len(text))
		}
	})
}

func TestRecognise(t *testing.T) {
	t.Parallel()
	event := func(change func(*canonical.Event)) *canonical.Event {
		e := &canonical.Event{Type: canonical.TypeMessage, Direction: canonical.Inbound, Message: &canonical.Message{Text: "stop"}}
		change(e)
		return e
	}
	byWord := &canonical.Consent{Keyword: "stop", State: "opted_out", Source: "keyword"}
	byProvider := &canonical.Consent{Keyword: "start", State: "opted_in", Source: "provider"}
	picture, reaction := []canonical.Attachment{{URL: "https://x"}}, &canonical.Relation{Kind: "reaction"}
	tests := map[string]struct {
		event *canonical.Event
		want  *canonical.Consent
	}{
		"a whole message that is a keyword":          {event(func(*canonical.Event) {}), byWord},
		"the provider's word goes first":             {event(func(e *canonical.Event) { e.Consent = byProvider }), byProvider},
		"what we send asks for nothing":              {event(func(e *canonical.Event) { e.Direction = canonical.Outbound }), nil},
		"an opt-out below a picture":                 {event(func(e *canonical.Event) { e.Message.Attachments = picture }), byWord},
		"an opt-in below a picture is talk":          {event(func(e *canonical.Event) { e.Message.Text, e.Message.Attachments = "start", picture }), nil},
		"a call for help below a picture is talk":    {event(func(e *canonical.Event) { e.Message.Text, e.Message.Attachments = "help", picture }), nil},
		"a caption is talk":                          {event(func(e *canonical.Event) { e.Message.Text, e.Message.Attachments = "the stop sign", picture }), nil},
		"an opt-out told as a reaction":              {event(func(e *canonical.Event) { e.RelatesTo = reaction }), byWord},
		"an opt-in told as a reaction is none":       {event(func(e *canonical.Event) { e.Message.Text, e.RelatesTo = "start", reaction }), nil},
		"a call for help told as a reaction is none": {event(func(e *canonical.Event) { e.Message.Text, e.RelatesTo = "help", reaction }), nil},
		"an opt-in in reply to a message": {
			event(func(e *canonical.Event) { e.Message.Text, e.RelatesTo = "start", &canonical.Relation{Kind: "reply"} }),
			&canonical.Consent{Keyword: "start", State: "opted_in", Source: "keyword"},
		},
		"a button that says so": {event(func(e *canonical.Event) {
			e.Message.Text, e.Message.Postback = "", &canonical.Postback{Text: "Stop", Payload: "x"}
		}), byWord},
		"a button opts nobody in": {event(func(e *canonical.Event) { e.Message.Text, e.Message.Postback = "", &canonical.Postback{Text: "Start"} }), nil},
		"an opt-out in plain words": {
			event(func(e *canonical.Event) { e.Message.Text = "Please stop texting me." }),
			&canonical.Consent{Keyword: "stop", State: "opted_out", Source: "phrase"},
		},
		"plain words below a picture are a caption": {
			event(func(e *canonical.Event) { e.Message.Text, e.Message.Attachments = "Please stop texting me.", picture }), nil,
		},
		"plain words of a machine are nobody's": {
			event(func(e *canonical.Event) { e.Message.Text, e.Flags.AutoReply = "Do not text me.", true }), nil,
		},
		"a yes by itself opens nothing": {event(func(e *canonical.Event) { e.Message.Text = "yes" }), nil},
		"a button's payload is our own": {event(func(e *canonical.Event) {
			e.Message.Text, e.Message.Postback = "", &canonical.Postback{Payload: "stop"}
		}), nil},
		"an event without a message": {event(func(e *canonical.Event) { e.Message = nil }), nil},
		"a reaction":                 {event(func(e *canonical.Event) { e.Type = canonical.TypeReaction }), nil},
		"help changes nothing": {
			event(func(e *canonical.Event) { e.Message.Text = "help" }), &canonical.Consent{Keyword: "help", Source: "keyword"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, consent.FromEvent(tt.event)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
