package router

import (
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/tenant"
)

func TestAnAddressThatIsAnEmailAddressIsThePersons(t *testing.T) {
	cases := map[string]struct {
		who  canonical.Participant
		want string
	}{
		"the channel's address":         {canonical.Participant{ID: "imessage:x", ChannelAddress: "Ana.Ruiz+x@mail.example.test"}, "Ana.Ruiz+x@mail.example.test"},
		"the id without its channel":    {canonical.Participant{ID: "imessage:ana@example.test"}, "ana@example.test"},
		"an opaque id":                  {canonical.Participant{ID: "imessage:urn:mbid:AQ", ChannelAddress: "urn:mbid:AQ"}, ""},
		"who has a phone":               {canonical.Participant{Phone: "+15552010001", ChannelAddress: "ana@example.test"}, ""},
		"an identifier beside a phone":  {canonical.Participant{Phone: "+15552010001", Identifiers: mailboxes("ana@example.test")}, "ana@example.test"},
		"the first identifier that is":  {canonical.Participant{Identifiers: mailboxes("ana@localhost", "ana@example.test"), ChannelAddress: "b@example.test"}, "ana@example.test"},
		"what somebody claims":          {canonical.Participant{Phone: "+15552010001", Identifiers: []canonical.Identifier{{Kind: canonical.KindEmail, Value: "ana@example.test", Claimed: true}}}, ""},
		"a hash":                        {canonical.Participant{Phone: "+15552010001", Identifiers: []canonical.Identifier{{Kind: canonical.KindHashedEmail, Value: "ana@example.test"}}}, ""},
		"no domain":                     {canonical.Participant{ChannelAddress: "ana@localhost"}, ""},
		"quoted":                        {canonical.Participant{ChannelAddress: `"ana ruiz"@example.test`}, ""},
		"with a name":                   {canonical.Participant{ChannelAddress: "Ana <ana@example.test>"}, ""},
		"longer than a CRM keeps":       {canonical.Participant{ChannelAddress: strings.Repeat("a", 80) + "@example.test"}, ""},
		"a dot where there may be none": {canonical.Participant{ChannelAddress: "ana..ruiz@example.test"}, ""},
		"nobody":                        {canonical.Participant{}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, e := range []canonical.Event{
				{Channel: canonical.IMessage, Direction: canonical.Inbound, Sender: c.who},
				{Channel: canonical.IMessage, Direction: canonical.Outbound, Recipient: c.who},
			} {
				if got := person(&e, tenant.Tenant{}, canonical.Pepper{}, conversation.Head{PersonKey: "k"}); got.Email != c.want || got.Phone != c.who.Phone {
					t.Errorf("%+v, want %q", got, c.want)
				}
			}
		})
	}
}

func mailboxes(addresses ...string) (all []canonical.Identifier) {
	for _, address := range addresses {
		all = append(all, canonical.Identifier{Kind: canonical.KindEmail, Value: address})
	}
	return all
}
