package tenant

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"signalbox/shared/secret"
)

// Change is one difference between the configuration in force and a file. Credentials and the values of settings are never
// told, only that they differ.
type Change struct {
	Path   string `json:"path"` // elements of lists are named, e.g. accounts[demo].authToken
	Kind   string `json:"kind"` // added, removed, changed
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// difference lists what changes from before (nil: there is nothing) to after, by path. Every member of a file is looked at, whatever it
// is; covered returns the file with its credentials covered.
func difference[F any](before, after *F, covered func(F) any) ([]Change, error) {
	held, wanted := leaves{}, leaves{}
	if before != nil {
		if err := held.read(covered(*before)); err != nil {
			return nil, err
		}
	}
	if err := wanted.read(covered(*after)); err != nil {
		return nil, err
	}
	changes := []Change{}
	for path, l := range wanted {
		old, ok := held[path]
		switch {
		case !ok:
			changes = append(changes, Change{path, "added", "", l.shown})
		case old.value != l.value:
			changes = append(changes, Change{path, "changed", old.shown, l.shown})
		}
	}
	for path, l := range held {
		if _, ok := wanted[path]; !ok {
			changes = append(changes, Change{path, "removed", l.shown, ""})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return changes, nil
}

// covered is a credential in a file that is compared. It is written as an object with one member of a name that no file has.
type covered string

const cover = "\x00"

// MarshalJSON implements json.Marshaler.
func (c covered) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{cover: string(c)})
}

func coveredOne(_ string, value secret.Value) (covered, error) { return covered(value), nil }

func coveredFile(f File) any {
	content, _ := convert(f, coveredOne) // it never fails
	return content
}

func coveredAccount(f AccountFile) any {
	account, _ := convertAccount(f.Account, coveredOne) // it never fails
	return AccountFileContent[covered]{Account: account, Owner: f.Owner, Tenants: f.Tenants}
}

// leaf is one value of a file: in JSON, and as a person reads it, "" for what is not told.
type leaf struct{ value, shown string }

// leaves are the values of a file by path.
type leaves map[string]leaf

func (l leaves) read(file any) error {
	encoded, err := json.Marshal(file)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(encoded))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return err
	}
	l.walk("", value, false)
	return nil
}

// walk adds a value and what it consists of. Hidden is what is not told.
func (l leaves) walk(path string, value any, hidden bool) {
	object, ok := value.(map[string]any)
	if !ok || len(object) == 0 {
		l.add(path, value, hidden)
		return
	}
	if credential, ok := object[cover]; ok {
		l.add(path, credential, true)
		return
	}
	for name, member := range object {
		at := path + "." + name
		if path == "" {
			at = name
		}
		if list, ok := member.([]any); ok && !hidden {
			l.list(at, list)
			continue
		}
		l.walk(at, member, hidden || name == "settings" && strings.HasPrefix(path, "tenant.crms["))
	}
}

// list adds a list. Elements with an id or a name have paths of their own, and but for accounts and lines an order.
func (l leaves) list(path string, list []any) {
	var names []string
	for _, element := range list {
		if name := nameOf(element); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 || len(names) < len(list) {
		l.add(path, list, false)
		return
	}
	for i, element := range list {
		l.walk(path+"["+names[i]+"]", element, false)
	}
	if path != "accounts" && path != "lines" {
		l[path] = leaf{strings.Join(names, " "), "in the order " + strings.Join(names, ", ")}
	}
}

func nameOf(element any) string {
	object, _ := element.(map[string]any)
	for _, member := range []string{"id", "name"} {
		if name, ok := object[member].(string); ok {
			return name
		}
	}
	return ""
}

func (l leaves) add(path string, value any, hidden bool) {
	encoded, _ := json.Marshal(value) // it was JSON
	shown := string(encoded)
	switch v := value.(type) {
	case string:
		shown = v
	case []any:
		if !slices.ContainsFunc(v, func(e any) bool { _, text := e.(string); return !text }) {
			shown = fmt.Sprint(v)
		}
	}
	if hidden {
		shown = ""
	}
	l[path] = leaf{string(encoded), shown}
}
