package adapter

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

// limited is a directory whose line "one" serves these channels only.
type limited struct {
	directory
	channels []canonical.Channel
}

func (l *limited) Line(ctx context.Context, account, address string, channel canonical.Channel) (tenant.Line, error) {
	if address == "one" && channel != "" && !slices.Contains(l.channels, channel) {
		return tenant.Line{}, tenant.ErrUnserved
	}
	return l.directory.Line(ctx, account, address, channel)
}

// single is a channel whose webhooks all say the same.
type single struct {
	batch
	parsed Parsed
}

func (s single) Decode(Webhook) Content { return said{parsed: s.parsed} }

// said is a webhook of single.
type said struct {
	list
	parsed Parsed
}

func (s said) Parse() ([]Parsed, error) { return []Parsed{s.parsed}, nil }

// TestALineServesItsChannelsAndNoOther is what nothing looked at: lines[].channels of the tenant file.
func TestALineServesItsChannelsAndNoOther(t *testing.T) {
	sms, whatsapp := []canonical.Channel{canonical.SMS}, []canonical.Channel{canonical.WhatsApp}
	message := func(d canonical.Direction) canonical.Event {
		return canonical.Event{Channel: canonical.SMS, Direction: d, Message: &canonical.Message{Text: "x"}}
	}
	receipt := message(canonical.Status)
	receipt.Type, receipt.Receipt = canonical.TypeReceipt, &canonical.Receipt{State: "sent"}
	for name, c := range map[string]struct {
		event      canonical.Event
		channels   []canonical.Channel
		addresses  []string
		code, line string
	}{
		"its channel":                      {message(canonical.Inbound), sms, []string{"one"}, "", "one"},
		"another":                          {message(canonical.Inbound), whatsapp, []string{"one"}, CodeChannel, ""},
		"another, of what we sent":         {message(canonical.Outbound), whatsapp, []string{"one"}, CodeChannel, ""},
		"none":                             {message(canonical.Inbound), nil, []string{"one"}, CodeChannel, ""},
		"a later address serves it":        {message(canonical.Inbound), whatsapp, []string{"one", "two"}, "", "two"},
		"a later address that is nobody's": {message(canonical.Inbound), whatsapp, []string{"one", "none"}, CodeChannel, ""},
		"no line at all":                   {message(canonical.Inbound), sms, []string{"none"}, CodeUnowned, ""},
		// What was sent was sent, and a fallback to another channel is told by the receipts alone.
		"a receipt of another": {receipt, whatsapp, []string{"one"}, "", "one"},
	} {
		t.Run(name, func(t *testing.T) {
			c.event.Sender, c.event.Recipient = canonical.Participant{Phone: "+15552010001"}, canonical.Participant{Phone: "+15552010002"}
			ring, known := keyringtest.New(), &limited{channels: c.channels}
			channel := single{parsed: Parsed{Event: c.event, Kind: "message", Key: "1", Addresses: c.addresses, Person: "p", Side: "s"}}
			a := New(ring, Parts{Channel: channel, Directory: known, Peppers: known})
			w := Webhook{Request: webhook.Request{Received: time.Now()}, AccountID: "shared"}
			work, err := a.Parse(t.Context(), w, channel.Decode(w))
			if err != nil {
				t.Fatal(err)
			}
			code, line := "", ""
			if sorted := fault.Of(work.Unused); sorted != nil {
				code = sorted.Code
				if sorted.Kind != fault.Permanent {
					t.Errorf("%s is %s: only a corrected file mends it", code, sorted.Kind)
				}
			}
			for _, m := range work.Messages {
				var e canonical.Event
				if err := json.Unmarshal(opened(t, ring, m), &e); err != nil {
					t.Fatal(err)
				}
				line = e.LineID
			}
			if code != c.code || line != c.line {
				t.Errorf("unplaced %q, line %q: want %q, %q", code, line, c.code, c.line)
			}
		})
	}
}
