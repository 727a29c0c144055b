package tenant

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
)

// Bounds of one file.
const (
	maxCRMs     = 20
	maxAccounts = 200
	maxLines    = 2000
	maxSettings = 16 << 10
	maxToken    = 4096
)

// reserved are names that a tenant's partitions would share with others.
const reserved = " account line tenants spool bytes "

// regions are the codes of ISO 3166-1 alpha-2. See https://www.iso.org/iso-3166-country-codes.html.
const regions = " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF " +
	"CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI " +
	"GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ " +
	"LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO " +
	"NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST " +
	"SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW "

// grammar is what names are checked with.
type grammar struct {
	identifier, word, version, providerAccount, e164, shortCode, alphanumeric, prefix, opaque *regexp.Regexp
}

func newGrammar() grammar {
	return grammar{
		identifier:      regexp.MustCompile(`^[a-z][a-z0-9-]{1,30}$`),
		word:            regexp.MustCompile(`^[a-z][a-z0-9]{1,30}$`),
		version:         regexp.MustCompile(`^v?[0-9][0-9A-Za-z.-]{0,19}$`),
		providerAccount: regexp.MustCompile(`^[!-~]{1,128}$`),
		e164:            regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`),
		shortCode:       regexp.MustCompile(`^[0-9]{3,8}$`),
		alphanumeric:    regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 &_-]{0,9}[A-Za-z0-9]$`),
		prefix:          regexp.MustCompile(`^[a-z]{2,20}$`),
		opaque:          regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,99}$`),
	}
}

// providerOutreach is the one provider whose tokens we make ourselves. Any other text would be refused at every request.
const providerOutreach = "outreach"

const (
	wantIdentifier = "is not 2 to 31 lower-case letters, digits and hyphens, a letter first"
	wantWord       = "is not 2 to 31 lower-case letters and digits, a letter first"
	wantPrintable  = "is not 1 to 4096 printable ASCII characters without blanks"
	wantCredential = wantPrintable + ", nor a private key in PEM"

	wantSigningKey = "is not whsec_ and 24 to 64 random bytes in base64, which requests of this provider are signed with"
)

// Validate lists everything that is wrong with a file, in the order of the file.
func Validate(f File) []Problem {
	v := &validation{grammar: newGrammar()}
	v.tenant(f)
	v.accounts(f.Accounts)
	v.lines(f)
	return v.problems
}

type validation struct {
	grammar
	problems []Problem
}

func (v *validation) add(path, reason string) { v.problems = append(v.problems, Problem{path, reason}) }

// want reports a path unless its value holds.
func (v *validation) want(holds bool, path, reason string) {
	if !holds {
		v.add(path, reason)
	}
}

func (v *validation) tenant(f File) {
	t := f.Tenant
	v.want(v.identifier.MatchString(t.ID), "tenant.id", wantIdentifier)
	v.want(!strings.Contains(reserved, " "+t.ID+" "), "tenant.id", "is a reserved word")
	length := utf8.RuneCountInString(t.Name)
	v.want(length > 0 && length <= 100 && !strings.ContainsFunc(t.Name, unicode.IsControl), "tenant.name", "is not 1 to 100 characters without control characters")
	v.want(len(t.Region) == 2 && strings.Contains(regions, " "+t.Region+" "), "tenant.region", "is not a code of ISO 3166-1 alpha-2")
	v.want(slices.Contains([]RawVendor{"", RawVendorNone, RawVendorRedacted, RawVendorFull}, t.RawVendor), "tenant.rawVendor",
		"is not none, redacted or full")
	if len(t.CRMs) > maxCRMs {
		v.add("tenant.crms", fmt.Sprintf("has more than %d elements", maxCRMs))
		return
	}
	var names []string
	for i, m := range t.CRMs {
		path := fmt.Sprintf("tenant.crms[%d]", i)
		v.want(v.identifier.MatchString(m.Name), path+".name", wantIdentifier)
		v.want(!slices.Contains(names, m.Name), path+".name", "is the name of an earlier CRM")
		names = append(names, m.Name)
		v.want(v.word.MatchString(m.Kind), path+".kind", wantWord)
		if reason := checkBaseURL(m.BaseURL); reason != "" {
			v.add(path+".baseUrl", reason)
		}
		v.want(v.version.MatchString(m.APIVersion), path+".apiVersion", "is not a version such as 2026-03 or v62.0")
		v.want(isToken(string(m.Token)) || isKey(string(m.Token)), path+".token", wantCredential)
		v.want(len(m.Settings) <= maxSettings, path+".settings", fmt.Sprintf("is larger than %d bytes", maxSettings))
	}
	if t.Rules != nil {
		for _, p := range t.Rules.Validate(names) {
			v.add("tenant.rules."+p.Path, p.Reason)
		}
	}
}

// checkBaseURL answers what is wrong with the address of a CRM, or "". Credentials go there, so that it is https, or a
// simulator on this machine.
func checkBaseURL(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return "is not an absolute URL"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(raw, "?#"):
		return "holds more than scheme, host and path"
	case strings.HasSuffix(u.Path, "/"):
		return "ends in a slash"
	case u.Scheme == "https":
		return ""
	case u.Scheme != "http":
		return "is not https"
	}
	if u.Hostname() == "localhost" {
		return ""
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsLoopback() {
		return ""
	}
	return "is http and not on this machine: it must be https"
}

// isID says whether an account or a line may have this id. Ids stand in URLs, so that strangers' are checked with it too.
func isID(id string) bool {
	if len(id) < 2 || len(id) > 63 || id[0] == '-' {
		return false
	}
	for i := range len(id) {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func isToken(token string) bool {
	return token != "" && len(token) <= maxToken && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// isSigningKey says whether requests can be verified with a token.
func isSigningKey(token secret.Value) bool {
	_, ok := standardwebhooks.Key(token)
	return ok
}

// isKey says whether a CRM's token is a private key in PEM, which has line breaks.
func isKey(token string) bool {
	block, rest := pem.Decode([]byte(token))
	return block != nil && len(token) <= maxToken && strings.HasSuffix(block.Type, "PRIVATE KEY") && len(bytes.TrimSpace(rest)) == 0
}

func (v *validation) accounts(accounts []AccountContent[secret.Value]) {
	if len(accounts) > maxAccounts {
		v.add("accounts", fmt.Sprintf("has more than %d elements", maxAccounts))
		return
	}
	ids, held := map[string]bool{}, map[[2]string]bool{}
	var signing []secret.Value
	for i, a := range accounts {
		path := fmt.Sprintf("accounts[%d]", i)
		v.want(isID(a.ID), path+".id", "is not 2 to 63 lower-case letters, digits and hyphens")
		v.want(!ids[a.ID], path+".id", "is the id of an earlier account")
		v.want(v.word.MatchString(a.Provider), path+".provider", wantWord)
		v.want(v.providerAccount.MatchString(a.ProviderAccount), path+".providerAccount", "is not 1 to 128 printable ASCII characters without blanks")
		name := [2]string{a.Provider, a.ProviderAccount}
		v.want(!held[name], path+".providerAccount", "is that of an earlier account")
		v.want(isToken(string(a.AuthToken)), path+".authToken", wantPrintable)
		v.want(a.PreviousAuthToken == "" || isToken(string(a.PreviousAuthToken)), path+".previousAuthToken", wantPrintable)
		if a.Provider == providerOutreach {
			v.want(isSigningKey(a.AuthToken), path+".authToken", wantSigningKey)
			v.want(a.PreviousAuthToken == "" || isSigningKey(a.PreviousAuthToken), path+".previousAuthToken", wantSigningKey)
			// What is signed does not name the account.
			v.want(!slices.Contains(signing, a.AuthToken), path+".authToken", "is that of an earlier account")
			signing = append(signing, a.AuthToken)
		}
		v.want(a.PreviousAuthToken == "" || a.PreviousAuthToken != a.AuthToken, path+".previousAuthToken", "is the same as authToken")
		ids[a.ID], held[name] = true, true
	}
}

func (v *validation) lines(f File) {
	if len(f.Lines) > maxLines {
		v.add("lines", fmt.Sprintf("has more than %d elements", maxLines))
		return
	}
	providers := map[string]string{}
	for _, a := range f.Accounts {
		providers[a.ID] = a.Provider
	}
	ids, held := map[string]bool{}, map[[2]string]bool{}
	for i, l := range f.Lines {
		path := fmt.Sprintf("lines[%d]", i)
		v.want(isID(l.ID), path+".id", "is not 2 to 63 lower-case letters, digits and hyphens")
		v.want(!ids[l.ID], path+".id", "is the id of an earlier line")
		provider, ok := providers[l.Account]
		v.want(ok, path+".account", "is not the id of an account in this file")
		v.address(path+".address", l)
		address := [2]string{provider, l.Address}
		v.want(!ok || !held[address], path+".address", "is that of an earlier line at the same provider")
		v.want(len(l.Channels) > 0, path+".channels", "is empty")
		for j, channel := range l.Channels {
			at := fmt.Sprintf("%s.channels[%d]", path, j)
			open := provider == providerOutreach && v.prefix.MatchString(string(channel)) // whatever a tool sends by: email, call
			known := slices.Contains([]canonical.Channel{canonical.RCS, canonical.IMessage, canonical.SMS, canonical.WhatsApp, canonical.Web}, channel)
			v.want(open || known, at, "is not rcs, imessage, sms, whatsapp or web")
			v.want(!slices.Contains(l.Channels[:j], channel), at, "is written twice")
		}
		ids[l.ID], held[address] = true, true
	}
}

// address checks the form of a line's address: E.164, a short code, an alphanumeric sender, or a provider's identifier, with
// or without the prefix of its channel. Digits alone are a short code: a number without its plus sign is a mistake.
func (v *validation) address(path string, l LineContent) {
	prefix, rest, prefixed := strings.Cut(l.Address, ":")
	if !prefixed {
		named := strings.ContainsFunc(l.Address, unicode.IsLetter) &&
			(v.alphanumeric.MatchString(l.Address) || v.opaque.MatchString(l.Address))
		v.want(named || v.e164.MatchString(l.Address) || v.shortCode.MatchString(l.Address), path,
			"is not E.164, a short code, an alphanumeric sender, or an identifier that may stand behind a channel's prefix")
		return
	}
	if !v.prefix.MatchString(prefix) || !v.opaque.MatchString(rest) && !v.e164.MatchString(rest) {
		v.add(path, "is not an identifier behind a channel's prefix")
		return
	}
	if prefix == string(canonical.WhatsApp) {
		v.want(v.e164.MatchString(rest), path, "is not E.164 behind whatsapp:")
	}
	for _, channel := range l.Channels {
		if known := prefix == string(canonical.RCS) || prefix == string(canonical.WhatsApp); known && string(channel) != prefix {
			v.add(path, "has the prefix of another channel than the line's")
			return
		}
	}
}
