package template

import (
	"strconv"
	"time"

	"gopkg.in/yaml.v3"
)

// fields says what is done with each property of a block. A property that is not in it is refused.
type fields map[string]func(*yaml.Node) error

// none is what is done with what has no local meaning.
func none(*yaml.Node) error { return nil }

// without adds properties that have no local meaning.
func (f fields) without(names ...string) fields {
	for _, name := range names {
		f[name] = none
	}
	return f
}

// read goes through a block's properties.
func (r *reader) read(what string, n *yaml.Node, f fields) error {
	if n == nil {
		return nil
	}
	v, err := r.resolve(n)
	if err != nil || v == nil {
		return err
	}
	if v.Kind != yaml.MappingNode {
		return refuse(n, "%s: properties are wanted here", what)
	}
	for i := 0; i+1 < len(v.Content); i += 2 {
		key, value := v.Content[i], v.Content[i+1]
		do, known := f[key.Value]
		if !known {
			return refuse(key, "%s: the property %s is not understood locally", what, key.Value)
		}
		if err := do(value); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) intoText(to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) (err error) {
		*to, err = r.text(n)
		return err
	}
}

func (r *reader) intoNumber(to *int) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		s, err := r.text(n)
		if err != nil || s == "" {
			return err
		}
		if *to, err = strconv.Atoi(s); err != nil {
			return refuse(n, "%q is not a whole number", s)
		}
		return nil
	}
}

// intoDuration takes seconds. Fractions are accepted, so that tests can divide all times.
func (r *reader) intoDuration(to *time.Duration, unit time.Duration) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		s, err := r.text(n)
		if err != nil || s == "" {
			return err
		}
		value, err := strconv.ParseFloat(s, 64)
		if err != nil || value < 0 {
			return refuse(n, "%q is not a number of seconds", s)
		}
		*to = time.Duration(value * float64(unit))
		return nil
	}
}

func (r *reader) intoFlag(to *bool) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		s, err := r.text(n)
		if err != nil || s == "" {
			return err
		}
		if *to, err = strconv.ParseBool(s); err != nil {
			return refuse(n, "%q is neither true nor false", s)
		}
		return nil
	}
}

// only accepts one value, because the local cloud does what that value says and nothing else.
func (r *reader) only(what, want string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		s, err := r.text(n)
		if err != nil {
			return err
		}
		if s != want {
			return refuse(n, "%s: only %s runs locally, not %q", what, want, s)
		}
		return nil
	}
}
