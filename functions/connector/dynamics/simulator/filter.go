package simulator

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// words are what a $filter is made of: texts, whose quotation marks are doubled inside, functions in full, names, numbers and brackets.
var words = regexp.MustCompile(`^\s*('(?:[^']|'')*'|\[[^\]]*\]|[A-Za-z0-9_.:/+\-@]+|[(),=])`)

// filter is a $filter that is read from left to right.
type filter struct {
	table *table
	text  string
	rest  string
	fault *fault
}

type fits = func(*record) bool

// filter reads a $filter. See https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows.
func (t *table) filter(text string) (fits, *fault) {
	f := &filter{table: t, text: text, rest: text}
	all := f.either()
	if f.fault == nil && strings.TrimSpace(f.rest) != "" {
		f.wrong()
	}
	return all, f.fault
}

// wrong notes that the text goes on with something that cannot be there.
func (f *filter) wrong() {
	if f.fault != nil {
		return
	}
	at := len(f.text) - len(f.rest)
	message := fmt.Sprintf("Syntax error at position %d in '%s'.", at, f.text)
	if strings.Count(f.text, "'")%2 == 1 {
		message = fmt.Sprintf("There is an unterminated literal at position %d in '%s'.", len(f.text), f.text)
	}
	f.fault = bad(codeQuery, message)
}

// peek returns the next word.
func (f *filter) peek() string {
	found := words.FindStringSubmatch(f.rest)
	if found == nil {
		return ""
	}
	return found[1]
}

func (f *filter) next() string {
	found := words.FindStringSubmatch(f.rest)
	if found == nil {
		f.wrong()
		return ""
	}
	f.rest = f.rest[len(found[0]):]
	return found[1]
}

// take expects a word.
func (f *filter) take(word string) {
	if f.peek() != word {
		f.wrong()
		return
	}
	f.next()
}

func (f *filter) either() fits {
	left := f.both()
	for f.fault == nil && f.peek() == "or" {
		f.next()
		one, other := left, f.both()
		left = func(r *record) bool { return one(r) || other(r) }
	}
	return left
}

func (f *filter) both() fits {
	left := f.single()
	for f.fault == nil && f.peek() == "and" {
		f.next()
		one, other := left, f.single()
		left = func(r *record) bool { return one(r) && other(r) }
	}
	return left
}

func (f *filter) single() fits {
	switch word := f.next(); word {
	case "":
		return nil
	case "not":
		inner := f.single()
		return func(r *record) bool { return !inner(r) }
	case "(":
		inner := f.either()
		f.take(")")
		return inner
	case "contains", "startswith", "endswith":
		return f.function(word)
	case "Microsoft.Dynamics.CRM.In":
		return f.in()
	default:
		return f.comparison(word)
	}
}

// property expects the name of a property.
func (f *filter) property(name string) (column, bool) {
	_, c, known := f.table.column(name)
	if !known && f.fault == nil {
		f.fault = f.table.noProperty(name)
	}
	return c, known
}

// function reads contains(name,'text') and its like. Texts compare in any case, and %, _ and [] stand for others, as in the database.
func (f *filter) function(kind string) fits {
	f.take("(")
	name := f.next()
	if _, known := f.property(name); !known {
		return nil
	}
	f.take(",")
	text, isText := literal(f.next()).(string)
	if f.take(")"); !isText {
		f.wrong()
		return nil
	}
	matches, ok := like(map[string]string{"contains": "%" + text + "%", "startswith": text + "%", "endswith": "%" + text}[kind])
	if !ok {
		f.wrong()
	}
	return func(r *record) bool {
		value, isText := r.Values[name].(string)
		return isText && matches(value)
	}
}

// like returns what tells whether a text is like a pattern with the database's wildcards; ok is false if it is none.
func like(pattern string) (matches func(string) bool, ok bool) {
	if !strings.ContainsAny(pattern, "_[") { // fast, for this looks at every row
		parts := strings.Split(strings.ToLower(pattern), "%")
		return func(text string) bool { return inOrder(strings.ToLower(text), parts) }, true
	}
	var out strings.Builder
	for i := 0; i < len(pattern); i++ {
		end := strings.IndexByte(pattern[i:], ']')
		switch {
		case pattern[i] == '%':
			out.WriteString(".*")
		case pattern[i] == '_':
			out.WriteByte('.')
		case pattern[i] == '[' && end > 1:
			out.WriteString("[" + strings.ReplaceAll(pattern[i+1:i+end], `\`, `\\`) + "]")
			i += end
		default:
			out.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	compiled, err := regexp.Compile("(?is)^" + out.String() + "$")
	if err != nil {
		return nil, false
	}
	return compiled.MatchString, true
}

// inOrder reports whether a text begins with the first part, ends with the last, and has those between in this order.
func inOrder(text string, parts []string) bool {
	last := len(parts) - 1
	if last == 0 {
		return text == parts[0]
	}
	text, begins := strings.CutPrefix(text, parts[0])
	text, ends := strings.CutSuffix(text, parts[last])
	if !begins || !ends {
		return false
	}
	for _, part := range parts[1:last] {
		_, after, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = after
	}
	return true
}

// in reads Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['a','b']). See
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/in.
func (f *filter) in() fits {
	f.take("(")
	f.take("PropertyName")
	f.take("=")
	name, _ := literal(f.next()).(string)
	if _, known := f.property(name); !known {
		return nil
	}
	f.take(",")
	f.take("PropertyValues")
	f.take("=")
	var values []string
	list := f.next()
	if json.Unmarshal([]byte(list), &values) != nil && json.Unmarshal([]byte(strings.ReplaceAll(list, "'", `"`)), &values) != nil {
		f.wrong()
	}
	f.take(")")
	return func(r *record) bool {
		for _, value := range values {
			if is := held(r, name); is != nil && strings.EqualFold(fmt.Sprint(is), value) {
				return true
			}
		}
		return false
	}
}

// comparison reads name eq value and its like.
func (f *filter) comparison(name string) fits {
	c, known := f.property(name)
	if !known {
		return nil
	}
	operator, value := f.next(), literal(f.next())
	if f.fault != nil {
		return nil
	}
	if id, isWord := value.(bare); isWord && (guid.MatchString(string(id)) && (c.lookup() || c.Type == "Uniqueidentifier") || c.Type == "DateTime") {
		value = string(id)
	}
	_, isText := value.(string)
	_, isWord := value.(bare)
	texts := c.Type == "String" || c.Type == "Memo" || c.Type == "DateTime" || c.Type == "Uniqueidentifier" || c.lookup()
	if isWord || value != nil && isText != texts {
		f.fault = bad(codeQuery, "A binary operator with incompatible types was detected. Found operand types '"+c.edm()+"' and others for operator kind '"+operator+"'.")
		return nil
	}
	tests := map[string]func(int) bool{
		"eq": func(n int) bool { return n == 0 }, "ne": func(n int) bool { return n != 0 }, "gt": func(n int) bool { return n > 0 },
		"ge": func(n int) bool { return n >= 0 }, "lt": func(n int) bool { return n < 0 }, "le": func(n int) bool { return n <= 0 },
	}
	test, known := tests[operator]
	if !known {
		f.wrong()
		return nil
	}
	return func(r *record) bool {
		is := held(r, name)
		if value == nil || is == nil { // nothing is like nothing only
			return operator == "eq" && value == nil && is == nil || operator == "ne" && (value == nil) != (is == nil)
		}
		return test(compare(is, value))
	}
}

// bare is a literal without quotation marks that is no number: an id, a time.
type bare string

// literal returns what a word means.
func literal(word string) any {
	if text, quoted := strings.CutPrefix(word, "'"); quoted {
		return strings.ReplaceAll(strings.TrimSuffix(text, "'"), "''", "'")
	}
	if n, err := strconv.Atoi(word); err == nil {
		return n
	}
	switch word {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	}
	return bare(word)
}
