package connector

import (
	_ "embed"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// countries holds what people call countries, in many languages and shortened: sorted lines of "name=region", names as nameOf
// writes them. A test makes it of the Unicode names and of testdata/aliases.txt. Package golang.org/x/text/language/display
// would cost every function its tables, and an index of them at the first look.
//
//go:embed countries.txt
var countries string

// RegionOf returns the region (ISO 3166 alpha-2) of the first of the names that is a country's: its code, or what people call
// it. If none is it returns otherwise.
func RegionOf(otherwise string, names ...string) string {
	for _, name := range names {
		code := strings.ToUpper(strings.TrimSpace(name))
		if len(code) == 2 && phonenumbers.GetCountryCodeForRegion(code) != 0 {
			return code
		}
		if region := regionCalled(countryKey(name)); region != "" {
			return region
		}
	}
	return otherwise
}

// countryKey returns a country's name as it is looked up: in small letters, without dots, an article and double spaces.
func countryKey(name string) string {
	words := strings.Fields(strings.ToLower(strings.ReplaceAll(name, ".", "")))
	if len(words) > 1 && words[0] == "the" {
		words = words[1:]
	}
	return strings.Join(words, " ")
}

// regionCalled searches countries for a line of this key.
func regionCalled(key string) string {
	if key == "" {
		return ""
	}
	low, high := 0, len(countries) // whole lines
	for low < high {
		begin := strings.LastIndexByte(countries[low:(low+high)/2], '\n') + 1 + low
		line, _, _ := strings.Cut(countries[begin:], "\n")
		name, region, _ := strings.Cut(line, "=")
		switch {
		case name == key:
			return region
		case name < key:
			low = begin + len(line) + 1
		default:
			high = begin
		}
	}
	return ""
}
