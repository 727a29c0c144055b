package tenant

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
)

// Bounds of one file.
const (
	maxSettings = 16 << 10
	maxToken    = 4096
)

// grammar is what names are checked with.
type grammar struct {
	e164, digits, alphanumeric, prefix, opaque *regexp.Regexp
}

func newGrammar() grammar {
	return grammar{
		e164:         regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`),
		digits:       regexp.MustCompile(`^(?:[0-9]{3,8}|[0-9]{15,32})$`),
		alphanumeric: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 &_-]{0,9}[A-Za-z0-9]$`),
		prefix:       regexp.MustCompile(`^[a-z]{2,20}$`),
		opaque:       regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@+-]{0,99}$`),
	}
}

const (
	wantPrintable  = "is not 1 to 4096 printable ASCII characters without blanks"
	wantCredential = wantPrintable + ", nor a private key in PEM"
)

// Validate lists what is wrong with a file beyond what its schema says: what has to be unique or to be there, and what is told by
// more than a pattern. It is in the order of the file. Whose accounts its lines are of is for Plan and Publish to tell.
func Validate(f File) []Problem {
	v := &validation{grammar: newGrammar()}
	v.tenant(f)
	v.consent(f)
	v.accounts(f.Accounts)
	v.lines(f)
	v.leads(f)
	v.timelines(f)
	return v.problems
}

// owners checks whose accounts lines are of, and that no line has the address of another one. Named are the providers of the accounts with
// files of their own that name the tenant.
func (v *validation) owners(f File, named map[string]string) {
	providers := maps.Clone(named)
	for _, a := range f.Accounts {
		providers[a.ID] = a.Provider
	}
	held := map[[2]string]bool{}
	for i, l := range f.Lines {
		path := fmt.Sprintf("lines[%d]", i)
		provider, ok := providers[l.Account]
		v.want(ok, path+".account", "is not the id of an account in this file, nor of one with a file of its own that names this tenant")
		address := [2]string{provider, l.Address}
		v.want(!ok || !held[address], path+".address", "is that of an earlier line at the same provider")
		held[address] = true
	}
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
	var names []string
	for i, m := range t.CRMs {
		path := fmt.Sprintf("tenant.crms[%d]", i)
		v.want(!slices.Contains(names, m.Name), path+".name", "is the name of an earlier CRM")
		names = append(names, m.Name)
		v.want(isToken(string(m.Token)) || isKey(string(m.Token)), path+".token", wantCredential)
		v.want(len(m.Settings) <= maxSettings, path+".settings", fmt.Sprintf("is larger than %d bytes", maxSettings))
		v.want(!m.Tiers.CollectsMessages() || m.Tiers.CollectsReceipts(), path+".tiers.receipts", "is live while messages are batch: there would be nothing yet that they are about")
	}
	if t.Rules != nil {
		var channels []canonical.Channel
		for _, l := range f.Lines {
			channels = append(channels, l.Channels...)
		}
		slices.Sort(channels)
		for _, p := range t.Rules.Validate(names, slices.Compact(channels)) {
			v.add("tenant.rules."+p.Path, p.Reason)
		}
	}
}

// isID reports whether an account may have this id. Ids stand in URLs, so that strangers' are checked with it.
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

// isKey reports whether a CRM's token is a private key in PEM, which has line breaks.
func isKey(token string) bool {
	block, rest := pem.Decode([]byte(token))
	return block != nil && len(token) <= maxToken && strings.HasSuffix(block.Type, "PRIVATE KEY") && len(bytes.TrimSpace(rest)) == 0
}

func (v *validation) accounts(accounts []AccountContent[secret.Value]) {
	ids, held := map[string]bool{}, map[[2]string]bool{}
	signing := map[string]int{} // which account has a key
	for i, a := range accounts {
		path := fmt.Sprintf("accounts[%d]", i)
		v.want(!ids[a.ID], path+".id", "is the id of an earlier account")
		name := [2]string{a.Provider, a.ProviderAccount}
		v.want(!held[name], path+".providerAccount", "is that of an earlier account")
		v.account(path, i, a, signing)
		ids[a.ID], held[name] = true, true
	}
}

// account checks what an account is by itself, and its signing keys against those of the accounts before it.
func (v *validation) account(path string, i int, a AccountContent[secret.Value], signing map[string]int) {
	v.want(a.AuthToken != "", path+".authToken", wantPrintable)
	for _, t := range tokens(a) {
		v.want(isToken(string(t.value)), path+"."+t.name, wantPrintable)
	}
	v.signing(path, i, a, signing)
	v.want(a.PreviousAuthToken == "" || a.PreviousAuthToken != a.AuthToken, path+".previousAuthToken", "is the same as authToken")
}

// signing checks the signing keys of the account at i against those of earlier ones: what is signed does not name the account.
func (v *validation) signing(path string, i int, a AccountContent[secret.Value], held map[string]int) {
	for _, t := range tokens(a) {
		key, ok := standardwebhooks.Identify(t.value)
		if !ok {
			continue
		}
		owner, taken := held[string(key)]
		v.want(!taken || owner == i, path+"."+t.name, "is that of an earlier account")
		held[string(key)] = i
	}
}

func (v *validation) lines(f File) {
	ids := map[string]bool{}
	for i, l := range f.Lines {
		path := fmt.Sprintf("lines[%d]", i)
		v.want(!ids[l.ID], path+".id", "is the id of an earlier line")
		v.address(path+".address", l)
		ids[l.ID] = true
	}
}

// address checks the form of a line's address: E.164, a short code, an alphanumeric sender, or a provider's identifier, with
// or without the prefix of its channel. Digits alone are a short code, or, longer than numbers are, an identifier such as Meta's of a number: what is
// between is a number without its plus sign, a mistake.
func (v *validation) address(path string, l LineContent) {
	prefix, rest, prefixed := strings.Cut(l.Address, ":")
	if !prefixed {
		named := strings.ContainsFunc(l.Address, unicode.IsLetter) &&
			(v.alphanumeric.MatchString(l.Address) || v.opaque.MatchString(l.Address))
		v.want(named || v.e164.MatchString(l.Address) || v.digits.MatchString(l.Address), path,
			"is not E.164 with its plus, a short code, an alphanumeric sender, an identifier of 15 digits or more, or one that may stand behind a channel's prefix")
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
