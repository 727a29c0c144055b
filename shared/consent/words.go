package consent

import (
	_ "embed" // of the words
	"strings"
)

// words is the list of what counts as a keyword or an opt-out, in sections that an empty line ends.
//
//go:embed words.txt
var words string

// ListVersion returns the version of the list of words, which evidence names.
func ListVersion() string {
	_, rest, _ := strings.Cut(words, "\nversion ")
	version, _, _ := strings.Cut(rest, "\n")
	return version
}

// section returns the entries of a section, each behind a line break and before one.
func section(name string) string {
	_, rest, _ := strings.Cut(words, "\n["+name+"]")
	entries, _, _ := strings.Cut(rest, "\n[")
	return entries
}

// listed reports whether a section has an entry.
func listed(name, entry string) bool {
	return entry != "" && strings.Contains(section(name), "\n"+entry+"\n")
}
