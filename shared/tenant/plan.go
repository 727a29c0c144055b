package tenant

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"signalbox/shared/rules"
)

// Change is one difference between the configuration in force and a file. Credentials and the values of settings are never
// told, only that they differ.
type Change struct {
	Path   string `json:"path"` // elements of lists are named, e.g. accounts[demo].authToken
	Kind   string `json:"kind"` // added, removed, changed
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// leaf is one value of a file, as plans compare it.
type leaf struct {
	value  string
	hidden bool
}

// difference lists what changes from before (nil: there is nothing) to after, by path.
func difference(before *File, after File) []Change {
	held, wanted := map[string]leaf{}, leaves(after)
	if before != nil {
		held = leaves(*before)
	}
	changes := []Change{}
	for path, l := range wanted {
		old, ok := held[path]
		switch {
		case !ok:
			changes = append(changes, Change{path, "added", "", l.shown()})
		case old.value != l.value:
			changes = append(changes, Change{path, "changed", old.shown(), l.shown()})
		}
	}
	for path, l := range held {
		if _, ok := wanted[path]; !ok {
			changes = append(changes, Change{path, "removed", l.shown(), ""})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return changes
}

func (l leaf) shown() string {
	if l.hidden {
		return ""
	}
	return l.value
}

func leaves(f File) map[string]leaf {
	out := map[string]leaf{}
	add := func(path, value string, hidden bool) {
		if value != "" {
			out[path] = leaf{value, hidden}
		}
	}
	put := func(path, value string) { add(path, value, false) }
	hide := func(path, value string) { add(path, value, true) }
	put("tenant.id", f.Tenant.ID)
	put("tenant.name", f.Tenant.Name)
	put("tenant.region", f.Tenant.Region)
	put("tenant.rawVendor", string(f.Tenant.RawVendor))
	for i, m := range f.Tenant.CRMs {
		path := "tenant.crms[" + m.Name + "]"
		put(path, fmt.Sprintf("position %d", i+1))
		put(path+".kind", m.Kind)
		put(path+".baseUrl", m.BaseURL)
		put(path+".apiVersion", m.APIVersion)
		hide(path+".token", string(m.Token))
		if m.Settings != nil {
			hide(path+".settings", string(compact(m.Settings)))
		}
	}
	putRules(f.Tenant.Rules, put)
	for _, a := range f.Accounts {
		path := "accounts[" + a.ID + "]"
		put(path+".provider", a.Provider)
		put(path+".providerAccount", a.ProviderAccount)
		hide(path+".authToken", string(a.AuthToken))
		hide(path+".previousAuthToken", string(a.PreviousAuthToken))
	}
	for _, l := range f.Lines {
		path := "lines[" + l.ID + "]"
		put(path+".account", l.Account)
		put(path+".address", l.Address)
		put(path+".channels", fmt.Sprint(l.Channels))
	}
	return out
}

func putRules(set *rules.Set, put func(path, value string)) {
	if set == nil {
		return
	}
	var order []string
	for _, r := range set.Rules {
		encoded, err := json.Marshal(r)
		if err != nil { // strings and booleans always encode
			continue
		}
		put("tenant.rules["+r.ID+"]", string(encoded))
		order = append(order, r.ID)
	}
	put("tenant.rules", "in the order "+strings.Join(order, ", "))
}
