package salesforce_test

import (
	"log/slog"
	"strings"
	"testing"

	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/canonical"
)

func TestAnOrgWithAnOlderPackageGetsNoFieldItLacks(t *testing.T) {
	s := simulator.New(simulator.Options{})
	b := org()
	b.Package = 0
	d := newcomer(1)
	d.Person.Phone, d.Event.Sender = "", canonical.Participant{ID: "whatsapp:US.9", ChannelAddress: "US.9"}
	d.Event.Attribution = &canonical.Attribution{SourceType: "ad", SourceID: "1", ClickID: "2"}
	_, errs := connectortest.Carry(t.Context(), newPlace().crm(b, simulatortest.Transport(s), slog.New(slog.DiscardHandler)), d)
	none(t, errs)
	for _, object := range []string{"Lead", "Msg_Event__c"} {
		records, _ := s.Records(object)
		for name := range records[0].Properties {
			if strings.HasPrefix(name, "Ad_") || strings.HasPrefix(name, "Msg_Ad") {
				t.Errorf("%s has %s", object, name)
			}
		}
	}
}
