package template

import (
	"fmt"
	"regexp"
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

// reader resolves lazily: what has no local meaning is never looked at.
type reader struct {
	template   *Template
	values     map[string]string // of !Ref by name, and of !GetAtt by resource.attribute
	lists      map[string]bool   // parameters that are lists
	conditions map[string]bool
	globals    *yaml.Node // of functions
	roles      map[string][]Statement
	hasIAM     bool // the API takes credentials of IAM
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
		if name, found := strings.CutPrefix(key, "Fn::"); found || key == "Ref" {
			return name, n.Content[1]
		}
	}
	return "", n
}

// resolve returns the node with the function at its top replaced by its value; nil is AWS::NoValue.
func (r *reader) resolve(n *yaml.Node) (*yaml.Node, error) {
	name, arg := functionOf(n)
	value := &yaml.Node{Kind: yaml.ScalarNode, Line: n.Line}
	var err error
	switch {
	case n.Kind == yaml.AliasNode: // CloudFormation takes none
		return nil, refuse(n, "aliases of YAML are not understood")
	case name == "":
		return n, nil
	case name == "If":
		return r.choose(arg)
	case name == "Ref" && arg.Value == "AWS::NoValue":
		return nil, nil //nolint:nilnil // documented: nil is "no value"
	case name == "Ref" && r.lists[arg.Value]:
		value.Kind = yaml.SequenceNode
		for _, item := range List(r.values[arg.Value]) {
			value.Content = append(value.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: item, Line: n.Line})
		}
	case name == "Ref":
		value.Value, err = r.value(arg, arg.Value)
	case name == "GetAtt":
		var path []string
		if err = r.fill(name, arg, &path); err == nil {
			value.Value, err = r.value(arg, strings.Join(path, "."))
		}
	case name == "Sub":
		value.Value, err = r.sub(arg)
	case name == "Join":
		value.Value, err = r.join(arg)
	default:
		err = refuse(n, "the function %s has no local meaning", name)
	}
	return value, err
}

// value returns that of !Ref name, or of !GetAtt of resource.attribute.
func (r *reader) value(at *yaml.Node, name string) (string, error) {
	value, found := r.values[name]
	if !found {
		return "", refuse(at, "there is no %s to refer to: no parameter with a value, no resource, no attribute of one that runs locally", name)
	}
	return value, nil
}

// arguments returns the n arguments of a function.
func arguments(arg *yaml.Node, n int) ([]*yaml.Node, error) {
	if arg.Kind != yaml.SequenceNode || len(arg.Content) != n {
		return nil, refuse(arg, "%d arguments are wanted here", n)
	}
	return arg.Content, nil
}

func (r *reader) choose(arg *yaml.Node) (*yaml.Node, error) {
	args, err := arguments(arg, 3)
	if err != nil {
		return nil, err
	}
	holds, err := r.condition(args[0])
	if err != nil {
		return nil, err
	}
	if holds {
		return r.resolve(args[1])
	}
	return r.resolve(args[2])
}

func (r *reader) join(arg *yaml.Node) (string, error) {
	args, err := arguments(arg, 2)
	if err != nil {
		return "", err
	}
	var parts []string
	err = r.fill("Join", args[1], &parts)
	return strings.Join(parts, args[0].Value), err
}

// sub replaces ${Name}, ${Resource.Attribute} and ${!Literal}.
func (r *reader) sub(arg *yaml.Node) (string, error) {
	text, own := arg, map[string]string{}
	if arg.Kind == yaml.SequenceNode {
		args, err := arguments(arg, 2)
		if err != nil {
			return "", err
		}
		text = args[0]
		if err := r.fill("Sub", args[1], &own); err != nil {
			return "", err
		}
	}
	var failed error
	replaced := regexp.MustCompile(`\$\{[^}]*\}`).ReplaceAllStringFunc(text.Value, func(variable string) string {
		name := variable[len("${") : len(variable)-len("}")]
		if literal, is := strings.CutPrefix(name, "!"); is {
			return "${" + literal + "}"
		}
		if value, found := own[name]; found {
			return value
		}
		value, err := r.value(text, name)
		if err != nil {
			failed = err
		}
		return value
	})
	return replaced, failed
}

// condition returns whether a condition holds, by its name.
func (r *reader) condition(name *yaml.Node) (bool, error) {
	holds, found := r.conditions[name.Value]
	if !found {
		return false, refuse(name, "there is no condition %q", name.Value)
	}
	return holds, nil
}

// holds evaluates a condition's body.
func (r *reader) holds(n *yaml.Node) (bool, error) {
	name, arg := functionOf(n)
	switch name {
	case "Equals":
		var parts []string
		err := r.fill(name, arg, &parts)
		return len(parts) == 2 && parts[0] == parts[1], err
	case "Not":
		args, err := arguments(arg, 1)
		if err != nil {
			return false, err
		}
		holds, err := r.holds(args[0])
		return !holds, err
	}
	return false, refuse(n, "a condition is Equals, or Not of one; nothing else is understood locally")
}

// member returns the value of a key, nil when there is none.
func member(n *yaml.Node, key string) (found *yaml.Node) {
	_ = pairs(n, func(k, value *yaml.Node) error {
		if k.Value == key && found == nil {
			found = value
		}
		return nil
	})
	return found
}
