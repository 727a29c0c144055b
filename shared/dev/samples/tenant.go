package samples

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Choose returns a sample, by its name or its file's, or else the first message, as a message to an account of a tenant that the sender calls
// by an id of its own: a random number of at least 32 hexadecimal digits makes one. Provider "" is the first account's that has
// samples.
func Choose(root string, channels map[string]Channel, tenant Tenant, provider, name, number string) (Sample, error) {
	all, err := Read(root)
	if err != nil {
		return Sample{}, err
	}
	demo, err := ReadTenant(filepath.Join(root, DemoTenant))
	if err != nil {
		return Sample{}, err
	}
	client := NewTenantClient(channels, Target{}, tenant)
	var providers, names []string // of the tenant, and of the samples that would do
	for _, account := range tenant.Accounts {
		providers = append(providers, account.Provider)
		if provider != "" && account.Provider != provider {
			continue
		}
		for _, s := range all {
			if s.Provider() != account.Provider || s.Shows != "" {
				continue
			}
			if s.Name == name || s.File == name || name == "" && client.identify(s).Kind == Message {
				return s.of(client.identify(s).ID, demo, tenant, account, number)
			}
			names = append(names, s.Name)
		}
	}
	list := func(of []string) string { return strings.Join(slices.Compact(of), ", ") }
	switch {
	case provider != "" && !slices.Contains(providers, provider):
		return Sample{}, fmt.Errorf("the tenant %s has no account of the provider %q: PROVIDER is one of %s", tenant.Tenant.ID, provider, list(providers))
	case len(names) == 0:
		return Sample{}, fmt.Errorf("there are no samples of %s", cmp.Or(provider, list(providers), "a tenant without accounts"))
	case name == "":
		return Sample{}, fmt.Errorf("%s has no sample that is sent without being named: SAMPLE is one of %s", cmp.Or(provider, list(providers)), list(names))
	}
	return Sample{}, fmt.Errorf("there is no sample %q for the tenant %s: SAMPLE is one of %s", name, tenant.Tenant.ID, list(names))
}

// of returns the sample, whose message is called id, with an account and the lines of a tenant in place of the demo tenant's.
func (s Sample) of(id string, demo, tenant Tenant, account Account, number string) (Sample, error) {
	prefix := id[:max(0, strings.IndexFunc(id, func(r rune) bool { return r >= '0' && r <= '9' }))]
	changes := []string{id, prefix + number[:min(len(id)-len(prefix), len(number))], "/" + s.Account() + "/", "/" + account.ID + "/"}
	for _, a := range demo.Accounts {
		if a.ID == s.Account() && a.ProviderAccount != a.ID {
			changes = append(changes, a.ProviderAccount, account.ProviderAccount)
		}
	}
	for _, ours := range demo.Lines {
		if ours.Account != s.Account() || !s.mentions(withoutPlus(ours.Address)) {
			continue
		}
		theirs, err := tenant.line(account, ours.Address)
		if err != nil {
			return s, err
		}
		changes = append(changes, ours.Address, theirs, withoutPlus(ours.Address), withoutPlus(theirs))
	}
	return s.replaced(strings.NewReplacer(changes...)), nil
}

// withoutPlus returns a line's address as providers write it that leave the plus of a number out.
func withoutPlus(address string) string { return strings.TrimPrefix(address, "+") }

// line returns the address of an account's line that is of the same sort as another one.
func (t Tenant) line(account Account, like string) (string, error) {
	sort := func(address string) string { return address[:strings.Index(address, ":")+1] }
	for _, l := range t.Lines {
		if l.Account == account.ID && sort(l.Address) == sort(like) {
			return l.Address, nil
		}
	}
	return "", fmt.Errorf("the account %s has no line like %s, which the sample is sent to: choose another sample", account.ID, like)
}

// number returns the first line of an account that is a phone number, "" if it has none.
func (t Tenant) number(account Account) string {
	for _, l := range t.Lines {
		if l.Account == account.ID && strings.HasPrefix(l.Address, "+") {
			return l.Address
		}
	}
	return ""
}

func (s Sample) mentions(text string) bool {
	for _, pair := range s.Form {
		if strings.Contains(pair[1], text) {
			return true
		}
	}
	return strings.Contains(string(s.JSON), text)
}

func (s Sample) replaced(r *strings.Replacer) Sample {
	s.Path, s.JSON = r.Replace(s.Path), json.RawMessage(r.Replace(string(s.JSON)))
	form := make([][2]string, len(s.Form))
	for i, pair := range s.Form {
		form[i] = [2]string{pair[0], r.Replace(pair[1])}
	}
	s.Form = form
	return s
}
