package connector

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// NationalDigits answers a number in E.164 without its country, or its digits when it cannot be read: what CRMs search by.
func NationalDigits(phone string) string {
	if number, err := phonenumbers.Parse(phone, ""); err == nil {
		return phonenumbers.GetNationalSignificantNumber(number)
	}
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, phone)
}

// E164 answers a typed number in E.164, without an extension, or "". Region is what a national number is read with.
func E164(typed, region string) string {
	if typed == "" {
		return ""
	}
	number, err := phonenumbers.Parse(typed, region)
	if err != nil {
		return ""
	}
	return phonenumbers.Format(number, phonenumbers.E164)
}

// RegionOf answers the first of the codes that is a region's (ISO 3166 alpha-2, in either case), or otherwise.
func RegionOf(otherwise string, codes ...string) string {
	for _, code := range codes {
		if code = strings.ToUpper(strings.TrimSpace(code)); phonenumbers.GetCountryCodeForRegion(code) != 0 {
			return code
		}
	}
	return otherwise
}
