package tenant

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"signalbox/shared/jsontext"
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
	value, err := jsontext.Parse(data, maxDepth)
	if err == nil {
		return written(nil, "", value)
	}
	if errors.Is(err, jsontext.ErrDeep) {
		return []Problem{{"", fmt.Sprintf("the file is nested deeper than %d levels", maxDepth)}}
	}
	var where *json.SyntaxError
	_ = errors.As(json.Unmarshal(data, new(any)), &where)
	return []Problem{{"", fmt.Sprintf("the file is not one JSON value: look near byte %d", where.Offset)}}
}

// written appends the names that are written twice in one object.
func written(problems []Problem, path string, v jsontext.Value) []Problem {
	switch v[0] {
	case '{':
		names := map[string]bool{}
		for name, value := range v.Members() {
			at := Join(path, name)
			if names[name] {
				problems = append(problems, Problem{at, "is written twice"})
			}
			names[name] = true
			problems = written(problems, at, value)
		}
	case '[':
		i := 0
		for element := range v.Elements() {
			problems = written(problems, fmt.Sprintf("%s[%d]", path, i), element)
			i++
		}
	}
	return problems
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
