package architecture

import (
	"encoding/json"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRunbooksNameWhatIsThere: at night nobody finds a log line, a code, a variable or a command that only a page knows.
func TestRunbooksNameWhatIsThere(t *testing.T) {
	said := sources(t)
	pages, err := filepath.Glob(filepath.Join(root(t), "shared", "operations", "runbooks", "*.md"))
	of, errOf := filepath.Glob(filepath.Join(root(t), "functions", "*", "*", "runbook.md"))
	if pages = append(pages, of...); err != nil || errOf != nil || len(pages) < 25 {
		t.Fatalf("%d pages: %v, %v", len(pages), err, errOf)
	}
	quoted, checked := regexp.MustCompile("`([^`]+)`"), 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range quoted.FindAllStringSubmatch(string(text), -1) {
			checked++
			if missing := said.missing(t, q[1]); missing != "" {
				t.Errorf("%s says `%s`: there is no %q", filepath.Base(page), q[1], missing)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d words in back-ticks were found", checked)
	}
}

func TestRunbooksRuleCanFail(t *testing.T) {
	said := sources(t)
	for _, wrong := range []string{"message failed", "hubspot_unauthorized", `"msg":"no such line"`, "make mend", "make redrive WHOSE=x", "<stack>-nothing", "Signalbox/Nothing"} {
		if said.missing(t, wrong) == "" {
			t.Errorf("`%s` passes", wrong)
		}
	}
}

// spoken is what the product says and takes: the strings of its Go code, the template and the Makefile.
type spoken struct {
	literals           map[string]bool
	template, makefile string
}

func sources(t *testing.T) spoken {
	t.Helper()
	said := spoken{literals: map[string]bool{ // those of slog and of Lambda
		"level": true, "msg": true, "ERROR": true, "WARN": true, "init": true, "RequestID": true, "ErrorMessage": true,
	}}
	tag := regexp.MustCompile(`\b\w+:"(\w+)`)
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					said.literals[text] = true
					for _, value := range tag.FindAllStringSubmatch(text, -1) {
						said.literals[value[1]] = true
					}
				}
			}
			return true
		})
	}
	for name, to := range map[string]*string{"template.yaml": &said.template, "Makefile": &said.makefile} {
		text, err := os.ReadFile(filepath.Join(root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		*to = string(text)
	}
	loops, err := json.Marshal(written(t)) // what a loop names
	if err != nil {
		t.Fatal(err)
	}
	said.template += string(loops)
	return said
}

// missing returns the part of a quoted text that nothing in the product says, or "". What is in <> is for the reader to fill in.
func (s spoken) missing(t *testing.T, quoted string) string {
	t.Helper()
	if command, ok := strings.CutPrefix(quoted, "make "); ok {
		words := strings.Fields(command)
		if !strings.Contains(s.makefile, "\n"+words[0]+":") {
			return words[0]
		}
		for _, w := range words[1:] {
			if name, _, _ := strings.Cut(w, "="); !s.literals[name] && !strings.Contains(s.makefile, "("+name+")") {
				return name
			}
		}
		return ""
	}
	if _, err := os.Stat(filepath.Join(root(t), quoted)); err == nil {
		return ""
	}
	parts := []string{quoted}
	if member := regexp.MustCompile(`^"(\w+)":"(.+)"$`).FindStringSubmatch(quoted); member != nil {
		parts = member[1:]
	} else if strings.ContainsAny(quoted, "/<") {
		parts = regexp.MustCompile(`<[^>]*>|/`).Split(quoted, -1)
	}
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" && !s.says(part, len(parts) > 1) {
			return part
		}
	}
	return ""
}

// says reports whether a text is a string of the code, or a word of the template or the Makefile. A part of a key may be between
// slashes of a string.
func (s spoken) says(text string, part bool) bool {
	word := regexp.MustCompile(`(^|\W)` + regexp.QuoteMeta(text) + `(\W|$)`)
	if s.literals[text] || word.MatchString(s.template) || word.MatchString(s.makefile) {
		return true
	}
	if kind, code, ok := strings.Cut(text, "_"); ok && s.literals[kind] && s.literals["_"+code] { // what all CRMs say, with one's name before it
		return true
	}
	key := regexp.MustCompile(`/` + regexp.QuoteMeta(text) + `(/|$)|(^|/)` + regexp.QuoteMeta(text) + `/`)
	return part && slices.ContainsFunc(slices.Collect(maps.Keys(s.literals)), key.MatchString)
}
