package canonical

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects nest at most: what a reader must survive, and no provider comes near it.
const maxDepth = 100

// Reasons why a document is malformed. They say nothing about its content.
var (
	errSyntax    = errors.New("not JSON")
	errUTF8      = errors.New("not UTF-8")
	errTooDeep   = errors.New("nested too deep")
	errTooLarge  = errors.New("too large")
	errDuplicate = errors.New("a member appears twice")
)

// scanner reads a JSON document from left to right into fields that are given to it. It is stricter than encoding/json, whose
// leniency would make this reader and the schema disagree: names are compared exactly, a member appears once, null is no
// string. It goes on after a value of the wrong type, so that all of them are reported, and stops at what is no JSON. Strings
// it answers share the document's memory.
type scanner struct {
	report
	text   string
	pos    int
	depth  int
	spaced bool  // white space was skipped since this was last cleared
	failed error // why it stopped
}

// isValue reports whether raw is one JSON value that may be a member of metadata.
func isValue(raw []byte) bool {
	if !utf8.Valid(raw) {
		return false
	}
	s := scanner{text: string(raw), depth: 2} // within the event and its metadata
	s.skip()
	s.end()
	return s.failed == nil
}

// fail stops the scan.
func (s *scanner) fail(err error) {
	if s.failed == nil {
		s.failed = err
	}
	s.pos = len(s.text)
}

// next skips white space and answers the byte that follows, 0 at the end.
func (s *scanner) next() byte {
	for ; s.pos < len(s.text); s.pos++ {
		switch b := s.text[s.pos]; b {
		case ' ', '\t', '\n', '\r':
			s.spaced = true
		default:
			return b
		}
	}
	return 0
}

// take consumes b if it comes next.
func (s *scanner) take(b byte) bool {
	if s.next() != b {
		return false
	}
	s.pos++
	return true
}

// end makes sure that nothing follows.
func (s *scanner) end() {
	if s.next(); s.pos != len(s.text) {
		s.fail(errSyntax)
	}
}

// nest runs inside between the brackets of an object or array.
func (s *scanner) nest(inside func()) {
	if s.depth++; s.depth > maxDepth {
		s.fail(errTooDeep)
	}
	s.pos++
	inside()
	s.depth--
}

// members hands each member of an object to read, which reads its value or answers false: then it is skipped.
func (s *scanner) members(read func(name string) bool) {
	s.nest(func() {
		if s.take('}') {
			return
		}
		for s.failed == nil {
			name := s.name()
			if s.failed == nil && !read(name) {
				s.skip()
			}
			if s.take('}') {
				return
			}
			if !s.take(',') {
				s.fail(errSyntax)
			}
		}
	})
}

// name reads a member's name and the colon after it.
func (s *scanner) name() string {
	if s.next() != '"' {
		s.fail(errSyntax)
		return ""
	}
	name := s.quoted()
	if !s.take(':') {
		s.fail(errSyntax)
	}
	return name
}

// elements hands the index of each element of an array to read, which must read it.
func (s *scanner) elements(read func(index int)) {
	s.nest(func() {
		if s.take(']') {
			return
		}
		for i := 0; s.failed == nil; i++ {
			read(i)
			if s.take(']') {
				return
			}
			if !s.take(',') {
				s.fail(errSyntax)
			}
		}
	})
}

// skip reads one value of any type.
func (s *scanner) skip() {
	switch b := s.next(); b {
	case '{':
		s.members(func(string) bool { return false })
	case '[':
		s.elements(func(int) { s.skip() })
	case '"':
		s.quoted()
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		s.numeral()
	}
}

func (s *scanner) literal(word string) {
	if !strings.HasPrefix(s.text[s.pos:], word) {
		s.fail(errSyntax)
		return
	}
	s.pos += len(word)
}

// numeral reads a number by the grammar of RFC 8259, section 6.
func (s *scanner) numeral() {
	s.accept("-")
	if !s.accept("0") && s.digits() == 0 {
		s.fail(errSyntax)
		return
	}
	if s.accept(".") && s.digits() == 0 {
		s.fail(errSyntax)
	}
	if s.accept("eE") {
		s.accept("+-")
		if s.digits() == 0 {
			s.fail(errSyntax)
		}
	}
}

// accept consumes the next byte if it is one of chars.
func (s *scanner) accept(chars string) bool {
	if s.pos == len(s.text) || strings.IndexByte(chars, s.text[s.pos]) < 0 {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) digits() (n int) {
	for ; s.pos < len(s.text) && isDigit(s.text[s.pos]); s.pos++ {
		n++
	}
	return n
}

// quoted reads a string, of which the opening quote comes next.
func (s *scanner) quoted() string {
	s.pos++
	start := s.pos
	for ; s.pos < len(s.text); s.pos++ {
		switch b := s.text[s.pos]; {
		case b == '"':
			s.pos++
			return s.text[start : s.pos-1]
		case b == '\\':
			return s.escaped(start)
		case b < ' ':
			s.fail(errSyntax)
			return ""
		}
	}
	s.fail(errSyntax)
	return ""
}

// escaped reads the rest of a string that has escapes.
func (s *scanner) escaped(start int) string {
	b := []byte(s.text[start:s.pos])
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		s.pos++
		switch {
		case c == '"':
			return string(b)
		case c == '\\':
			b = utf8.AppendRune(b, s.escape())
		case c < ' ':
			s.fail(errSyntax)
		default:
			b = append(b, c)
		}
	}
	s.fail(errSyntax)
	return ""
}

// escape reads what follows a backslash. Half a surrogate pair becomes U+FFFD, as in encoding/json.
func (s *scanner) escape() rune {
	if s.pos == len(s.text) {
		return 0 // the string does not end either, and fails for that
	}
	c := s.text[s.pos]
	s.pos++
	switch c {
	case '"', '\\', '/':
		return rune(c)
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'u':
		first := s.hex4()
		if !utf16.IsSurrogate(first) {
			return first
		}
		if before := s.pos; strings.HasPrefix(s.text[s.pos:], `\u`) {
			s.pos += 2
			if r := utf16.DecodeRune(first, s.hex4()); r != utf8.RuneError {
				return r
			}
			if s.failed == nil {
				s.pos = before
			}
		}
		return utf8.RuneError
	default:
		s.fail(errSyntax)
		return 0
	}
}

func (s *scanner) hex4() rune {
	if len(s.text)-s.pos < 4 {
		s.fail(errSyntax)
		return 0
	}
	n, err := strconv.ParseUint(s.text[s.pos:s.pos+4], 16, 16)
	if err != nil {
		s.fail(errSyntax)
		return 0
	}
	s.pos += 4
	return rune(n)
}
