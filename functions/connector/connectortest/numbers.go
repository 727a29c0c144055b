package connectortest

import (
	"testing"
	"testing/synctest"
)

// written is how somebody wrote a person's number into the CRM, and who writes to us from which.
type written struct {
	typed, country string // as the CRM holds them
	region         string // the tenant's
	phone          string // the sender's
}

// asTheSame are numbers that people write in many ways: the sender is the person who is there.
func asTheSame() map[string]written {
	return map[string]written{
		"a national number, the country by name":             {"020 7946 0958", "United Kingdom", "US", "+442079460958"},
		"a national number, the country's short name":        {"020 7946 0958", "UK", "US", "+442079460958"},
		"a national number, the country in its own language": {"030 901820", "Deutschland", "US", "+4930901820"},
		"a national number, the country without its accent":  {"11 98765-4321", "Brasil", "US", "+5511987654321"},
		"a national number, the country in French":           {"030 901820", "ALLEMAGNE ", "US", "+4930901820"},
		"a national number, the country as three letters":    {"020 7946 0958", "GBR", "US", "+442079460958"},
		"a national number, the country's official name":     {"02-312-3456", "Korea, Republic of", "US", "+8223123456"},
		"behind 00, in a country that dials 011":             {"0044 20 7946 0958", "", "US", "+442079460958"},
		"behind 00 in brackets":                              {"(0044) 20 7946 0958", "", "US", "+442079460958"},
		"behind 00 and 1":                                    {"001 (415) 555-2671", "", "ES", "+14155552671"},
		"behind 011, in a country that dials 00":             {"011 44 20 7946 0958", "", "ES", "+442079460958"},
		"the country before it and nothing else":             {"442079460958", "", "US", "+442079460958"},
		"with the national zero in brackets":                 {"+44 (0)20 7946 0958", "", "US", "+442079460958"},
		"Mexico: written with the old 1":                     {"+52 1 55 1234 5678", "", "US", "+525512345678"},
		"Mexico: sent with the old 1":                        {"+52 55 1234 5678", "", "US", "+5215512345678"},
		"Mexico: as it was dialled from a telephone at home": {"044 55 1234 5678", "México", "US", "+525512345678"},
		"Argentina: sent without the 9 of mobile telephones": {"+54 9 11 2345-6789", "", "US", "+541123456789"},
		"Argentina: written without the 9":                   {"+54 11 2345-6789", "", "US", "+5491123456789"},
		"Argentina: with the 15 that is dialled there":       {"011 15-2345-6789", "Argentina", "US", "+5491123456789"},
		"Argentina: with the 15, sent without the 9":         {"0351 15 234-5678", "AR", "US", "+543512345678"},
		"Brazil: written without the ninth digit":            {"+55 11 8765-4321", "", "US", "+5511987654321"},
		"Brazil: sent without the ninth digit":               {"(11) 98765-4321", "Brazil", "US", "+551187654321"},
		"Brazil: with the carrier":                           {"0 15 11 98765-4321", "", "BR", "+5511987654321"},
		"Brazil: with the carrier, the country by name":      {"0 15 11 98765-4321", "Brasil", "US", "+5511987654321"},
		"Brazil: with a carrier to be chosen":                {"0xx11 98765-4321", "Brasil", "US", "+5511987654321"},
		"Brazil: what looks like a country of three digits":  {"0xx11 97123-4567", "Brasil", "US", "+5511971234567"},
		"Brazil: with a carrier to be chosen, in brackets":   {"(0XX11) 98765-4321", "", "BR", "+5511987654321"},
		"Brazil: with a carrier to be chosen, behind +55":    {"+55 (0xx11) 98765-4321", "", "US", "+5511987654321"},
	}
}

// asAnother are numbers that look alike: the sender is somebody else.
func asAnother() map[string]written {
	return map[string]written{
		"the same digits in another country":                 {"911 223 344", "Portugal", "ES", "+34911223344"},
		"one digit differs":                                  {"+55 11 98765-4322", "", "US", "+5511987654321"},
		"the same end in another area":                       {"(415) 555-2671", "United States", "US", "+12125552671"},
		"Brazil: a telephone at home has no ninth digit":     {"+55 11 2345-6789", "", "US", "+5511923456789"},
		"Brazil: another area behind a carrier to be chosen": {"0xx21 98765-4321", "Brasil", "US", "+5511987654321"},
		"Brazil: the same end in another area":               {"(21) 98765-4321", "Brazil", "US", "+5511987654321"},
		"Mexico: another area":                               {"+52 1 55 1234 5678", "", "US", "+523312345678"},
		"a national number, the country is not to be known":  {"020 7946 0958", "Elbonia", "US", "+442079460958"},
	}
}

func numbers[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	t.Helper()
	for persons, cases := range []map[string]written{1: asTheSame(), 2: asAnother()} {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, fresh(t))
					w.AddPerson(c.typed, "Person 01", c.country)
					d := w.unknown(1, 1)
					d.Event.Sender.Phone, d.Person.Phone, d.Person.Region = c.phone, c.phone, c.region
					w.finish(d)
					w.holds(persons, d)
				})
			})
		}
	}
}
