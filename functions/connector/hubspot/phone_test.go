package hubspot

import (
	"testing"

	"signalbox/functions/connector"
)

func TestOnlyContactsWithExactlyThisNumberAreTaken(t *testing.T) {
	cases := map[string]struct {
		held   map[string]string
		phone  string
		region string
		want   bool
	}{
		"as we write it":                     {map[string]string{"phone": "+15551234567"}, "+15551234567", "", true},
		"with punctuation":                   {map[string]string{"phone": "(555) 123-4567"}, "+15551234567", "US", true},
		"with dots":                          {map[string]string{"phone": "555.123.4567"}, "+15551234567", "US", true},
		"with an extension":                  {map[string]string{"phone": "555 123 4567 x4"}, "+15551234567", "US", true},
		"digits with the country":            {map[string]string{"phone": "15551234567"}, "+15551234567", "US", true},
		"one digit short":                    {map[string]string{"mobilephone": "911 22 33 44", "phone": "n/a"}, "+3491122334", "ES", false},
		"in the mobile field":                {map[string]string{"mobilephone": "911 22 33 44"}, "+34911223344", "ES", true},
		"in the WhatsApp field":              {map[string]string{"hs_whatsapp_phone_number": "+34911223344"}, "+34911223344", "US", true},
		"worked out by HubSpot":              {map[string]string{"phone": "??", "hs_calculated_phone_number": "+34911223344"}, "+34911223344", "US", true},
		"the record's country goes first":    {map[string]string{"phone": "911223344", "hs_country_region_code": "ES"}, "+34911223344", "US", true},
		"the record's country, as a word":    {map[string]string{"phone": "911223344", "country": "es"}, "+34911223344", "US", true},
		"the record's country, by its name":  {map[string]string{"phone": "911223344", "country": "Spain"}, "+34911223344", "US", true},
		"a country we cannot read":           {map[string]string{"phone": "911223344", "country": "Elbonia"}, "+34911223344", "ES", true},
		"the same digits in another country": {map[string]string{"phone": "911223344", "country": "PT"}, "+34911223344", "ES", false},
		"the same digits behind others":      {map[string]string{"phone": "+4415551234567"}, "+15551234567", "US", false},
		"a shorter number":                   {map[string]string{"phone": "1234567"}, "+15551234567", "US", false},
		"no region for a national number":    {map[string]string{"phone": "911223344"}, "+34911223344", "", false},
		"no number":                          {map[string]string{"phone": ""}, "+15551234567", "US", false},
		"no number on either side":           {map[string]string{"phone": "ask"}, "", "US", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := len(samePhone([]object{{ID: "1", Properties: c.held}}, c.phone, c.region)) == 1; got != c.want {
				t.Errorf("taken: %v, want %v", got, c.want)
			}
		})
	}
}

func FuzzSamePhone(f *testing.F) {
	f.Add("(555) 123-4567", "US", "+15551234567")
	f.Add("911223344 ext 9", "ES", "+34911223344")
	f.Add("٣٤", "", "+1")
	f.Fuzz(func(t *testing.T, typed, country, phone string) {
		same := samePhone([]object{{Properties: map[string]string{"phone": typed, "country": country}}}, phone, "US")
		if len(same) == 1 && !connector.SameNumber(phone, connector.RegionOf("US", country), typed) {
			t.Errorf("%q is not %q", typed, phone)
		}
	})
}
