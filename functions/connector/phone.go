package connector

import (
	"regexp"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// SearchDigits returns the digits that a CRM is searched for by a number in E.164, each to be tried when those before it found
// nobody: the number without its country, and the end that all ways to write it have in common where that is shorter. They find
// others, too: who is found is compared with SameNumber.
func SearchDigits(phone string) []string {
	number, err := phonenumbers.Parse(phone, "")
	if err != nil {
		return []string{digits(phone)}
	}
	national := plain(number)
	shared := national
	switch {
	case number.GetCountryCode() == brazil && len(national) == 10:
		shared = national[2:]
	case number.GetCountryCode() == argentina && len(national) == 10:
		shared = national[areaCode(national):] // at home 15 comes behind the area, and no 9 before it
	}
	if shared == national {
		return []string{national}
	}
	return []string{national, shared}
}

// SameNumber reports whether one of typed, numbers as people write them, is phone, a number in E.164, with or without an extension.
// Region is what a national number is read with.
func SameNumber(phone, region string, typed ...string) bool {
	number, err := phonenumbers.Parse(phone, "")
	if err != nil {
		return false
	}
	want := canonicalNumber(number)
	for _, text := range typed {
		bare := extension.ReplaceAllString(text, "$1")
		if text != "" && read(text, region) == want || bare != text && read(bare, region) == want {
			return true
		}
	}
	return false
}

// extension is a number, a word and a short number behind it, in any language: package phonenumbers knows the words of few.
var extension = regexp.MustCompile(`^(.*\d)[^\pL\d]*[\pL\pM]+[^\pL\d]*\d{1,6}[^\pL\d]*$`)

// read returns the canonical form of a typed number, "" if it is none. One that makes no sense in the region is read as an
// international one, behind the prefixes of most countries and behind none: its country was not written for those who call
// from there.
func read(typed, region string) string {
	number, err := phonenumbers.Parse(typed, region)
	if err == nil && possible(number) {
		return canonicalNumber(number)
	}
	bare := strings.TrimLeft(typed, " (")
	for _, prefix := range []string{"00", "011", ""} {
		rest, ok := strings.CutPrefix(bare, prefix)
		if !ok {
			continue
		}
		if abroad, failed := phonenumbers.Parse("+"+rest, ""); failed == nil && possible(abroad) {
			return canonicalNumber(abroad)
		}
	}
	if err != nil {
		return ""
	}
	return canonicalNumber(number)
}

// The countries whose numbers are written in several ways that are all in E.164.
const (
	mexico    = 52
	argentina = 54
	brazil    = 55
)

// canonicalNumber returns the one form of a number that is compared.
func canonicalNumber(number *phonenumbers.PhoneNumber) string {
	return phonenumbers.Format(&phonenumbers.PhoneNumber{CountryCode: number.CountryCode}, phonenumbers.E164) + plain(number)
}

// possible reports whether a number, in the form that is compared, has a length that its country has.
func possible(number *phonenumbers.PhoneNumber) bool {
	if phonenumbers.IsPossibleNumber(number) {
		return true
	}
	parsed, err := phonenumbers.Parse(canonicalNumber(number), "")
	return err == nil && phonenumbers.IsPossibleNumber(parsed)
}

// What a national number has that belongs to the way it is dialled and not to who it is: in Mexico what came before mobile
// numbers until 2019, in Argentina the 9 before mobile numbers that come from abroad, in Brazil the ninth digit, which mobile
// numbers (of eight digits from 6 on) got between 2012 and 2016 and some networks still leave out.
var (
	mexican   = regexp.MustCompile(`^(?:1|01|044|045)(\d{10})$`)
	argentine = regexp.MustCompile(`^9(\d{10})$`)
	brazilian = regexp.MustCompile(`^(\d\d)9([6-9]\d{7})$`)
)

// plain returns a number without its country and without what some leave out.
func plain(number *phonenumbers.PhoneNumber) string {
	national := phonenumbers.GetNationalSignificantNumber(number)
	switch number.GetCountryCode() {
	case mexico:
		return mexican.ReplaceAllString(national, "$1")
	case argentina:
		return argentine.ReplaceAllString(national, "$1")
	case brazil:
		return brazilian.ReplaceAllString(national, "$1$2")
	default:
		return national
	}
}

// areaCode returns how many digits of an Argentine number are its area.
func areaCode(national string) int {
	number, err := phonenumbers.Parse("+549"+national, "")
	if err != nil {
		return longestArea
	}
	if length := phonenumbers.GetLengthOfNationalDestinationCode(number) - 1; length > 0 {
		return length
	}
	return longestArea
}

// longestArea is how many digits an Argentine area has at most.
const longestArea = 4

// digits returns the digits of text.
func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}
