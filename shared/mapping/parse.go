package mapping

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox/shared/tenant"
)

// parser reads entries.
type parser struct {
	entries  []entry
	raw      []string // paths of what needs metadata.rawVendor
	problems []tenant.Problem
	at       string // the path of the entry at hand
}

func (p *parser) refuse(member, reason string) {
	p.problems = append(p.problems, tenant.Problem{Path: p.at + "." + member, Reason: reason})
}

func (p *parser) object(o Object, all []Entry) {
	targets := map[string]int{}
	for i, e := range all {
		p.at = fmt.Sprintf("%s[%d]", o, i)
		name := strings.ToLower(e.To) // some CRMs tell names by letters alone
		if first, taken := targets[name]; taken {
			p.refuse("to", fmt.Sprintf("is the field of %s[%d], too: one entry fills a field", o, first))
		} else {
			targets[name] = i
		}
		p.entry(o, i, e)
	}
}

func (p *parser) entry(o Object, i int, e Entry) {
	out := entry{Entry: e, object: o, index: i, as: e.As, always: e.Write == Always || e.Write == "" && o != Person && o != Lead}
	switch {
	case e.To == "":
		p.refuse("to", "is missing: name the CRM's field")
	case e.Write != "" && e.Write != Create && e.Write != Always:
		p.refuse("write", "is not create or always")
	case o == Conversation && !out.always:
		p.refuse("write", "is create: whether the CRM has a conversation is not asked before it is written; it can only be always")
	}
	switch {
	case e.From != "" && len(e.Value) > 0:
		p.refuse("value", "is beside from: an entry has one of them")
	case e.From != "":
		out.from = p.path("from", e.From)
	case len(e.Value) == 0:
		p.refuse("from", "is missing: say which path the value comes from, or give a value")
	}
	p.convertible(&out)
	if e.When != nil {
		out.when = p.condition(*e.When)
	}
	p.entries = append(p.entries, out)
}

// path reads the path of a member.
func (p *parser) path(member, name string) path {
	found, reason := parsePath(name)
	if reason != "" {
		p.refuse(member, reason)
	}
	if found.raw {
		p.raw = append(p.raw, p.at+"."+member)
	}
	return found
}

// convertible works out what an entry becomes, and refuses what never can.
func (p *parser) convertible(e *entry) {
	constant, isConstant := scalar(e.Value)
	switch {
	case e.As == "" && len(e.Choices) > 0:
		e.as = Choice
	case e.As == "" && isConstant:
		e.as = typeOf(constant)
	case e.As == "":
		e.as = e.from.is
	case !slices.Contains([]Type{Text, Number, Boolean, Datetime, Date, Choice}, e.As):
		p.refuse("as", "is not text, number, boolean, datetime, date or choice")
		return
	}
	if e.as == "" { // what metadata holds is only known when it is there
		e.as = Text
	}
	if e.limit = e.MaxLength; e.limit <= 0 {
		e.limit = maxText
	}
	if e.from.raw {
		if e.limit = e.MaxLength; e.limit <= 0 || e.limit > maxRaw {
			e.limit = maxRaw
		}
	}
	switch {
	case e.as == Choice && len(e.Choices) == 0 && !isConstant:
		p.refuse("choices", "is missing: say which value becomes which option")
	case e.as != Choice && (len(e.Choices) > 0 || e.Otherwise != ""):
		p.refuse("as", "is not choice, which choices and otherwise are for")
	case e.as != Text && e.MaxLength > 0:
		p.refuse("maxLength", "is of texts")
	case e.from.raw && e.as != Text:
		p.refuse("as", "can only be text: what a provider sent is written as it is")
	case !isConstant && e.from.is != "" && !becomes(e.from.is, e.as):
		p.refuse("as", fmt.Sprintf("is %s, which the %s at this path never is", e.as, e.from.is))
	case len(e.Value) > 0 && !isConstant:
		p.refuse("value", "is not a text, a number, true or false")
	case isConstant:
		e.value = constant
		if _, _, code := e.convert(constant, nil, func(text string, _ int) string { return text }); code != "" {
			p.refuse("value", "is not what "+string(e.as)+" needs")
		}
	}
}

// becomes reports whether a value of one type may be converted to another.
func becomes(from, to Type) bool {
	switch to {
	case Text, Choice:
		return true
	case Datetime, Date:
		return from == Datetime || from == Text
	default:
		return from == to || from == Text
	}
}

func (p *parser) condition(c Condition) condition {
	at := p.at
	p.at += ".when"
	defer func() { p.at = at }()
	out := condition{path: p.path("path", c.Path), exists: c.Exists}
	if n := len(slices.DeleteFunc([]bool{len(c.Equals) > 0, c.In != nil, c.Exists != nil}, func(has bool) bool { return !has })); n != 1 {
		p.refuse("equals", "is to be the only one of equals, in and exists, and one is needed")
	}
	for i, one := range c.In {
		p.among(&out, fmt.Sprintf("in[%d]", i), one)
	}
	if len(c.Equals) > 0 {
		p.among(&out, "equals", c.Equals)
	}
	return out
}

func (p *parser) among(c *condition, member string, raw json.RawMessage) {
	value, ok := scalar(raw)
	if !ok {
		p.refuse(member, "is not a text, a number, true or false")
	}
	c.among = append(c.among, textOf(value))
}

// known returns names in a sentence.
func known[V any](of map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(of)), ", ")
}
