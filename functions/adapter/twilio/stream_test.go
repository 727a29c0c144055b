package twilio

import (
	"fmt"
	"testing"

	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
)

// TestEventStreamsAndWebhooksTellOneEvent: whoever tells, and whichever comes first, what was said and how far it got has one id, and what was
// sent has the key by which a program of the tenant's registers it.
func TestEventStreamsAndWebhooksTellOneEvent(t *testing.T) {
	p := provider(t)
	const path = "/v1/accounts/demo-twilio/twilio/"
	form := func(kind string, fields ...[2]string) adaptertest.Case {
		return adaptertest.Case{Path: path + kind, Form: append(fields, [2]string{"AccountSid", p.Account.ProviderAccount})}
	}
	status := func(sid, state, code string, more ...[2]string) adaptertest.Case {
		return form(Status, append(more, [2]string{"MessageSid", sid}, [2]string{"From", "+15557654321"}, [2]string{"To", "+15552010002"},
			[2]string{"MessageStatus", state}, [2]string{"ErrorCode", code})...)
	}
	for streamed, told := range map[string]adaptertest.Case{
		"stream-inbound": form(Messages, [2]string{"MessageSid", "SM00de0000000000000000000000007007"}, [2]string{"From", "+15552010002"},
			[2]string{"To", "+15557654321"}, [2]string{"MessagingServiceSid", "MG00000000000000000000000000000de0"}, [2]string{"Body", "Is the flat still free?"}),
		"stream-sent":                    status("SM00de0000000000000000000000007001", "sent", "", [2]string{"MessagingServiceSid", "MG00000000000000000000000000000de0"}),
		"stream-delivered-without-words": status("SM00de0000000000000000000000007001", "delivered", ""),
		"stream-undelivered":             status("SM00de0000000000000000000000007003", "undelivered", "30003"),
		"stream-queued":                  status("SM00de0000000000000000000000007006", "queued", ""),
		"stream-failed-opted-out":        status("SM00de0000000000000000000000007004", "failed", "21610"),
	} {
		t.Run(streamed, func(t *testing.T) {
			p.Sample = sample(t, streamed)
			seen := map[string]bool{}
			for _, e := range adaptertest.Events(t, p) {
				seen[identityOf(e)] = true
			}
			p.Sample = told
			for _, e := range adaptertest.Events(t, p) {
				if !seen[identityOf(e)] {
					t.Errorf("%s is told by a webhook, and Event Streams tells %v", identityOf(e), seen)
				}
			}
		})
	}
}

// identityOf returns what makes an event the same as another.
func identityOf(e canonical.Event) string {
	key := canonical.MessageKey(e.TenantID, e.Provider, e.AccountID, e.ProviderMessageID)
	return fmt.Sprint(e.Type, " ", e.EventID, " ", e.ThreadID, " ", e.ConversationID, " ", e.Direction, " ", key)
}

// TestWordsComeLater: a message of ours that was told without words is another event with them, of one key, so that the router takes the words.
func TestWordsComeLater(t *testing.T) {
	p := provider(t)
	var told []canonical.Event
	for _, name := range []string{"stream-delivered-without-words", "stream-sent"} {
		p.Sample = sample(t, name)
		for _, e := range adaptertest.Events(t, p) {
			if e.Type == canonical.TypeMessage {
				told = append(told, e)
			}
		}
	}
	if len(told) != 2 || told[0].EventID == told[1].EventID || told[0].ProviderMessageID != told[1].ProviderMessageID || told[1].Message.Text == "" {
		t.Errorf("%d messages: %+v", len(told), told)
	}
}

// TestWhatIsOfOthersIsLeftOut: of several events each is read for itself. One of an account whose token did not sign them is a dead letter
// beside, and of a number that is no line there is none.
func TestWhatIsOfOthersIsLeftOut(t *testing.T) {
	p := provider(t)
	p.Sample = sample(t, "stream-several")
	var ids []string
	for _, e := range adaptertest.Events(t, p) {
		ids = append(ids, string(e.Type)+" "+e.ProviderMessageID)
	}
	const want = "[message SM00de0000000000000000000000007013 message SM00de0000000000000000000000007014 receipt SM00de0000000000000000000000007014]"
	if got := fmt.Sprint(ids); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
