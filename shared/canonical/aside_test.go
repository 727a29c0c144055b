package canonical

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsOptionalAndInvalidIsSetAside(t *testing.T) {
	t.Parallel()
	const long = 200_000
	at := time.Date(2026, 1, 18, 14, 23, 12, 0, time.UTC)
	valid := func() Event {
		return Event{
			EventID: "7c1a5c0e-3b0d-4f57-8f0e-5a1f8a4f6b21", SchemaVersion: SchemaVersion, Type: TypeMessage, Channel: WhatsApp, Direction: Inbound,
			ConversationID: "whatsapp:a:conv:1", Sender: Participant{Phone: "+15551234567"}, Recipient: Participant{Phone: "+15557654321"},
			Message: &Message{Text: "words", Summary: "words", ContentType: "text/plain"}, Actor: &Actor{Kind: "customer"}, Timestamp: at,
		}
	}
	image := func(url string) Attachment { return Attachment{URL: url, ContentType: "image/jpeg"} }
	for name, c := range map[string]struct {
		spoil, want func(*Event) // want changes what is valid
		paths       string       // of what is set aside
	}{
		"nothing":              {func(*Event) {}, func(*Event) {}, ""},
		"a name":               {func(e *Event) { e.Sender.DisplayName = strings.Repeat("x", long) }, func(*Event) {}, "$.sender.displayName"},
		"an id beside a phone": {func(e *Event) { e.Sender.ID = strings.Repeat("x", long) }, func(*Event) {}, "$.sender.id"},
		"two attachments of three": {
			func(e *Event) {
				e.Message.Attachments = []Attachment{image("https://a/ b"), image("https://a/b"), image("ftp://a")}
			},
			func(e *Event) { e.Message.Attachments = []Attachment{image("https://a/b")} },
			"$.message.attachments[0].url $.message.attachments[2].url",
		},
		"an attachment of which two things are wrong": {
			func(e *Event) {
				e.Message.Attachments = []Attachment{{URL: "x", Name: strings.Repeat("x", long)}, image("https://a/b")}
			},
			func(e *Event) { e.Message.Attachments = []Attachment{image("https://a/b")} },
			"$.message.attachments[0].url $.message.attachments[0].name",
		},
		"the MIME type of an attachment": {
			func(e *Event) {
				e.Message.Attachments = []Attachment{{URL: "https://a/b", ContentType: strings.Repeat("x", long)}}
			},
			func(e *Event) { e.Message.Attachments = []Attachment{{URL: "https://a/b"}} },
			"$.message.attachments[0].contentType",
		},
		"half of a button": {
			func(e *Event) { e.Message.Postback = &Postback{Text: "yes", Payload: strings.Repeat("x", long)} },
			func(e *Event) { e.Message.Postback = &Postback{Text: "yes"} },
			"$.message.postback.payload",
		},
		"all of a button": {
			func(e *Event) { e.Message.Postback = &Postback{Payload: strings.Repeat("x", long)} }, func(*Event) {},
			"$.message.postback.payload $.message.postback",
		},
		"a postback's answers are enough": {
			func(e *Event) {
				e.Message.Postback = &Postback{Text: strings.Repeat("x", long), Fields: map[string]string{"size": "L"}}
			},
			func(e *Event) { e.Message.Postback = &Postback{Fields: map[string]string{"size": "L"}} }, "$.message.postback.text",
		},
		"the long answer of a form": {
			func(e *Event) {
				e.Message.Postback = &Postback{Kind: PostbackForm, Fields: map[string]string{"size": "L", "why": strings.Repeat("é", long)}}
			},
			func(e *Event) {
				e.Message.Postback = &Postback{Kind: PostbackForm, Fields: map[string]string{"size": "L", "why": strings.Repeat("é", maxPayload-1) + "…"}}
			},
			"$.message.postback.fields.*",
		},
		"a question that is too long": {
			func(e *Event) {
				e.Message.Postback = &Postback{Kind: PostbackForm, Fields: map[string]string{"size": "L", strings.Repeat("q", long): "yes"}}
			},
			func(e *Event) {
				e.Message.Postback = &Postback{Kind: PostbackForm, Fields: map[string]string{"size": "L", strings.Repeat("q", maxIdentifier-1) + "…": "yes"}}
			},
			"$.message.postback.fields.*",
		},
		"the answers of a form beyond those that there may be": {
			func(e *Event) { e.Message.Postback = &Postback{Fields: numbered(maxVariables + 2)} },
			func(e *Event) { e.Message.Postback = &Postback{Fields: numbered(maxVariables)} },
			"$.message.postback.fields",
		},
		"the address of a suggestion, which runs something": {
			func(e *Event) {
				e.Message.Suggestions = []Suggestion{{Text: "Go", Kind: SuggestURL, URL: "javascript:alert(1)"}}
			},
			func(e *Event) { e.Message.Suggestions = []Suggestion{{Text: "Go", Kind: SuggestURL}} }, "$.message.suggestions[0].url",
		},
		"a key without its cipher goes whole": {
			func(e *Event) {
				e.Message.Attachments = []Attachment{{URL: "https://a/b", Access: &Access{Scheme: AccessBearer, Cipher: CipherAES256CTR, Key: "xy"}}}
			},
			func(e *Event) {
				e.Message.Attachments = []Attachment{image("https://a/b")}
				e.Message.Attachments[0].ContentType = ""
			},
			"$.message.attachments[0].access.key $.message.attachments[0].access",
		},
		"a header that is none": {
			func(e *Event) {
				e.Message.Attachments = []Attachment{{URL: "https://a/b", Access: &Access{Scheme: AccessHeader, Header: "a b"}}}
			},
			func(e *Event) { e.Message.Attachments = []Attachment{{URL: "https://a/b"}} },
			"$.message.attachments[0].access.header $.message.attachments[0].access",
		},
		"the picture of a card": {
			func(e *Event) { e.Message.Cards = []Card{{Title: "Boots", Media: &Attachment{URL: "x"}}} },
			func(e *Event) { e.Message.Cards = []Card{{Title: "Boots"}} }, "$.message.cards[0].media.url",
		},
		"one phone of a contact": {
			func(e *Event) { e.Message.Contacts = []Contact{{Phones: []string{strings.Repeat("x", long), "+1"}}} },
			func(e *Event) { e.Message.Contacts = []Contact{{Phones: []string{"+1"}}} }, "$.message.contacts[0].phones[0]",
		},
		"why a message failed": {
			func(e *Event) { e.Receipt = &Receipt{State: "expired", Reason: "Too Late"} },
			func(e *Event) { e.Receipt = &Receipt{State: "expired"} }, "$.receipt.reason",
		},
		"both numbers of a location": {
			func(e *Event) { e.Message.Location = &Location{Latitude: math.NaN(), Longitude: 181} }, func(*Event) {},
			"$.message.location.latitude $.message.location.longitude",
		},
		"a latitude that is none": {func(e *Event) { e.Message.Location = &Location{Latitude: 91, Label: "here"} }, func(*Event) {}, "$.message.location.latitude"},
		"the label of a location": {
			func(e *Event) { e.Message.Location = &Location{Label: strings.Repeat("x", long)} },
			func(e *Event) { e.Message.Location = &Location{} }, "$.message.location.label",
		},
		"whom it answers": {
			func(e *Event) { e.RelatesTo = &Relation{"reply", strings.Repeat("x", long), "her"} },
			func(e *Event) { e.RelatesTo = &Relation{Kind: "reply", Sender: "her"} }, "$.relatesTo.providerMessageId",
		},
		"an advertisement's words": {
			func(e *Event) { e.Attribution = &Attribution{SourceID: "1", Body: strings.Repeat("x", long)} },
			func(e *Event) { e.Attribution = &Attribution{SourceID: "1"} }, "$.attribution.body",
		},
		"who acted, of a kind that is none": {func(e *Event) { e.Actor = &Actor{Kind: "ghost"} }, func(*Event) {}, "$.actor.kind"},
		"a trace":                           {func(e *Event) { e.Trace.Traceparent = "x" }, func(*Event) {}, "$.trace.traceparent"},
		"metadata of a bad name":            {func(e *Event) { e.Metadata = map[string]json.RawMessage{"a b": json.RawMessage("1")} }, func(*Event) {}, "$.metadata.*"},
		"a summary":                         {func(e *Event) { e.Message.Summary = strings.Repeat("x", long) }, func(*Event) {}, "$.message.summary"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, want := valid(), valid()
			c.spoil(&got)
			c.want(&want)
			aside, err := got.SetAside()
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for _, p := range aside {
				paths = append(paths, p.Path)
			}
			if diff := cmp.Diff(c.paths, strings.Join(paths, " ")); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(want, got.WithDefaults(), cmp.Transformer("empty", func(a []Attachment) []Attachment { return append([]Attachment(nil), a...) })); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, spoil := range map[string]func(*Event){
		"the event's id":              func(e *Event) { e.EventID = "x" },
		"the message's id":            func(e *Event) { e.ProviderMessageID = strings.Repeat("x", long) },
		"the words":                   func(e *Event) { e.Message.Text = strings.Repeat("x", long) },
		"the message":                 func(e *Event) { e.Message = nil },
		"the only sign of the sender": func(e *Event) { e.Sender = Participant{Phone: "12"} },
		"the time":                    func(e *Event) { e.Timestamp = time.Time{} },
		"a consent":                   func(e *Event) { e.Consent = &Consent{State: "perhaps"} },
		"the state of a receipt":      func(e *Event) { e.Type, e.Direction, e.Receipt = TypeReceipt, Status, &Receipt{State: "x"} },
		"the emoji of a reaction": func(e *Event) {
			e.Type, e.Reaction, e.RelatesTo = TypeReaction, &Reaction{}, &Relation{Kind: "reaction"}
		},
		"what an edit is of": func(e *Event) { e.Type, e.RelatesTo = TypeEdit, &Relation{Kind: "x"} },
		"the words, and a name as well": func(e *Event) {
			e.Message.Text, e.Sender.DisplayName = strings.Repeat("x", long), strings.Repeat("x", long)
		},
	} {
		e := valid()
		spoil(&e)
		if aside, err := e.SetAside(); err == nil {
			t.Errorf("%s was set aside: %v", name, aside)
		}
	}
}

// numbered returns what a form of n questions was filled in with. The names of its fields sort in their order.
func numbered(n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[fmt.Sprintf("%04d", i)] = "yes"
	}
	return all
}

// FuzzSetAside: whatever a document says, what is left of it is valid, or it is said what cannot be done without.
func FuzzSetAside(f *testing.F) {
	f.Add(`{"sender":{"phone":"+15551234567"},"message":{"attachments":[{"url":"https://a","access":{"key":"x"}}],"contacts":[{"phones":["1"]}],"postback":{"fields":{"a":"b"}}}}`)
	f.Add(`{"sender":{"phone":"+1"},"message":{"attachments":[{"url":"x"},{"url":"https://a"}],"location":{"latitude":99,"longitude":1}}}`)
	f.Add(`{"participants":[{"phone":"x"}],"metadata":{"a b":1},"actor":{"kind":"x"},"relatesTo":{"kind":"x"}}`)
	f.Fuzz(func(t *testing.T, document string) {
		var e Event
		if json.Unmarshal([]byte(document), &e) != nil {
			return
		}
		e.EventID, e.SchemaVersion, e.ConversationID = "7c1a5c0e-3b0d-4f57-8f0e-5a1f8a4f6b21", SchemaVersion, "sms:a:conv:1"
		aside, err := e.SetAside()
		if err != nil {
			return
		}
		if err := e.Validate(); err != nil {
			t.Errorf("set aside %v, and %v", aside, err)
		}
	})
}
