// Package jsontext walks JSON that encoding/json has found valid, for those who must see what that package hides: names as they are
// written, members that appear twice, null where something else is due. It also writes strings without escapes for HTML.
package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Value is one valid JSON value without white space around it, as Parse returns it. Its first byte says what it is.
type Value string

// Reasons why Parse returns no value. They say nothing about its content.
var (
	ErrUTF8   = errors.New("not UTF-8")
	ErrSyntax = errors.New("not JSON")
	ErrDeep   = errors.New("nested too deep")
)

// Parse returns the value in data, whose arrays and objects nest at most depth levels.
func Parse(data []byte, depth int) (Value, error) {
	if !utf8.Valid(data) {
		return "", ErrUTF8
	}
	text := strings.Trim(string(data), " \t\r\n")
	if _, deepest := skip(text, 0); deepest > depth {
		return "", ErrDeep
	}
	if !json.Valid(data) {
		return "", ErrSyntax
	}
	return Value(text), nil
}

// Members yields the members of an object in their order, with names as they mean.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		s := string(v)
		for i := skipSpace(s, 1); s[i] != '}'; {
			name := s[i:skipString(s, i)]
			i = skipSpace(s, i+len(name))
			i = skipSpace(s, i+len(":"))
			end, _ := skip(s, i)
			if !yield(Value(name).Text(), Value(s[i:end])) {
				return
			}
			i = skipComma(s, end)
		}
	}
}

// At returns the member that a path of names leads to, through objects alone: the first of each name, "" where there is none or where it
// is null.
func (v Value) At(path ...string) Value {
	for _, name := range path {
		if v = v.member(name); v == "" {
			return ""
		}
	}
	return v
}

// TextAt returns what the string means that a path leads to, "" where there is none.
func (v Value) TextAt(path ...string) string {
	if at := v.At(path...); at != "" && at[0] == '"' {
		return at.Text()
	}
	return ""
}

// member returns the first member of an object with a name, "" where there is none or where it is null.
func (v Value) member(name string) Value {
	if v == "" || v[0] != '{' {
		return ""
	}
	for other, value := range v.Members() {
		if other != name {
			continue
		}
		if value == "null" {
			return ""
		}
		return value
	}
	return ""
}

// Elements yields the elements of an array, and none of what is no array.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v == "" || v[0] != '[' {
			return
		}
		s := string(v)
		for i := skipSpace(s, 1); s[i] != ']'; {
			end, _ := skip(s, i)
			if !yield(Value(s[i:end])) {
				return
			}
			i = skipComma(s, end)
		}
	}
}

// Text returns what a string means. It shares the value's memory where nothing is escaped.
func (v Value) Text() string {
	if strings.IndexByte(string(v), '\\') < 0 {
		return string(v[1 : len(v)-1])
	}
	text := new(string)
	_ = json.Unmarshal([]byte(v), text) // it is valid
	return *text
}

// Float64 returns a number, also one that is written as a string, and NaN for what is none.
func (v Value) Float64() float64 {
	n, err := strconv.ParseFloat(v.digits(), 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

// Int64 returns a whole number, also one that is written as a string, and 0 for what is none.
func (v Value) Int64() int64 {
	n, err := strconv.ParseInt(v.digits(), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (v Value) digits() string { return strings.Trim(string(v), `"`) }

// AppendCompact appends the value without white space.
func (v Value) AppendCompact(to []byte) []byte {
	s := string(v)
	for i := 0; i < len(s); i = skipSpace(s, i) {
		start := i
		if i++; s[start] == '"' {
			i = skipString(s, start)
		}
		to = append(to, s[start:i]...)
	}
	return to
}

// skip returns where the value that begins at i ends, and how deep it nests.
func skip(s string, i int) (end, deepest int) {
	for depth := 0; i < len(s); {
		switch s[i] {
		case '"':
			i = skipString(s, i)
		case '{', '[':
			i++
			depth++
			deepest = max(deepest, depth)
			continue
		case '}', ']':
			i++
			depth--
		default:
			i++
			if depth > 0 {
				continue
			}
			for i < len(s) && strings.IndexByte(",]} \t\r\n", s[i]) < 0 {
				i++
			}
		}
		if depth == 0 {
			break
		}
	}
	return i, deepest
}

// skipString returns where the string that begins at i ends.
func skipString(s string, i int) int {
	for i++; ; {
		length := strings.IndexByte(s[i:], '"')
		if length < 0 {
			return len(s)
		}
		escapes := length - len(strings.TrimRight(s[i:i+length], `\`))
		if i += length + 1; escapes%2 == 0 {
			return i
		}
	}
}

func skipComma(s string, i int) int {
	if i = skipSpace(s, i); s[i] == ',' {
		i = skipSpace(s, i+1)
	}
	return i
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// AppendString appends s as a JSON string. Only what must be escaped is: the result goes into queues and records, never into
// HTML. Bytes that are no UTF-8 become U+FFFD.
func AppendString(to []byte, s string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			if c >= ' ' && c != '"' && c != '\\' {
				continue
			}
			to = append(to, s[start:i-1]...)
			start = i
			switch c {
			case '"', '\\':
				to = append(to, '\\', c)
			case '\n':
				to = append(to, '\\', 'n')
			default:
				to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			to = append(to, s[start:i]...)
			to = utf8.AppendRune(to, r)
			start = i + 1
		}
		i += size
	}
	to = append(to, s[start:]...)
	return append(to, '"')
}

// Marshal is json.Marshal without escapes for HTML: an angle bracket would take six bytes.
func Marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'}), err
}
