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

func FuzzSameNumber(f *testing.F) {
	for _, typed := range []string{"0044 20 7946 0958", "(00", "+", "011", "044 55 1234 5678", "٣٤", "tel:+1;ext=2", "0 15 11 98765-4321"} {
		f.Add(typed, "US", "+442079460958")
	}
	f.Fuzz(func(t *testing.T, typed, region, phone string) {
		if !SameNumber(phone, region, typed) {
			return
		}
		if number, err := phonenumbers.Parse(phone, ""); err != nil || canonicalNumber(number) != read(typed, region) {
			t.Errorf("%q is not %q in %q", typed, phone, region)
		}
	})
}
