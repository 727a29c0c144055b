package template

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Error says where the template asks for what cannot be done, and why.
type Error struct {
	Line   int
	Reason string
}

// Error names the line.
func (e *Error) Error() string { return fmt.Sprintf("template.yaml:%d: %s", e.Line, e.Reason) }

func refuse(n *yaml.Node, format string, args ...any) error {
	return &Error{Line: n.Line, Reason: fmt.Sprintf(format, args...)}
}

// Values of the pseudo parameters.
const (
	localRegion    = "us-east-1"
	localAccount   = "000000000000"
	localStack     = "signalbox"
	localPartition = "aws"
	localSuffix    = "amazonaws.com"
)

// resource is a block of the template.
type resource struct {
	id, kind string
	line     int
	props    *yaml.Node // nil when there are none
	metadata *yaml.Node
}

// reader resolves lazily: what has no local meaning is never looked at, so it may use any function there is.
type reader struct {
	parameters map[string]string
	lists      map[string]bool // parameters that are lists
	missing    map[string]bool // parameters without a value
	conditions map[string]*yaml.Node
	globals    *yaml.Node
	resources  []*resource
	resolving  map[string]bool // conditions and names under way, to find cycles
}

// functionOf returns the intrinsic function of a node, in its short or its long form.
func functionOf(n *yaml.Node) (name string, arg *yaml.Node) {
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		plain := *n
		plain.Tag = map[yaml.Kind]string{yaml.ScalarNode: "!!str", yaml.SequenceNode: "!!seq", yaml.MappingNode: "!!map"}[n.Kind]
		return strings.TrimPrefix(n.Tag, "!"), &plain
	}
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 {
		key := n.Content[0].Value
		if key == "Ref" || key == "Condition" && n.Content[1].Kind == yaml.ScalarNode {
			return key, n.Content[1]
		}
		if name, found := strings.CutPrefix(key, "Fn::"); found {
			return name, n.Content[1]
		}
	}
	return "", n
}

// resolve returns the node with the function at its top replaced by its value; nil is AWS::NoValue.
func (r *reader) resolve(n *yaml.Node) (*yaml.Node, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	name, arg := functionOf(n)
	var value string
	var err error
	switch name {
	case "":
		return n, nil
	case "If":
		return r.choose(arg)
	case "Split":
		return r.split(arg)
	case "Select":
		return r.pick(arg)
	case "Ref":
		if arg.Value == "AWS::NoValue" {
			return nil, nil //nolint:nilnil // documented: nil is "no value"
		}
		if r.lists[arg.Value] {
			return sequence(List(r.parameters[arg.Value]), n.Line), nil
		}
		value, err = r.ref(arg, arg.Value)
	case "GetAtt":
		value, err = r.getAtt(arg)
	case "Sub":
		value, err = r.sub(arg)
	case "Join":
		value, err = r.join(arg)
	default:
		return nil, refuse(n, "the function %s has no local meaning", name)
	}
	if err != nil {
		return nil, err
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: n.Line}, nil
}

// text returns a scalar.
func (r *reader) text(n *yaml.Node) (string, error) {
	v, err := r.resolve(n)
	switch {
	case err != nil:
		return "", err
	case v == nil:
		return "", nil
	case v.Kind != yaml.ScalarNode:
		return "", refuse(n, "a single value is wanted here")
	}
	return v.Value, nil
}

// items returns a sequence, without those that have no value.
func (r *reader) items(n *yaml.Node) ([]*yaml.Node, error) {
	v, err := r.resolve(n)
	if err != nil || v == nil {
		return nil, err
	}
	if v.Kind != yaml.SequenceNode {
		return nil, refuse(n, "a list is wanted here")
	}
	var out []*yaml.Node
	for _, item := range v.Content {
		plain, err := r.resolve(item)
		if err != nil {
			return nil, err
		}
		if plain != nil {
			out = append(out, plain)
		}
	}
	return out, nil
}

func (r *reader) texts(n *yaml.Node) ([]string, error) {
	items, err := r.items(n)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(items))
	for i, item := range items {
		if out[i], err = r.text(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fixed returns the n arguments of a function.
func fixed(arg *yaml.Node, n int) ([]*yaml.Node, error) {
	if arg.Kind != yaml.SequenceNode || len(arg.Content) != n {
		return nil, refuse(arg, "%d arguments are wanted here", n)
	}
	return arg.Content, nil
}

func (r *reader) choose(arg *yaml.Node) (*yaml.Node, error) {
	args, err := fixed(arg, 3)
	if err != nil {
		return nil, err
	}
	holds, err := r.condition(args[0], args[0].Value)
	if err != nil {
		return nil, err
	}
	if holds {
		return r.resolve(args[1])
	}
	return r.resolve(args[2])
}

func (r *reader) split(arg *yaml.Node) (*yaml.Node, error) {
	args, err := fixed(arg, 2)
	if err != nil {
		return nil, err
	}
	value, err := r.text(args[1])
	if err != nil {
		return nil, err
	}
	return sequence(strings.Split(value, args[0].Value), arg.Line), nil
}

func sequence(items []string, line int) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: line}
	for _, item := range items {
		list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: item, Line: line})
	}
	return list
}

func (r *reader) pick(arg *yaml.Node) (*yaml.Node, error) {
	args, err := fixed(arg, 2)
	if err != nil {
		return nil, err
	}
	index, err := r.text(args[0])
	if err != nil {
		return nil, err
	}
	items, err := r.items(args[1])
	if err != nil {
		return nil, err
	}
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i >= len(items) {
		return nil, refuse(arg, "there is no item %q to select", index)
	}
	return items[i], nil
}

func (r *reader) join(arg *yaml.Node) (string, error) {
	args, err := fixed(arg, 2)
	if err != nil {
		return "", err
	}
	parts, err := r.texts(args[1])
	return strings.Join(parts, args[0].Value), err
}

// sub replaces ${Name}, ${Resource.Attribute} and ${!Literal}.
func (r *reader) sub(arg *yaml.Node) (string, error) {
	pattern, own := arg, (*yaml.Node)(nil)
	if arg.Kind == yaml.SequenceNode {
		args, err := fixed(arg, 2)
		if err != nil {
			return "", err
		}
		pattern, own = args[0], args[1]
	}
	var out strings.Builder
	rest := pattern.Value
	for {
		before, after, found := strings.Cut(rest, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return "", refuse(pattern, "a ${ is not closed")
		}
		rest = tail
		value, err := r.variable(pattern, own, name)
		if err != nil {
			return "", err
		}
		out.WriteString(value)
	}
}

func (r *reader) variable(at, own *yaml.Node, name string) (string, error) {
	if literal, found := strings.CutPrefix(name, "!"); found {
		return "${" + literal + "}", nil
	}
	if v := member(own, name); v != nil {
		return r.text(v)
	}
	if id, attribute, found := strings.Cut(name, "."); found {
		return r.attribute(at, id, attribute)
	}
	return r.ref(at, name)
}

func (r *reader) getAtt(arg *yaml.Node) (string, error) {
	path := arg.Value
	if arg.Kind == yaml.SequenceNode {
		parts, err := r.texts(arg)
		if err != nil {
			return "", err
		}
		path = strings.Join(parts, ".")
	}
	id, attribute, found := strings.Cut(path, ".")
	if !found {
		return "", refuse(arg, "GetAtt wants a resource and an attribute")
	}
	return r.attribute(arg, id, attribute)
}

// condition evaluates a condition by name.
func (r *reader) condition(at *yaml.Node, name string) (bool, error) {
	body := r.conditions[name]
	if body == nil {
		return false, refuse(at, "there is no condition %q", name)
	}
	if r.resolving[name] {
		return false, refuse(at, "the condition %q depends on itself", name)
	}
	r.resolving[name] = true
	defer delete(r.resolving, name)
	return r.holds(body)
}

func (r *reader) holds(n *yaml.Node) (bool, error) {
	name, arg := functionOf(n)
	switch name {
	case "Condition":
		return r.condition(arg, arg.Value)
	case "Equals":
		parts, err := r.texts(arg)
		if err != nil {
			return false, err
		}
		return len(parts) == 2 && parts[0] == parts[1], nil
	case "Not", "And", "Or":
		if arg.Kind != yaml.SequenceNode || len(arg.Content) == 0 {
			return false, refuse(arg, "a list of conditions is wanted here")
		}
		values := make([]bool, len(arg.Content))
		for i, c := range arg.Content {
			var err error
			if values[i], err = r.holds(c); err != nil {
				return false, err
			}
		}
		switch name {
		case "Not":
			return !values[0], nil
		case "And":
			return !slices.Contains(values, false), nil
		}
		return slices.Contains(values, true), nil
	}
	return false, refuse(n, "this is not a condition")
}

// member returns the value of a key, nil when there is none.
func member(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
