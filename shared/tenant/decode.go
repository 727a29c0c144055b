package tenant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxFile is the largest tenant file that is read, in bytes.
const MaxFile = 1 << 20

// maxDepth is how deep the values of a file may be nested. A file that is what it should be has nine levels, and its settings.
const maxDepth = 32

// Decode reads a tenant file that fits its schema, and validates what that does not say. The error is an *InvalidError with every
// problem.
func Decode(data []byte) (File, error) {
	if problems := Syntax(data); len(problems) > 0 {
		return File{}, invalid(problems)
	}
	var f File
	if err := json.Unmarshal(data, &f); err != nil { // the decoder's words may quote what it read
		return File{}, invalid([]Problem{{"", "the file does not have the members of a tenant's file"}})
	}
	return f, invalid(Validate(f))
}

// Syntax lists what is wrong with data as one JSON value that a tenant's file can be: a decoder takes names that are written twice,
// and what is not UTF-8, for something else than was meant.
func Syntax(data []byte) []Problem {
	if len(data) > MaxFile {
		return []Problem{{"", fmt.Sprintf("the file is larger than %d bytes", MaxFile)}}
	}
	if !utf8.Valid(data) {
		return []Problem{{"", "the file is not in UTF-8"}}
	}
	p := parser{json.NewDecoder(bytes.NewReader(data)), nil}
	p.UseNumber()
	err := p.value("", 0)
	if err == nil {
		if _, err = p.Token(); errors.Is(err, io.EOF) {
			return p.problems
		}
		err = errSyntax
	}
	if errors.Is(err, errDeep) {
		return []Problem{{"", fmt.Sprintf("the file is nested deeper than %d levels", maxDepth)}}
	}
	return []Problem{{"", fmt.Sprintf("the file is not one JSON value: look near byte %d", p.InputOffset())}}
}

var (
	errDeep   = errors.New("tenant: nested too deep")
	errSyntax = errors.New("tenant: something follows the value")
)

// parser goes through one JSON value.
type parser struct {
	*json.Decoder
	problems []Problem
}

func (p *parser) value(path string, depth int) error {
	if depth > maxDepth {
		return errDeep
	}
	token, err := p.Token()
	switch token {
	case json.Delim('{'):
		return p.object(path, depth)
	case json.Delim('['):
		for i := 0; p.More(); i++ {
			if err := p.value(fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
				return err
			}
		}
		_, err = p.Token()
	}
	return err
}

func (p *parser) object(path string, depth int) error {
	names := map[string]bool{}
	for p.More() {
		token, err := p.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string) // the decoder lets nothing else stand there
		at := Join(path, name)
		if names[name] {
			p.problems = append(p.problems, Problem{at, "is written twice"})
		}
		names[name] = true
		if err := p.value(at, depth+1); err != nil {
			return err
		}
	}
	_, err := p.Token()
	return err
}

// Join returns the path of a member. A name that does not look like one is told as a question mark: a secret may stand there.
func Join(path, name string) string {
	if !isName(name) {
		name = "?"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// longestName is longer than any name that a file may have.
const longestName = 24

// isName reports whether a person wrote a name: one or more words of letters, joined by hyphens, underscores or capitals. What a
// machine makes at random has digits, or capitals side by side.
func isName(name string) bool {
	words := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(name, "$"), "ID"), "URL") // as in $schema, accountID, baseURL
	capital := false
	for _, r := range words {
		before := capital
		capital = 'A' <= r && r <= 'Z'
		if before && capital || !capital && (r < 'a' || r > 'z') && r != '-' && r != '_' {
			return false
		}
	}
	return words != "" && len(name) <= longestName
}
