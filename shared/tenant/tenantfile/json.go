package tenantfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"signalbox/shared/tenant"
)

// json reads a file in JSON. It has no comments: any program that reads JSON reads it, and YAML is there for who wants them.
func (f *File) json(data []byte) error {
	var value json.RawMessage
	if err := json.Unmarshal(data, &value); err != nil {
		broken, ok := errors.AsType[*json.SyntaxError](err)
		if !ok {
			return errors.New("this is not JSON")
		}
		at := data[:min(int(broken.Offset), len(data))]
		column := len(at) - bytes.LastIndexByte(at, '\n') - 1
		return &syntaxError{bytes.Count(at, []byte("\n")) + 1, max(column, 1), "this is not JSON: " + jsonReason(broken)}
	}
	f.JSON = data
	l := lineReader{Decoder: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1, lines: f.lines}
	return l.value("")
}

// jsonReason is the decoder's reason without the character it met, which may be of a secret.
func jsonReason(err *json.SyntaxError) string {
	reason := err.Error()
	_, after, found := strings.Cut(reason, "' ")
	switch {
	case after == "exceeded max depth":
		return "nested too deep"
	case strings.HasPrefix(after, "looking for beginning of") && strings.Contains(reason, "'/'"):
		return "a comment, which JSON does not have: name the file .yaml, in which JSON is also read"
	case found:
		return "a character " + after
	}
	return reason
}

// lineReader finds the lines of values in valid JSON.
type lineReader struct {
	*json.Decoder
	data  []byte
	read  int // bytes of data whose lines are counted
	line  int
	lines map[string]int
}

// value reads the next value, which is at path. What is written twice has the line of the second.
func (l *lineReader) value(path string) error {
	token, err := l.next(path)
	if err != nil || token != json.Delim('{') && token != json.Delim('[') {
		return err
	}
	for i := 0; l.More(); i++ {
		at := fmt.Sprintf("%s[%d]", path, i)
		if token == json.Delim('{') {
			name, err := l.Token()
			if err != nil {
				return err
			}
			at = tenant.Join(path, fmt.Sprint(name))
		}
		if err := l.value(at); err != nil {
			return err
		}
	}
	_, err = l.Token()
	return err
}

// next reads the first token of the value at path, and notes its line.
func (l *lineReader) next(path string) (json.Token, error) {
	token, err := l.Token()
	at := int(l.InputOffset())
	l.line += bytes.Count(l.data[l.read:at], []byte("\n"))
	l.read, l.lines[path] = at, l.line
	return token, err
}
