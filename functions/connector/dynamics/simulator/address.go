package simulator

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// address is a part of a path that names rows: a set, the key of one of them, and what follows.
var address = regexp.MustCompile(`^([A-Za-z_$][A-Za-z0-9_]*)(\((?:'(?:[^']|'')*'|[^()'])*\))?(?:/(.+))?$`)

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// rowKey names one row: by its id, which is under the empty name, or by the columns of an alternate key.
type rowKey map[string]string

// address reads a request's path. The key is nil if there is none.
func (r request) address() (name string, key rowKey, rest string, ok bool) {
	found := address.FindStringSubmatch(r.path)
	if found == nil {
		return "", nil, "", false
	}
	if found[2] == "" {
		return found[1], nil, found[3], true
	}
	key, ok = readKey(found[2][1 : len(found[2])-1])
	return found[1], key, found[3], ok
}

var keyPart = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=(?:'((?:[^']|'')*)'|([^',]+))(?:,|$)`)

// readKey reads what stands between the brackets of an address.
func readKey(text string) (rowKey, bool) {
	if guid.MatchString(text) {
		return rowKey{"": strings.ToLower(text)}, true
	}
	key := rowKey{}
	for text != "" {
		part := keyPart.FindStringSubmatch(text)
		if part == nil {
			return nil, false
		}
		key[part[1]] = strings.ReplaceAll(part[2], "''", "'") + part[3]
		text = text[len(part[0]):]
	}
	return key, true
}

// forbidden are the characters that no value of an alternate key may have that rows are named by. See
// https://learn.microsoft.com/power-apps/developer/data-platform/define-alternate-keys-entity.
const forbidden = "/<>*%&:\\?+"

// find returns the row that a key names, nil if there is none.
func (s *Simulator) find(t *table, key rowKey) (*record, *fault) {
	id, byID := key[""]
	if named, ok := key[t.ID]; ok && len(key) == 1 {
		id, byID = strings.ToLower(named), true
	}
	if byID {
		if !guid.MatchString(id) {
			return nil, t.badKey()
		}
		return t.get(id), nil
	}
	if !s.declares(t, key) {
		return nil, t.badKey()
	}
	first := ""
	for column, value := range key {
		if strings.ContainsAny(value, forbidden) {
			return nil, refuse(http.StatusBadRequest, codeQuery, "Bad Request - Error in query syntax.")
		}
		first = column
	}
	for _, r := range t.Find(first, strings.ToLower(key[first])) {
		if !r.Deleted && has(r, key) {
			return r, nil
		}
	}
	return nil, nil
}

// declares reports whether the columns are those of an alternate key that can be used.
func (s *Simulator) declares(t *table, key rowKey) bool {
	for name, columns := range t.Keys {
		if len(columns) == len(key) && !s.pending(t, name) && !slices.ContainsFunc(columns, func(column string) bool { return key[column] == "" }) {
			return true
		}
	}
	return false
}

// has reports whether a row has the values of an alternate key.
func has(r *record, key rowKey) bool {
	for column, value := range key {
		if held, _ := r.Values[column].(string); !strings.EqualFold(held, value) {
			return false
		}
	}
	return true
}

// absent says that a key names no row.
func (t *table) absent(key rowKey) *fault {
	id, byID := key[""]
	if named, ok := key[t.ID]; ok {
		id, byID = named, true
	}
	if byID {
		return t.noRow(id)
	}
	return t.noKey()
}

// target returns the row that the value of a bind names: an address, absolute, below the Web API or relative, or $ and a Content-ID.
func (s *Simulator) target(r request, written string) (*table, *record, *fault) {
	if name, isName := strings.CutPrefix(written, "$"); isName {
		made, known := r.named[name]
		if !known {
			return nil, nil, bad("", "Content-ID Reference: '"+written+"' does not exist in the batch context.")
		}
		written = made
	}
	name, key, rest, ok := request{path: below(written)}.address()
	t := s.bySet(name)
	switch {
	case !ok || key == nil || rest != "":
		return nil, nil, bad(codeQuery, "Bad Request - Error in query syntax.")
	case t == nil:
		return nil, nil, noSegment(name)
	}
	found, fault := s.find(t, key)
	if fault == nil && found == nil {
		fault = t.absent(key)
	}
	return t, found, fault
}

// below returns what an address says below the Web API: it may be absolute, with or without a host, or relative.
func below(written string) string {
	if _, after, absolute := strings.Cut(written, "://"); absolute {
		_, path, _ := strings.Cut(after, "/")
		written = "/" + path
	}
	return strings.TrimPrefix(strings.TrimPrefix(written, dataPath.FindString(written)), "/")
}
