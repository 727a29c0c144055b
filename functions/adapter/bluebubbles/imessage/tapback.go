package imessage

import (
	"strings"
	"unicode"
)

// Tapback is a reaction to a message. Emoji is empty of a sticker, and where the server does not say which emoji it is.
type Tapback struct {
	Of      string // the guid of the message
	Emoji   string
	Removed bool
}

// Tapback returns what a message is if it is a reaction. The server writes Apple's number of it as a name, as digits where it has no name for
// it, and in older versions as the number.
func (m *Message) Tapback() (t Tapback, ok bool) {
	kind := m.AssociatedType
	if m.AssociatedGUID == "" {
		return t, false
	}
	t.Of = Bare(m.AssociatedGUID)
	if name, removed := strings.CutPrefix(kind, "-"); removed {
		kind, t.Removed = name, true
	} else if len(kind) == len("3000") && kind[0] == '3' {
		kind, t.Removed = "2"+kind[1:], true
	}
	switch kind {
	case "love", "2000":
		t.Emoji = "\u2764\ufe0f"
	case "like", "2001":
		t.Emoji = "\U0001f44d"
	case "dislike", "2002":
		t.Emoji = "\U0001f44e"
	case "laugh", "2003":
		t.Emoji = "\U0001f602"
	case "emphasize", "2004":
		t.Emoji = "\u203c\ufe0f"
	case "question", "2005":
		t.Emoji = "\u2753"
	case "2006":
		if t.Emoji = m.AssociatedEmoji; t.Emoji == "" || len(t.Emoji) > maxEmoji {
			t.Emoji = emojiIn(m.Text)
		}
	case "sticker", "1000", "2007":
	default:
		return Tapback{}, false
	}
	return t, true
}

// maxEmoji is the most bytes of an emoji: a family of four, in colours, has 41.
const maxEmoji = 64

// emojiIn returns the emoji of a text that Messages writes for devices that know no such reactions, such as "Reacted X to" and what was said. It
// stands before that, and what stands before it is letters and spaces in any language.
func emojiIn(text string) string {
	from := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsSpace(r) && !unicode.IsMark(r) })
	if from < 0 {
		return ""
	}
	emoji := text[from:]
	if to := strings.IndexFunc(emoji, unicode.IsSpace); to >= 0 {
		emoji = emoji[:to]
	}
	if len(emoji) > maxEmoji || strings.ContainsFunc(emoji, func(r rune) bool { return unicode.IsLetter(r) || unicode.In(r, unicode.Pi, unicode.Pf) || r == '"' }) ||
		!strings.ContainsFunc(emoji, func(r rune) bool {
			return unicode.In(r, unicode.So, unicode.Sk) || r == '\u20e3' || r == '\u203c' || r == '\u2049'
		}) {
		return ""
	}
	return emoji
}
