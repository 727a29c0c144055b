package adapter

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/shared/canonical"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/webhook"
)

// TestAReceiptThatSaysTheRecipientOptedOutIsAConsentToo is what changed nothing but the receipt: the provider refused to send because the
// person had opted out. That it is of the beginning of its minute lost opt-outs: a START of the same minute, whose time is exact, came
// after them. When they were of the receipt, a late one undid an earlier START.
func TestAReceiptThatSaysTheRecipientOptedOutIsAConsentToo(t *testing.T) {
	received := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for sentence, c := range map[string]struct {
		receipt  canonical.Receipt
		at       time.Time
		within   time.Duration
		reason   string
		optedOut time.Time // zero: nobody did
	}{
		"of the minute it was received in": {canonical.Receipt{State: "failed", Reason: receipt.OptedOut}, received.Truncate(time.Minute), time.Minute, receipt.OptedOut, received},
		"of a minute of before":            {canonical.Receipt{State: "failed", Reason: receipt.OptedOut}, received.Add(-10 * time.Minute), time.Minute, receipt.OptedOut, received.Add(-9*time.Minute - time.Millisecond)},
		"of the last minute":               {canonical.Receipt{State: "failed", Reason: receipt.OptedOut}, received.Add(-time.Minute), time.Minute, receipt.OptedOut, received.Add(-time.Millisecond)},
		"of an exact time":                 {canonical.Receipt{State: "failed", Reason: receipt.OptedOut}, received.Add(-10 * time.Minute), 0, receipt.OptedOut, received.Add(-10 * time.Minute)},
		"without a time":                   {canonical.Receipt{State: "canceled", Reason: receipt.OptedOut}, time.Time{}, time.Minute, receipt.OptedOut, received},
		"of a message that arrived":        {canonical.Receipt{State: "delivered", Reason: receipt.OptedOut}, received, 0, receipt.OptedOut, time.Time{}},
		"of another reason":                {canonical.Receipt{State: "failed", Reason: receipt.InvalidNumber}, received, 0, receipt.InvalidNumber, time.Time{}},
		"that nobody explains":             {canonical.Receipt{State: "failed", Error: "99"}, received, 0, receipt.Unknown, time.Time{}},
		"that expired":                     {canonical.Receipt{State: "expired"}, received, 0, receipt.Expired, time.Time{}},
		"that was called off":              {canonical.Receipt{State: "canceled"}, received, 0, "", time.Time{}},
		"that was sent":                    {canonical.Receipt{State: "sent"}, received, 0, "", time.Time{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			ring, known := keyringtest.New(), &directory{}
			e := canonical.Event{
				Type: canonical.TypeReceipt, Channel: canonical.SMS, Direction: canonical.Status, ProviderMessageID: "SM1", Timestamp: c.at,
				Sender: canonical.Participant{Phone: "+15552010002"}, Recipient: canonical.Participant{Phone: "+15552010001"},
				RelatesTo: &canonical.Relation{Kind: "receipt", ProviderMessageID: "SM1"}, Receipt: &c.receipt,
			}
			channel := single{parsed: Parsed{Event: e, Kind: "receipt", Key: "1", Addresses: []string{"one"}, Person: "p", Side: "s", Within: c.within}}
			a := New(ring, Parts{
				Channel: channel, Directory: known, Peppers: known, Lanes: map[canonical.Type][]Sink{canonical.TypeReceipt: {}},
			})
			w := Webhook{Request: webhook.Request{Received: received}, AccountID: "shared"}
			work, err := a.Parse(t.Context(), w, channel.Decode(w))
			if err != nil {
				t.Fatal(err)
			}
			read := func(m queue.Message) (e canonical.Event) {
				if err := json.Unmarshal(opened(t, ring, m), &e); err != nil {
					t.Fatal(err)
				}
				return e
			}
			told := read(work.Lanes[canonical.TypeReceipt][0])
			if told.Receipt.Reason != c.reason || told.ProviderMessageID != "SM1" {
				t.Errorf("the receipt says %+v, want %q", told.Receipt, c.reason)
			}
			if c.optedOut.IsZero() {
				if len(work.Messages) != 0 {
					t.Errorf("%d events beside", len(work.Messages))
				}
				return
			}
			if len(work.Messages) != 1 {
				t.Fatalf("%d events beside", len(work.Messages))
			}
			got := read(work.Messages[0])
			if got.EventID == told.EventID || got.ThreadID != told.ThreadID || got.ProviderMessageID != "" || !got.Timestamp.Equal(c.optedOut) {
				t.Errorf("%+v beside %+v, want it of %s", got, told, c.optedOut)
			}
			want := &canonical.Consent{Keyword: "stop", State: "opted_out", Source: "receipt"}
			if diff := cmp.Diff(want, got.Consent); diff != "" || got.Type != canonical.TypeConsent || got.Receipt != nil {
				t.Errorf("%s: %s", got.Type, diff)
			}
		})
	}
}
