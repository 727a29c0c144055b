package canonical_test

import (
	"testing"

	"signalbox/shared/canonical"
)

func TestAddressesAreToldApartByGrammar(t *testing.T) {
	cases := map[string]struct {
		address string
		want    canonical.AddressKind
	}{
		"a number":                          {"+15551234567", canonical.E164},
		"the shortest number":               {"+2901234", canonical.E164},
		"the longest number":                {"+123456789012345", canonical.E164},
		"a number too short":                {"+123456", canonical.OtherAddress},
		"a number too long":                 {"+1234567890123456", canonical.OtherAddress},
		"a country code that begins with 0": {"+0155512345", canonical.OtherAddress},
		"two signs":                         {"++15551234567", canonical.OtherAddress},
		"a number with spaces":              {"+1 555 123 4567", canonical.OtherAddress},
		"a number without its sign":         {"15551234567", canonical.OtherAddress},
		"digits of another script":          {"+١٥٥٥١٢٣٤٥٦٧", canonical.OtherAddress},
		"the shortest short code":           {"112", canonical.ShortCode},
		"a short code":                      {"55501", canonical.ShortCode},
		"the longest short code":            {"12345678", canonical.ShortCode},
		"two digits":                        {"11", canonical.OtherAddress},
		"nine digits":                       {"123456789", canonical.OtherAddress},
		"a sender's name":                   {"ACME", canonical.Alphanumeric},
		"the longest name":                  {"ACME 24-7 x", canonical.Alphanumeric},
		"a name too long":                   {"ACME Support", canonical.OtherAddress},
		"a name with an umlaut":             {"Müller", canonical.OtherAddress},
		"a name that ends with a space":     {"ACME ", canonical.OtherAddress},
		"an RCS agent":                      {"acme_support_x1_agent", canonical.OtherAddress},
		"an e-mail address":                 {"a@b.example", canonical.OtherAddress},
		"a sign alone":                      {"+", canonical.OtherAddress},
		"nothing":                           {"", canonical.OtherAddress},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := canonical.ClassifyAddress(c.address); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}
