package demo

import (
	"bytes"
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
)

// TestASampleThatACRMDoesNotShowIsReported: what a person said, tapped, sent or reacted with is to be read in every CRM.
func TestASampleThatACRMDoesNotShowIsReported(t *testing.T) {
	sms := samples.Sample{Name: "sample", Path: "/v1/accounts/demo-twilio/twilio/messages"}
	for sentence, c := range map[string]struct {
		event canonical.Event
		html  string // as one CRM shows it
		want  string
	}{
		"words":       {canonical.Event{Message: &canonical.Message{Text: "one  & two"}}, "<p>SMS</p><p>one &amp; two</p>", ""},
		"other words": {canonical.Event{Message: &canonical.Message{Text: "one"}}, "<p>two</p>", `says "two" and not "one"`},
		"a button":    {canonical.Event{Message: &canonical.Message{Postback: &canonical.Postback{Text: "Yes"}}}, "[button: no]", `not "Yes"`},
		"an order":    {canonical.Event{Message: &canonical.Message{Order: &canonical.Order{Items: []canonical.OrderItem{{ID: "sku-1"}}}}}, "order: 1 item", `not "sku-1"`},
		"a file":      {canonical.Event{Message: &canonical.Message{Attachments: []canonical.Attachment{{Name: "a.pdf"}}}}, "[attachment]", `not "a.pdf"`},
		"a place":     {canonical.Event{Message: &canonical.Message{Location: &canonical.Location{Label: "Home"}}}, "[location]", `not "Home"`},
		"a reaction":  {canonical.Event{Type: canonical.TypeReaction, Reaction: &canonical.Reaction{Emoji: "👍"}}, "Reacted", `not "👍"`},
		"nothing":     {canonical.Event{Type: canonical.TypeRetract}, "<p> </p>", "says nothing"},
		"a status":    {canonical.Event{Receipt: &canonical.Receipt{State: "read"}}, "", ""},
	} {
		held := map[string][]samples.Record{"first": {{Properties: map[string]string{"html": c.html, "status": "read"}}}}
		target := samples.Target{CRMs: map[string]samples.Simulator{"first": {Text: "html", HTML: true, Status: "status"}}}
		s := Sent{
			Client: samples.NewTenantClient(nil, target, samples.Tenant{}), reports: []samples.Report{{Sample: sms, Held: held}},
			told: map[string][]canonical.Event{"sample": {c.event}},
		}
		var out bytes.Buffer
		if err := s.readings(&out); err == nil && c.want != "" || err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %s", sentence, err, c.want)
		}
	}
}
