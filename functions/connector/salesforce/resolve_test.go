package salesforce

import (
	"testing"

	"signalbox/shared/delivery"
)

func TestOnlyPersonsWithExactlyThisNumberAreTaken(t *testing.T) {
	cases := map[string]struct {
		held          person
		phone, region string
		want          bool
	}{
		"as we write it":                     {person{Phone: "+15551234567"}, "+15551234567", "", true},
		"as the user interface rewrites it":  {person{Phone: "(555) 123-4567"}, "+15551234567", "US", true},
		"with an extension":                  {person{Phone: "555.123.4567 x4"}, "+15551234567", "US", true},
		"in the mobile field":                {person{MobilePhone: "911 22 33 44", Phone: "n/a"}, "+34911223344", "ES", true},
		"at home":                            {person{HomePhone: "911 22 33 44"}, "+34911223344", "ES", true},
		"elsewhere":                          {person{OtherPhone: "911 22 33 44"}, "+34911223344", "ES", true},
		"the contact's country goes first":   {person{Phone: "911223344", Mailing: "es"}, "+34911223344", "US", true},
		"the lead's country goes first":      {person{Phone: "911223344", Country: "ES"}, "+34911223344", "US", true},
		"the contact's country, by its name": {person{Phone: "911223344", Mailing: "Spanien"}, "+34911223344", "US", true},
		"the code goes before the name":      {person{Phone: "911223344", MailingCode: "ES", Mailing: "Portugal"}, "+34911223344", "US", true},
		"a country we cannot read":           {person{Phone: "911223344", Country: "Elbonia"}, "+34911223344", "ES", true},
		"the same digits in another country": {person{Phone: "911223344", Country: "PT"}, "+34911223344", "ES", false},
		"the same digits behind others":      {person{Phone: "+4415551234567"}, "+15551234567", "US", false},
		"one digit short":                    {person{Phone: "911 22 33 44"}, "+3491122334", "ES", false},
		"no region for a national number":    {person{Phone: "911223344"}, "+34911223344", "", false},
		"no number":                          {person{}, "+15551234567", "US", false},
		"no number on either side":           {person{Phone: "ask"}, "", "US", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.held.hasPhone(delivery.Person{Phone: c.phone, Region: c.region}); got != c.want {
				t.Errorf("taken: %v, want %v", got, c.want)
			}
		})
	}
}

func FuzzHasPhone(f *testing.F) {
	f.Add("(555) 123-4567", "US", "+15551234567")
	f.Add("\u0663\u0664", "", "+1")
	f.Fuzz(func(t *testing.T, typed, country, phone string) {
		p := person{Phone: typed, Country: country}
		if p.hasPhone(delivery.Person{Phone: phone, Region: "US"}) && (phone == "" || typed == "") {
			t.Errorf("%q is %q", typed, phone)
		}
	})
}
