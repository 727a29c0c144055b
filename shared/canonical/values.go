package canonical

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// The readers of values by what the schema says of them.

// mismatch reports a value of the wrong type and skips it.
func (s *scanner) mismatch(reason string) {
	s.add(ProblemType, reason)
	s.skip()
}

// object reads an object of the schema: read answers false for a name that it does not know.
func (s *scanner) object(read func(name string) bool) {
	if s.next() != '{' {
		s.mismatch("must be an object")
		return
	}
	var known [32]string // more than any object of the schema has
	n := 0
	s.members(func(name string) bool {
		if slices.Contains(known[:n], name) {
			s.fail(errDuplicate)
			return true
		}
		s.enter(name)
		ok := read(name)
		s.leave()
		if ok {
			known[n] = name
			n++
		}
		return ok
	})
}

// array reads an array of at most so many elements; those beyond are counted as one problem and not kept.
func (s *scanner) array(most int, read func()) {
	if s.next() != '[' {
		s.mismatch("must be an array")
		return
	}
	s.elements(func(i int) {
		if i >= most {
			if i == most {
				s.add(ProblemLength, "has too many members")
			}
			s.skip()
			return
		}
		s.at(i)
		read()
		s.leave()
	})
}

// table reads an object whose names the sender chose. They are not part of a problem's path.
func (s *scanner) table(most int, read func(name string)) {
	if s.next() != '{' {
		s.mismatch("must be an object")
		return
	}
	n := 0
	s.members(func(name string) bool {
		if n++; n > most {
			if n == most+1 {
				s.add(ProblemLength, "has too many members")
			}
			return false
		}
		s.enter("*")
		read(name)
		s.leave()
		return true
	})
}

// str reads a string.
func (s *scanner) str() (value string, ok bool) {
	if s.next() != '"' {
		s.mismatch("must be a string")
		return "", false
	}
	return s.quoted(), true
}

// word reads a string that is not empty: an empty one says nothing where a form, an identifier or a value is due.
func (s *scanner) word() string {
	value, ok := s.str()
	if ok && value == "" {
		s.add(ProblemFormat, "must not be empty")
	}
	return value
}

// free reads a string that may be empty, which is as good as absent.
func (s *scanner) free() string {
	value, _ := s.str()
	return value
}

// instant reads a time.
func (s *scanner) instant() time.Time {
	value, ok := s.str()
	if !ok {
		return time.Time{}
	}
	t, ok := parseInstant(value)
	if !ok {
		s.add(ProblemFormat, "must be RFC 3339 between the years 1970 and 9999")
	}
	return t
}

// boolean reads true or false.
func (s *scanner) boolean() bool {
	switch s.next() {
	case 't', 'f':
		start := s.pos
		s.skip()
		return s.pos-start == len("true")
	default:
		s.mismatch("must be a boolean")
		return false
	}
}

// integer reads a whole number, also where it is written as 2.0 or 2e0.
func (s *scanner) integer() int64 {
	token := s.number()
	if token == "" {
		return 0
	}
	if n, err := strconv.ParseInt(token, 10, 64); err == nil {
		return n
	}
	const exact = 17 // digits, point and sign for which equality of float64 is equality
	f, err := strconv.ParseFloat(token, 64)
	if err != nil || len(token) > exact || f != float64(int64(f)) {
		s.add(ProblemType, "must be a whole number")
		return 0
	}
	return int64(f)
}

// float reads a number.
func (s *scanner) float() float64 {
	f, _ := strconv.ParseFloat(s.number(), 64) // beyond its range it is infinite, and refused as that
	return f
}

// number reads the token of a number, "" if there is none.
func (s *scanner) number() string {
	if b := s.next(); b != '-' && !isDigit(b) {
		s.mismatch("must be a number")
		return ""
	}
	start := s.pos
	s.numeral()
	if s.failed != nil {
		return ""
	}
	return s.text[start:s.pos]
}

// raw reads any value and answers a copy without white space.
func (s *scanner) raw() json.RawMessage {
	s.next()
	start := s.pos
	s.spaced = false
	s.skip()
	if s.failed != nil {
		return nil
	}
	value := []byte(s.text[start:s.pos])
	if !s.spaced {
		return value
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		s.fail(errSyntax)
	}
	return compact.Bytes()
}
