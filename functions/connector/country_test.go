package connector

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/unicode/norm"
)

var update = flag.Bool("update", false, "write countries.txt anew")

// languages are those that countries are named in, the first of two that mean different countries by one name before the other.
const languages = "en es pt fr de it nl sv da nb fi pl cs sk hu ro bg el tr ru uk ca hr sr sl et lv lt he ar fa hi bn th vi id ms ja ko zh zh-Hant"

// unaccented drops the marks of letters: many type without them.
func unaccented(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(name))
}

// called returns the region of every name that a country has.
func called(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	add := func(name, region string) {
		for _, name := range []string{name, unaccented(name), strings.ReplaceAll(name, " & ", " and ")} {
			key := norm.NFC.String(countryKey(name))
			code := len(key) == 2 && phonenumbers.GetCountryCodeForRegion(strings.ToUpper(key)) != 0
			if _, taken := all[key]; !taken && !code && key != "" && !strings.ContainsAny(key, "=\n") {
				all[key] = region
			}
		}
	}
	aliases, err := os.ReadFile("testdata/aliases.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(aliases)) {
		if region, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && region != "#" {
			add(name, region)
		}
	}
	regions := phonenumbers.GetSupportedRegions()
	for region := range regions {
		parsed, err := language.ParseRegion(region)
		if err == nil && parsed.ISO3() != "ZZZ" {
			add(parsed.ISO3(), region)
		}
	}
	for tag := range strings.FieldsSeq(languages) {
		namer := display.Regions(language.MustParse(tag))
		for _, region := range slices.Sorted(maps.Keys(regions)) {
			if parsed, err := language.ParseRegion(region); err == nil {
				add(namer.Name(parsed), region)
			}
		}
	}
	return all
}

func TestCountriesAreCalledWhatUnicodeAndOurListCallThem(t *testing.T) {
	all := called(t)
	lines := make([]string, 0, len(all))
	for name, region := range all {
		lines = append(lines, name+"="+region+"\n")
	}
	slices.SortFunc(lines, func(a, b string) int { // by name: "=" is not before every character of a longer one
		x, _, _ := strings.Cut(a, "=")
		y, _, _ := strings.Cut(b, "=")
		return strings.Compare(x, y)
	})
	want := []byte(strings.Join(lines, ""))
	if *update {
		if err := os.WriteFile("countries.txt", want, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want, []byte(countries)) {
		t.Error("countries.txt is not what the names make: run go test ./functions/connector -run Countries -update")
	}
	for name, region := range all {
		if got := RegionOf("", name); got != region {
			t.Errorf("%q is %q, want %s", name, got, region)
		}
	}
}

func TestACountryIsKnownByItsNames(t *testing.T) {
	cases := map[string]string{
		"de": "DE", " GB ": "GB", "UK": "GB", "U.K.": "GB", "United Kingdom": "GB", "England": "GB", "Vereinigtes Königreich": "GB",
		"U.S.A.": "US", "usa": "US", "The United States": "US", "Estados Unidos": "US", "états-unis": "US", "Etats-Unis": "US", "EE. UU.": "US",
		"Deutschland": "DE", "Allemagne": "DE", "ALEMANIA": "DE", "Niemcy": "DE", "Германия": "DE", "ドイツ": "DE", "德国": "DE", "ألمانيا": "DE",
		"Brasil": "BR", "Brazil": "BR", "Brésil": "BR", "Bresil": "BR", "BRA": "BR", "México": "MX", "mexico": "MX", "España": "ES", "Espana": "ES",
		"Korea, Republic of": "KR", "Russian Federation": "RU", "Viet Nam": "VN", "Türkiye": "TR", "Turkey": "TR", "Côte d’Ivoire": "CI",
		"the  Netherlands": "NL", "Nederland": "NL", "Österreich": "AT", "Osterreich": "AT", "Schweiz": "CH", "日本": "JP", "India": "IN",
		"": "", "  ": "", "Elbonia": "", "=": "", "ZZ": "", "Europe": "",
	}
	for name, want := range cases {
		if got := RegionOf("", name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	if got := RegionOf("US", "?", "Portugal", "Spain"); got != "PT" {
		t.Errorf("the first that is known: %q", got)
	}
	if got := RegionOf("US", "?"); got != "US" {
		t.Errorf("none that is known: %q", got)
	}
}

func FuzzRegionOf(f *testing.F) {
	f.Add("United Kingdom")
	f.Add("\n=")
	f.Fuzz(func(t *testing.T, name string) {
		if region := RegionOf("", name); region != "" && phonenumbers.GetCountryCodeForRegion(region) == 0 {
			t.Errorf("%q is %q", name, region)
		}
	})
}
