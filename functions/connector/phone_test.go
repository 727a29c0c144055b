package connector

import (
	"slices"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

func TestWhatIsSearchedFor(t *testing.T) {
	cases := map[string][]string{
		"+15551234567":   {"5551234567"},
		"+34911223344":   {"911223344"},
		"+39061234567":   {"061234567"},
		"+525512345678":  {"5512345678"},
		"+5215512345678": {"5512345678"},
		"+5491123456789": {"1123456789", "23456789"},
		"+543512345678":  {"3512345678", "2345678"},
		"+5411":          {"11"},
		"+5511987654321": {"1187654321", "87654321"},
		"+551123456789":  {"1123456789", "23456789"},
		"12345":          {"12345"},
		"+":              {""},
	}
	for phone, want := range cases {
		if got := SearchDigits(phone); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", phone, got, want)
		}
	}
}

func TestAnExtensionIsNoPartOfTheNumber(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		phone, region, typed string
		same                 bool
	}{
		"Portuguese, with a carrier to be chosen": {"+5511987654334", "BR", "0xx11 98765-4334 ramal 12", true},
		"Portuguese, shortened, in brackets":      {"+5511987654334", "BR", "(11) 98765-4334 (r. 12)", true},
		"Portuguese, of another number":           {"+5511987654335", "BR", "0xx11 98765-4334 ramal 12", false},
		"English":                                 {"+442079460958", "US", "0044 20 7946 0958 ext. 12", true},
		"German":                                  {"+4930901820", "DE", "030 901820 Durchwahl 12", true},
		"German, shortened":                       {"+4930901820", "DE", "030 901820 App. 12", true},
		"French":                                  {"+33142685300", "FR", "01 42 68 53 00, poste 12", true},
		"Spanish, with accents of their own":      {"+34911223344", "ES", "911 223 344 extensio\u0301n: 1234", true},
		"Russian":                                 {"+74951234567", "RU", "8 (495) 123-45-67 добавочный 12", true},
		"a second number":                         {"+442079460958", "GB", "020 7946 0959 or 020 7946 0958", false},
		"a number that is written in letters":     {"+18003569377", "US", "1-800-FLOWERS", true},
		"letters with a number behind them":       {"+18005552251", "US", "1 800 555 CAL 1", true},
		"an end that is no number":                {"+12", "US", "x 12", false},
	}
	for name, c := range cases {
		if got := SameNumber(c.phone, c.region, c.typed); got != c.same {
			t.Errorf("%s: %q is %s: %t", name, c.typed, c.phone, got)
		}
	}
}

func FuzzSameNumber(f *testing.F) {
	for _, typed := range []string{"0044 20 7946 0958", "(00", "+", "011", "044 55 1234 5678", "٣٤", "tel:+1;ext=2", "0 15 11 98765-4321", "030 901820 App. 12"} {
		f.Add(typed, "US", "+442079460958")
	}
	f.Fuzz(func(t *testing.T, typed, region, phone string) {
		if !SameNumber(phone, region, typed) {
			return
		}
		if number, err := phonenumbers.Parse(phone, ""); err != nil || canonicalNumber(number) != read(typed, region) && canonicalNumber(number) != read(extension.ReplaceAllString(typed, "$1"), region) {
			t.Errorf("%q is not %q in %q", typed, phone, region)
		}
	})
}
