package template

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// Statement is one thing that a function's role allows.
type Statement struct {
	ID         string
	Actions    []string
	Resources  []string // ARNs, perhaps with "*" in them
	Conditions []Condition
}

// Condition must hold for a Statement to allow anything, e.g. ForAllValues:StringLike of dynamodb:LeadingKeys.
type Condition struct {
	Operator, Key string
	Values        []string
}

// readRole reads what the role of a function allows. The role is a resource of the template, referred to by !GetAtt.
func (r *reader) readRole(f *Function, n *yaml.Node) error {
	name, arg := functionOf(n)
	id, attribute, _ := strings.Cut(arg.Value, ".")
	role := r.find(id)
	if name != "GetAtt" || attribute != "Arn" || role == nil || role.kind != typeRole {
		return refuse(n, "%s: a role is !GetAtt <role of this template>.Arn", f.LogicalID)
	}
	policies, err := r.items(member(role.props, "Policies"))
	if err != nil {
		return err
	}
	for _, policy := range policies {
		statements, err := r.items(member(member(policy, "PolicyDocument"), "Statement"))
		if err != nil {
			return err
		}
		for _, n := range statements {
			s, err := r.statement(n)
			if err != nil {
				return err
			}
			f.Allowed = append(f.Allowed, s)
		}
	}
	return nil
}

func (r *reader) statement(n *yaml.Node) (s Statement, err error) {
	if effect := member(n, "Effect"); effect == nil || effect.Value != "Allow" {
		return s, refuse(n, "a role's statement allows; nothing here understands another effect")
	}
	if sid := member(n, "Sid"); sid != nil {
		s.ID = sid.Value
	}
	if s.Actions, err = r.oneOrMore(member(n, "Action")); err != nil {
		return s, err
	}
	if strings.HasPrefix(strings.Join(s.Actions, " "), "logs:") { // log groups have no local meaning
		return s, nil
	}
	if s.Resources, err = r.oneOrMore(member(n, "Resource")); err != nil {
		return s, err
	}
	conditions := member(n, "Condition")
	if conditions == nil {
		return s, nil
	}
	err = r.pairs(conditions, func(operator, keys *yaml.Node) error {
		return r.pairs(keys, func(key, values *yaml.Node) error {
			c := Condition{Operator: operator.Value, Key: key.Value}
			var err error
			c.Values, err = r.oneOrMore(values)
			s.Conditions = append(s.Conditions, c)
			return err
		})
	})
	return s, err
}

// oneOrMore returns the texts of a list, or the one of a scalar.
func (r *reader) oneOrMore(n *yaml.Node) ([]string, error) {
	if n == nil {
		return nil, nil
	}
	v, err := r.resolve(n)
	if err != nil || v == nil {
		return nil, err
	}
	if v.Kind == yaml.SequenceNode {
		return r.texts(v)
	}
	text, err := r.text(v)
	return []string{text}, err
}
