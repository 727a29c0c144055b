package template

import (
	"reflect"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// unread is the type of a property that has no local meaning. It is never looked at, so that it may use any function there is.
type unread struct{}

// fill sets what to points to by a node, with all functions resolved: a struct by the properties of its fields' names, a map by
// its entries, a list by its items or the one. A property that no field has is refused, and so is one of another value than its
// field's tag `only` has, for the local cloud does what that value says and nothing else. A field of type *yaml.Node gets the node
// as it is. What has no value stays as it was.
func (r *reader) fill(what string, n *yaml.Node, to any) error {
	if n == nil {
		return nil
	}
	return r.set(what, n, reflect.ValueOf(to).Elem())
}

func (r *reader) set(what string, n *yaml.Node, to reflect.Value) error {
	switch to.Interface().(type) {
	case unread:
		return nil
	case *yaml.Node:
		to.Set(reflect.ValueOf(n))
		return nil
	}
	n, err := r.resolve(n)
	if err != nil || n == nil {
		return err
	}
	switch to.Kind() {
	case reflect.Struct:
		return r.setFields(what, n, to)
	case reflect.Map:
		return r.setEntries(what, n, to)
	case reflect.Slice:
		items := []*yaml.Node{n}
		if n.Kind == yaml.SequenceNode {
			items = n.Content
		}
		return r.setItems(what, items, to)
	default:
		return setScalar(what, n, to)
	}
}

func (r *reader) setFields(what string, n *yaml.Node, to reflect.Value) error {
	return pairs(n, func(key, value *yaml.Node) error {
		field, known := to.Type().FieldByNameFunc(func(name string) bool {
			return name == key.Value || strings.ToLower(name[:1])+name[1:] == key.Value
		})
		if !known {
			return refuse(key, "%s: the property %s is not understood locally", what, key.Value)
		}
		set := to.FieldByIndex(field.Index)
		if err := r.set(what+"."+key.Value, value, set); err != nil {
			return err
		}
		if only, limited := field.Tag.Lookup("only"); limited && set.String() != only {
			return refuse(value, "%s: only %s runs locally, not %q", what, only, set)
		}
		return nil
	})
}

func (r *reader) setEntries(what string, n *yaml.Node, to reflect.Value) error {
	if to.IsNil() {
		to.Set(reflect.MakeMap(to.Type()))
	}
	return pairs(n, func(key, value *yaml.Node) error {
		value, err := r.resolve(value)
		if err != nil {
			return err
		}
		entry := reflect.Value{} // which removes the key
		if value != nil {
			entry = reflect.New(to.Type().Elem()).Elem()
			err = r.set(what+"."+key.Value, value, entry)
		}
		to.SetMapIndex(reflect.ValueOf(key.Value), entry)
		return err
	})
}

func (r *reader) setItems(what string, items []*yaml.Node, to reflect.Value) error {
	for _, n := range items {
		n, err := r.resolve(n)
		if err != nil {
			return err
		}
		if n == nil {
			continue
		}
		item := reflect.New(to.Type().Elem()).Elem()
		if err := r.set(what, n, item); err != nil {
			return err
		}
		to.Set(reflect.Append(to, item))
	}
	return nil
}

// setScalar takes seconds for a duration, also fractions, so that tests can divide all times.
func setScalar(what string, n *yaml.Node, to reflect.Value) error {
	if n.Kind != yaml.ScalarNode {
		return refuse(n, "%s: a single value is wanted here", what)
	}
	if to.Kind() == reflect.String {
		to.SetString(n.Value)
		return nil
	}
	plain := yaml.Node{Kind: yaml.ScalarNode, Value: n.Value} // CloudFormation takes "5" for 5
	if held, isTime := reflect.TypeAssert[time.Duration](to); isTime {
		seconds := held.Seconds()
		if plain.Decode(&seconds) != nil || seconds < 0 {
			return refuse(n, "%s: %q is not a number of seconds", what, n.Value)
		}
		to.SetInt(int64(seconds * float64(time.Second)))
		return nil
	}
	if plain.Decode(to.Addr().Interface()) != nil {
		wanted := map[reflect.Kind]string{reflect.Int: "a whole number", reflect.Float64: "a number", reflect.Bool: "true or false"}
		return refuse(n, "%s: %q is not %s", what, n.Value, wanted[to.Kind()])
	}
	return nil
}

// pairs goes through a block whose keys are names of the template's own.
func pairs(n *yaml.Node, do func(key, value *yaml.Node) error) error {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return refuse(n, "named blocks are wanted here")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if err := do(n.Content[i], n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}
