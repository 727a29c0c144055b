package adaptertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/webhook"
)

// broken are values that no field has by its description.
func broken() map[string]string {
	return map[string]string{
		"5,000 characters":       strings.Repeat("x", 5_000),
		"300,000 characters":     strings.Repeat("x", 300_000),
		"a URL with a space":     "https://media.example/a b.jpg",
		"a URL beyond ASCII":     "https://media.example/café.jpg",
		"control characters":     "\x00\x1b\u202e",
		"bytes that are no text": "\xff\xfe",
		"a number":               "1e400",
		"a blank":                " ",
	}
}

// optional checks that what may be missing may be malformed: for every field of every case that is none of Needed, neither its absence nor any of
// the broken values costs the message, an event of it, or a word of its text. What the field says is set aside. A field that is in
// several cases of one kind is tried in the first.
func optional(t *testing.T, p Provider) {
	tried := map[string]bool{}
	for _, folder := range folders(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			c := readFolder(t, folder)
			whole := newWorld(p)
			if answer := whole.send(t, c.Request()); answer.Status/100 != 2 || len(whole.letters()) > 0 {
				return // it is no message as it is
			}
			for field, with := range c.fields() {
				if slices.Contains(p.Needed, field) || tried[kindOf(c)+field] {
					continue
				}
				tried[kindOf(c)+field] = true
				without := newWorld(p)
				answer := without.send(t, with(nil).Request())
				switch {
				case len(without.events.messages) >= len(whole.events.messages):
					mayBeBroken(t, p, field, with, whole.said(t))
				case !isTold(p, answer, without):
					t.Errorf("without %s, %d of %d events are there: if the message cannot do without it, it is one of Needed",
						field, len(without.events.messages), len(whole.events.messages))
				}
			}
		})
	}
}

// mayBeBroken checks that a field may have any value, and that the events say what is wanted.
func mayBeBroken(t *testing.T, p Provider, field string, with func(*string) Case, want []string) {
	t.Helper()
	for how, value := range broken() {
		w := newWorld(p)
		answer := w.send(t, with(&value).Request())
		if isTold(p, answer, w) {
			continue
		}
		if got := w.said(t); answer.Status/100 != 2 || !slices.Equal(got, want) {
			t.Errorf("%s of %s: status %d, %d events; want %v", field, how, answer.Status, len(got), want)
		}
		if letters := w.letters(); len(letters) > 0 {
			t.Errorf("%s of %s: a dead letter, %s: %s", field, how, letters[0].Code, letters[0].Reason)
		}
	}
}

// isTold reports whether the sender is told that its message was refused, and nothing else became of it.
func isTold(p Provider, answer webhook.Response, w *world) bool {
	_, refuses := p.Channel.(adapter.Refuser)
	return refuses && (answer.Status == http.StatusBadRequest || answer.Status == http.StatusMultiStatus) && len(w.letters()) == 0
}

// said returns the types and texts of the events.
func (w *world) said(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, m := range w.events.messages {
		var e canonical.Event
		if err := json.Unmarshal(m.Body, &e); err != nil {
			t.Fatal(err)
		}
		text := ""
		if e.Message != nil {
			text = e.Message.Text
		}
		all = append(all, fmt.Sprintf("%s %q", e.Type, text))
	}
	return all
}

// fields returns, for each field of a form or member of a document, the case with another value of it, or without it.
func (c Case) fields() map[string]func(value *string) Case {
	all := map[string]func(*string) Case{}
	for _, field := range c.Form {
		all[field[0]] = func(value *string) Case {
			changed := c
			changed.Form = slices.DeleteFunc(slices.Clone(c.Form), func(f [2]string) bool { return f[0] == field[0] })
			if value != nil {
				changed.Form = append(changed.Form, [2]string{field[0], *value})
			}
			return changed
		}
	}
	for path, with := range members(c.JSON) {
		all[path] = func(value *string) Case {
			changed := c
			changed.JSON = with(value)
			return changed
		}
	}
	return all
}

// members returns, for each member of an object and of those in it, by their names with dots between them, the object with another value of
// it, or without it. Of an array it looks into every element: what has the name of an earlier one's is left to that.
func members(object json.RawMessage) map[string]func(value *string) json.RawMessage {
	var own map[string]json.RawMessage
	if json.Unmarshal(object, &own) == nil {
		return membersOf(own)
	}
	all := map[string]func(*string) json.RawMessage{}
	var elements []json.RawMessage
	_ = json.Unmarshal(object, &elements) // what is no array has none
	for i, raw := range elements {
		for inner, with := range members(raw) {
			if all[inner] == nil {
				all[inner] = func(value *string) json.RawMessage {
					changed := slices.Clone(elements)
					changed[i] = with(value)
					return encode(changed)
				}
			}
		}
	}
	return all
}

// membersOf is members of an object that was decoded.
func membersOf(own map[string]json.RawMessage) map[string]func(value *string) json.RawMessage {
	all := map[string]func(*string) json.RawMessage{}
	for name, raw := range own {
		change := func(changed json.RawMessage) json.RawMessage {
			rest := maps.Clone(own)
			if delete(rest, name); changed != nil {
				rest[name] = changed
			}
			return encode(rest)
		}
		all[name] = func(value *string) json.RawMessage {
			if value == nil {
				return change(nil)
			}
			return change(encode(*value))
		}
		for inner, with := range members(raw) {
			all[name+"."+inner] = func(value *string) json.RawMessage { return change(with(value)) }
		}
	}
	return all
}

// encode returns what was decoded, or a string, in JSON.
func encode(v any) json.RawMessage {
	encoded, _ := json.Marshal(v) // it always encodes
	return encoded
}
