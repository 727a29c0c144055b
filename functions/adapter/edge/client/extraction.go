package client

import (
	"errors"
	"slices"
)

// Permission is what a person agreed to about the messages that a device of theirs, or of a colleague, forwards. The consent page of the
// door's folder says who is asked what.
type Permission struct {
	Reference string // where the consent can be looked up; empty is none
	Content   bool   // whether the words may leave the device, too
}

// members are what may leave a device of an event, by its path. What is not listed does not.
func members() map[string][]string {
	side := []string{"phone", "id", "channelAddress"}
	return map[string][]string{
		"":          {"eventId", "type", "channel", "direction", "providerMessageId", "conversationId", "timestamp"},
		"sender":    side,
		"recipient": side,
		"relatesTo": {"kind", "providerMessageId"},
		"receipt":   {"state", "at"},
		"consent":   {"state", "keyword", "purpose"},
	}
}

// content is what may leave beside it if the person agreed.
func content() map[string][]string {
	return map[string][]string{
		"sender":    {"displayName"},
		"recipient": {"displayName"},
		"message":   {"text"},
		"reaction":  {"emoji", "removed"},
	}
}

// Extract returns the event that a device may forward of what it saw: an event in the form of the door's, with whatever else it holds. Of that it
// takes what is listed, who decrypted it and by what consent; without a permission for the words the message is an encrypted one. By names the
// device, such as "phone of rep-7". A kind of event that tells nothing without its content is an error.
func Extract(seen map[string]any, by string, p Permission) (map[string]any, error) {
	kind, _ := seen["type"].(string)
	switch {
	case by == "":
		return nil, errors.New("client: who decrypted it is to be named")
	case p.Content && p.Reference == "":
		return nil, errors.New("client: content leaves a device by a consent that can be looked up")
	case !slices.Contains([]string{"", "message", "edit", "retract", "receipt", "consent"}, kind) && (kind != "reaction" || !p.Content):
		return nil, errors.New("client: nothing may leave of an event of this type")
	}
	out := map[string]any{}
	lists := []map[string][]string{members()}
	if p.Content {
		lists = append(lists, content())
	}
	for _, list := range lists {
		for path, names := range list {
			take(out, seen, path, names)
		}
	}
	if _, has := seen["message"]; has && !p.Content && slices.Contains([]string{"", "message", "edit"}, kind) {
		out["message"] = map[string]any{"contentType": "encrypted"}
	}
	extraction := map[string]any{"by": by}
	if p.Reference != "" {
		extraction["consentReference"] = p.Reference
	}
	out["metadata"] = map[string]any{"extraction": extraction}
	return out, nil
}

// take copies texts, numbers and truth values, by their names: nothing hides in an object.
func take(out, seen map[string]any, path string, names []string) {
	if path != "" {
		inner, ok := seen[path].(map[string]any)
		if !ok {
			return
		}
		into, ok := out[path].(map[string]any)
		if !ok {
			into = map[string]any{}
		}
		take(into, inner, "", names)
		if len(into) > 0 {
			out[path] = into
		}
		return
	}
	for _, name := range names {
		switch value := seen[name].(type) {
		case string, bool, float64, int, int64:
			out[name] = value
		}
	}
}
