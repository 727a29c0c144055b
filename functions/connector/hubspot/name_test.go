package hubspot

import (
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
)

func TestAnAddressThatWasCutIsNoName(t *testing.T) {
	for length, want := range map[int]string{maxName: "false", maxName + 1: "false", 256: "false"} {
		r := Request{delivery: delivery.Delivery{Event: canonical.Event{
			Channel: canonical.Web, Direction: canonical.Inbound, Sender: canonical.Participant{ChannelAddress: strings.Repeat("a", length)},
		}}}
		first, last := nameOf(r.delivery)
		if got := named(r, map[string]string{firstName: first, lastName: last}); got != want {
			t.Errorf("an address of %d characters is taken for a person's choice", length)
		}
	}
}
