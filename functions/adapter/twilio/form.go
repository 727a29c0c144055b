package twilio

import (
	"bytes"
	"encoding/hex"
	"strings"
)

// maxFields bounds what sorting the fields of a body costs that nobody has authenticated yet: no more than reading the largest
// body does. What has more cannot be checked. A real webhook has fewer than a hundred.
const maxFields = 1 << 17

// field is one name and value, decoded.
type field struct{ name, value string }

// form is the fields in the order they were sent.
type form []field

// decodeForm undoes application/x-www-form-urlencoded once, the way the signer's own libraries do: only "&" separates (a raw
// ";" is content, on which net/url fails), "+" is a space, what is not an escape stands for itself, blank values and
// surrounding spaces stay, an empty segment is nothing. It returns false if there were more than maxFields.
func decodeForm(body []byte) (fields form, complete bool) {
	var text strings.Builder // holds every name and value: decoding never makes them longer, so that it never moves
	text.Grow(len(body))
	fields = make(form, 0, min(bytes.Count(body, []byte("&"))+1, maxFields))
	for len(body) > 0 {
		var segment []byte
		segment, body, _ = bytes.Cut(body, []byte("&"))
		if len(segment) == 0 {
			continue
		}
		if len(fields) == maxFields {
			return fields, false
		}
		name, value, _ := bytes.Cut(segment, []byte("="))
		fields = append(fields, field{unescape(&text, name), unescape(&text, value)})
	}
	return fields, true
}

// unescape appends the decoded s to text and returns that part of it.
func unescape(text *strings.Builder, s []byte) string {
	start := text.Len()
	for i := 0; i < len(s); i++ {
		var decoded [1]byte
		switch c := s[i]; {
		case c == '+':
			text.WriteByte(' ')
		case c == '%' && i+2 < len(s) && isHex(decoded[:], s[i+1:i+3]):
			text.WriteByte(decoded[0])
			i += 2
		default:
			text.WriteByte(c)
		}
	}
	return text.String()[start:]
}

// isHex reports whether digits are hexadecimal, and decodes them.
func isHex(decoded, digits []byte) bool {
	_, err := hex.Decode(decoded, digits)
	return err == nil
}

// lookup returns the first value of a name, and whether there is one.
func (f form) lookup(name string) (value string, ok bool) {
	for i := range f {
		if f[i].name == name {
			return f[i].value, true
		}
	}
	return "", false
}

// value returns the first value of a name, "" where there is none.
func (f form) value(name string) string {
	value, _ := f.lookup(name)
	return value
}

// first returns the first value that is not blank among several names of one thing.
func (f form) first(names ...string) string {
	for _, name := range names {
		if v := f.value(name); v != "" {
			return v
		}
	}
	return ""
}
