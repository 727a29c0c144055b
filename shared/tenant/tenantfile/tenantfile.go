// Package tenantfile reads the files that tenants and accounts are written in, for the programs of operators: YAML, for its comments, or
// JSON. What a function is sent, and keeps, is JSON. No error quotes a file, which holds credentials.
package tenantfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"signalbox/shared/tenant"
)

// File is a file that was read.
type File struct {
	Name string
	JSON []byte
	// Remedy is what a file of its kind needs where a value is not of the type that is wanted, "" for nothing.
	Remedy string
	lines  map[string]int // of the values in it, by path
}

// Read reads a file: YAML if its name ends in .yaml or .yml, else JSON. An error names the file, and the line if it is not what it
// should be.
func Read(path string) (*File, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator's own file
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	return Parse(path, data)
}

// Parse is Read of a file that has been read.
func Parse(name string, data []byte) (*File, error) {
	switch {
	case bytes.HasPrefix(data, []byte("\ufeff")):
		return nil, fmt.Errorf("%s: begins with a byte order mark; save it as UTF-8 without one", name)
	case !utf8.Valid(data):
		return nil, fmt.Errorf("%s: is not in UTF-8", name)
	case len(data) > tenant.MaxFile:
		return nil, fmt.Errorf("%s: is larger than %d bytes", name, tenant.MaxFile)
	}
	f := &File{Name: name, lines: map[string]int{}}
	var err error
	switch filepath.Ext(name) {
	case ".yaml", ".yml":
		f.Remedy = "put it in quotes"
		err = f.yaml(data)
	default:
		err = f.json(data)
	}
	if broken, ok := errors.AsType[*syntaxError](err); ok {
		return nil, fmt.Errorf("%s:%w", name, broken)
	}
	return f, err
}

// syntaxError is a place where a file is not what it should be.
type syntaxError struct {
	line, column int // column 0 is not told
	reason       string
}

func (e *syntaxError) Error() string {
	if e.column == 0 {
		return fmt.Sprintf("%d: %s", e.line, e.reason)
	}
	return fmt.Sprintf("%d:%d: %s", e.line, e.column, e.reason)
}

// Locate returns a problem as a person reads it: the file, the line, the path, the reason.
func (f *File) Locate(p tenant.Problem) string {
	reason := p.Reason
	if wrong := regexp.MustCompile(`^is (a number|true or false|null), not a string$`); f.Remedy != "" && wrong.MatchString(reason) {
		reason += ": " + f.Remedy
	}
	return strings.TrimSpace(fmt.Sprintf("%s:%d: %s", f.Name, f.line(p.Path), strings.TrimSpace(p.Path+" "+reason)))
}

// line returns the line of a path, or of the nearest value that would hold it.
func (f *File) line(path string) int {
	for {
		if line := f.lines[path]; line > 0 || path == "" {
			return max(line, 1)
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}
