package canonical_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/events/schema"
	"signalbox/shared/canonical"

	"github.com/google/go-cmp/cmp"
)

func TestDefaults(t *testing.T) {
	at := time.Date(2026, 1, 18, 14, 23, 12, 0, time.UTC)
	message := func(m canonical.Message) canonical.Event {
		return canonical.Event{Type: canonical.TypeMessage, Message: &m}
	}
	cases := map[string]struct{ in, want canonical.Event }{
		"no type is a message": {canonical.Event{}, canonical.Event{Type: "message"}},
		"a type stays":         {canonical.Event{Type: "receipt"}, canonical.Event{Type: "receipt"}},
		"no time is that of arrival": {canonical.Event{Type: "change", ReceivedAt: at}, canonical.Event{
			Type: "change", ReceivedAt: at, Timestamp: at, Flags: canonical.Flags{TimeEstimated: true},
		}},
		"a time stays": {
			canonical.Event{Type: "change", Timestamp: at, ReceivedAt: at.Add(1)},
			canonical.Event{Type: "change", Timestamp: at, ReceivedAt: at.Add(1)},
		},
		"an inbound event is the customer's": {
			canonical.Event{Type: "change", Direction: "inbound"},
			canonical.Event{Type: "change", Direction: "inbound", Actor: &canonical.Actor{Kind: "customer"}},
		},
		"an automatic answer is a program's": {
			canonical.Event{Type: "change", Direction: "inbound", Flags: canonical.Flags{AutoReply: true}},
			canonical.Event{Type: "change", Direction: "inbound", Flags: canonical.Flags{AutoReply: true}, Actor: &canonical.Actor{Kind: "automation"}},
		},
		"who sent an outbound event is unknown": {
			canonical.Event{Type: "change", Direction: "outbound"},
			canonical.Event{Type: "change", Direction: "outbound"},
		},
		"text is plain": {
			message(canonical.Message{Text: "hi"}),
			message(canonical.Message{Text: "hi", ContentType: "text/plain", Summary: "hi"}),
		},
		"no text has no type": {message(canonical.Message{}), message(canonical.Message{Summary: "[empty message]"})},
		"a summary stays": {
			message(canonical.Message{Text: "<b>hi</b>", ContentType: "text/html", Summary: "hi"}),
			message(canonical.Message{Text: "<b>hi</b>", ContentType: "text/html", Summary: "hi"}),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.in.WithDefaults()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnAddressThatIsANumberIsThePhoneOnNumberedChannels(t *testing.T) {
	for channel, numbered := range map[canonical.Channel]bool{
		canonical.SMS: true, canonical.RCS: true, canonical.WhatsApp: true, canonical.IMessage: true, canonical.Web: false, "telegram": false,
	} {
		for address, number := range map[string]bool{"+15551234567": true, "55501": false, "ACME": false} {
			e := canonical.Event{Channel: channel, Sender: canonical.Participant{ChannelAddress: address}, Recipient: canonical.Participant{ChannelAddress: address}}
			want := ""
			if numbered && number {
				want = address
			}
			if got := e.WithDefaults(); got.Sender.Phone != want || got.Recipient.Phone != want {
				t.Errorf("%s %s: %q and %q", channel, address, got.Sender.Phone, got.Recipient.Phone)
			}
		}
	}
	kept := canonical.Participant{Phone: "+15550000000", ChannelAddress: "+15551234567"}
	if got := (canonical.Event{Channel: canonical.SMS, Sender: kept}).WithDefaults(); !cmp.Equal(got.Sender, kept) {
		t.Errorf("a phone was replaced: %v", got.Sender)
	}
}

func TestDefaultsLeaveTheCallersMessageAlone(t *testing.T) {
	m := canonical.Message{Text: "hi"}
	_ = canonical.Event{Message: &m}.WithDefaults()
	if diff := cmp.Diff(canonical.Message{Text: "hi"}, m); diff != "" {
		t.Error(diff)
	}
}

// fallback is what stands in for a field that a channel does not give.
type fallback struct {
	Field    string              // its JSON path
	Channels []canonical.Channel // where it applies; nil is everywhere
	Value    string              // the literal, or in words; empty: the field stays absent, and consumers do without
	Why      string
}

// fallbacks is the table of what WithDefaults does, and of what it leaves.
func fallbacks() []fallback {
	numbered := []canonical.Channel{canonical.SMS, canonical.RCS, canonical.WhatsApp, canonical.IMessage}
	return []fallback{
		{"$.type", nil, string(canonical.TypeMessage), "the first documents of version 2 had no type and were messages"},
		{"$.timestamp", nil, "receivedAt, and flags.timeEstimated", "the forms of providers, Apple's messages and SMPP hold no time"},
		{"$.sender.phone", numbered, "channelAddress, if that is E.164", "the address of a number is the number"},
		{"$.recipient.phone", numbered, "channelAddress, if that is E.164", "the address of a number is the number"},
		{"$.sender.phone", []canonical.Channel{canonical.Web}, "", "a visitor is known by a browser's identifier"},
		{"$.sender.displayName", []canonical.Channel{canonical.SMS, canonical.RCS, canonical.IMessage, canonical.Web}, "", "only WhatsApp sends a profile name"},
		{"$.sender.hashedEmail", nil, "", "only an iMessage address can be an e-mail address"},
		{"$.actor", nil, "inbound: customer, or automation if flags.autoReply", "no channel says who acts; other directions have no default"},
		{"$.message.contentType", nil, "text/plain, if there is text", "no channel sends formatted text"},
		{"$.message.summary", nil, "Summarize(message)", "a message of attachments alone needs a subject in a CRM"},
		{"$.receivedAt", nil, "", "only a writer that received a webhook knows it"},
	}
}

// TestTheTableOfDefaultsNamesFieldsOfTheSchema keeps the table from going stale, and the schema's annotations with it.
func TestTheTableOfDefaultsNamesFieldsOfTheSchema(t *testing.T) {
	root, _ := tree(t, schema.Event()).(map[string]any)
	definitions, _ := root["$defs"].(map[string]any)
	property := func(path string) map[string]any {
		object := root
		for name := range strings.SplitSeq(strings.TrimPrefix(path, "$."), ".") {
			if ref, ok := object["$ref"].(string); ok {
				object, _ = definitions[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
			}
			properties, _ := object["properties"].(map[string]any)
			object, _ = properties[name].(map[string]any)
		}
		return object
	}
	for _, d := range fallbacks() {
		p := property(d.Field)
		if p == nil {
			t.Errorf("%s is no property", d.Field)
		}
		if literal, ok := p["default"].(string); ok && literal != strings.Split(d.Value, ",")[0] {
			t.Errorf("%s: the schema says %q, the table %q", d.Field, literal, d.Value)
		}
		if d.Why == "" {
			t.Errorf("%s has no reason", d.Field)
		}
	}
}

// TestTheTableOfDefaultsIsWhatHappens decodes the barest message of each channel: a row with a value fills its field, one
// without leaves it absent.
func TestTheTableOfDefaultsIsWhatHappens(t *testing.T) {
	channels := []canonical.Channel{canonical.SMS, canonical.RCS, canonical.WhatsApp, canonical.IMessage, canonical.Web, "telegram"}
	for _, d := range fallbacks() {
		for _, channel := range channels {
			if d.Channels != nil && !slices.Contains(d.Channels, channel) {
				continue
			}
			e := canonical.Event{
				EventID: "c9b1d4ae-8b2a-4f1d-9a2b-1f8f6b9f0e7c", SchemaVersion: 2, Channel: channel, Direction: canonical.Inbound,
				ConversationID: "x:a:conv:1", Message: &canonical.Message{Text: "hi"},
				Sender: canonical.Participant{ChannelAddress: "+15551234567"}, Recipient: canonical.Participant{ChannelAddress: "+15557654321"},
			}
			if d.Field == "$.timestamp" {
				e.ReceivedAt = time.Unix(1_800_000_000, 0)
			} else {
				e.Timestamp = time.Unix(1_800_000_000, 0)
			}
			at := tree(t, encode(t, e))
			for name := range strings.SplitSeq(strings.TrimPrefix(d.Field, "$."), ".") {
				object, _ := at.(map[string]any)
				at = object[name]
			}
			if (at != nil) != (d.Value != "") {
				t.Errorf("%s on %s: %v, the table says %q", d.Field, channel, at, d.Value)
			}
		}
	}
}
