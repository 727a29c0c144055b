package template

import (
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Expand replaces the Fn::ForEach among the keys of a template's conditions, resources and outputs, and among those of a loop's own
// block, by what they stand for, and then every Fn::FindInMap, as AWS::LanguageExtensions does. Any other stays as it is.
// A collection is a list, or a reference to a parameter whose value, by its name in
// parameters, is separated by commas. Keys of mappings are names.
func Expand(root *yaml.Node, parameters map[string]string) error {
	for _, section := range []string{"Conditions", "Resources", "Outputs"} {
		n := member(root, section)
		if n == nil || n.Kind != yaml.MappingNode {
			continue
		}
		if err := expandLoops(n, parameters); err != nil {
			return err
		}
		if err := lookUp(n, member(root, "Mappings")); err != nil {
			return err
		}
	}
	return nil
}

// lookUp replaces what asks for entries of mappings. The fourth argument is the value where there is no entry.
func lookUp(n, mappings *yaml.Node) error {
	name, arg := functionOf(n)
	if name != "FindInMap" {
		for _, child := range n.Content {
			if err := lookUp(child, mappings); err != nil {
				return err
			}
		}
		return nil
	}
	if arg.Kind != yaml.SequenceNode || len(arg.Content) < 3 {
		return refuse(n, "a mapping, two keys and perhaps a DefaultValue are wanted here")
	}
	entry := mappings
	for _, key := range arg.Content[:3] {
		if key.Kind != yaml.ScalarNode || !strings.HasPrefix(key.Tag, "!!") {
			return refuse(key, "a name is wanted here")
		}
		entry = member(entry, key.Value)
	}
	if entry == nil && len(arg.Content) == 4 {
		entry = member(arg.Content[3], "DefaultValue")
	}
	if entry == nil {
		return refuse(n, "the mapping %s has no %s.%s", arg.Content[0].Value, arg.Content[1].Value, arg.Content[2].Value)
	}
	*n = *entry
	return nil
}

func expandLoops(n *yaml.Node, parameters map[string]string) error {
	var out []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !strings.HasPrefix(key.Value, "Fn::ForEach::") {
			out = append(out, key, value)
			continue
		}
		if value.Kind != yaml.SequenceNode || len(value.Content) != 3 || value.Content[2].Kind != yaml.MappingNode {
			return refuse(key, "%s: an identifier, a collection and a block are wanted here", key.Value)
		}
		items, err := collection(value.Content[1], parameters)
		if err != nil {
			return err
		}
		for _, item := range items {
			body := substitute(value.Content[2], value.Content[0].Value, item)
			if err := expandLoops(body, parameters); err != nil {
				return err
			}
			out = append(out, body.Content...)
		}
	}
	n.Content = out
	return nil
}

func collection(n *yaml.Node, parameters map[string]string) ([]string, error) {
	name, arg := functionOf(n)
	if name == "Ref" {
		value, found := parameters[arg.Value]
		if !found {
			return nil, refuse(n, "the parameter %s has no list to go through", arg.Value)
		}
		return List(value), nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, refuse(n, "a list is wanted here")
	}
	var out []string
	for _, item := range n.Content {
		if item.Kind != yaml.ScalarNode {
			return nil, refuse(item, "a name is wanted here")
		}
		out = append(out, item.Value)
	}
	return out, nil
}

// List splits the value of a CommaDelimitedList. An empty one has no items.
func List(value string) []string {
	var out []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// substitute returns a copy of a block with the identifier's value in its place, in keys, too: ${X}, &{X}, which is the value
// without all but letters and digits, and references to X.
func substitute(n *yaml.Node, identifier, value string) *yaml.Node {
	plain := regexp.MustCompile(`[^A-Za-z0-9]`).ReplaceAllString(value, "")
	texts := strings.NewReplacer("${"+identifier+"}", value, "&{"+identifier+"}", plain)
	var replaced func(*yaml.Node) *yaml.Node
	replaced = func(n *yaml.Node) *yaml.Node {
		if name, arg := functionOf(n); name == "Ref" && arg.Value == identifier {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: n.Line}
		}
		c := *n
		if n.Kind == yaml.ScalarNode {
			c.Value = texts.Replace(n.Value)
		}
		c.Content = make([]*yaml.Node, len(n.Content))
		for i, child := range n.Content {
			c.Content[i] = replaced(child)
		}
		return &c
	}
	return replaced(n)
}
