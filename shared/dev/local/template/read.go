package template

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// meaningless are the types of resource that do nothing on one machine.
func meaningless(kind string) bool {
	return slices.Contains([]string{
		typeAlias, // read with its key
		typeRole,  // read with its function
		"AWS::ApplicationAutoScaling::ScalableTarget",
		"AWS::ApplicationAutoScaling::ScalingPolicy",
		typeAlarm,
		"AWS::CloudWatch::AnomalyDetector",
		"AWS::CloudWatch::CompositeAlarm",
		"AWS::CloudWatch::Dashboard",
		"AWS::IAM::ManagedPolicy",
		"AWS::IAM::Policy",
		"AWS::Lambda::Permission",
		"AWS::Logs::LogGroup",
		"AWS::Logs::MetricFilter",
		"AWS::SNS::Subscription",
		"AWS::SNS::Topic",
		"AWS::SNS::TopicPolicy",
		"AWS::SQS::QueuePolicy",
	}, kind)
}

// Read reads a template file. Overrides are parameter values, and have to be what the template allows. Times are put in place of
// parameters as they are: tests have shorter ones than a deployment may have.
func Read(path string, overrides, times map[string]string) (*Template, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the caller's own template
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return Parse(data, overrides, times)
}

// Parse reads a template as Read does. Errors about its contents are of type *Error.
func Parse(data []byte, overrides, times map[string]string) (*Template, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	if len(document.Content) != 1 {
		return nil, &Error{Line: 1, Reason: "the template is empty"}
	}
	root := document.Content[0]
	r := &reader{
		parameters: map[string]string{}, lists: map[string]bool{}, missing: map[string]bool{}, conditions: map[string]*yaml.Node{},
		globals: member(root, "Globals"), resolving: map[string]bool{},
	}
	if err := r.readParameters(member(root, "Parameters"), overrides, times); err != nil {
		return nil, err
	}
	if err := Expand(root, r.parameters); err != nil {
		return nil, err
	}
	sections := fields{
		"Parameters": none, // read above
		"Conditions": r.readConditions,
		"Resources":  none, // below, when the rest is known
	}.without("AWSTemplateFormatVersion", "Transform", "Description", "Metadata", "Rules", "Mappings", "Globals", "Outputs")
	if err := r.read("the template", root, sections); err != nil {
		return nil, err
	}
	for _, given := range []map[string]string{overrides, times} {
		for name := range given {
			if _, found := r.parameters[name]; !found {
				return nil, &Error{Line: root.Line, Reason: "there is no parameter " + name + " to set"}
			}
		}
	}
	if err := r.readResources(member(root, "Resources")); err != nil {
		return nil, err
	}
	return r.template()
}

func (r *reader) readConditions(n *yaml.Node) error {
	return r.pairs(n, func(key, value *yaml.Node) error {
		r.conditions[key.Value] = value
		return nil
	})
}

func (r *reader) readResources(n *yaml.Node) error {
	return r.pairs(n, func(key, value *yaml.Node) error {
		res := &resource{id: key.Value, line: key.Line, props: member(value, "Properties"), metadata: member(value, "Metadata")}
		if kind := member(value, "Type"); kind != nil {
			res.kind = kind.Value
		}
		if c := member(value, "Condition"); c != nil {
			holds, err := r.condition(c, c.Value)
			if err != nil || !holds {
				return err
			}
		}
		r.resources = append(r.resources, res)
		return nil
	})
}

// pairs goes through a block whose keys are names of the template's own.
func (r *reader) pairs(n *yaml.Node, do func(key, value *yaml.Node) error) error {
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

func (r *reader) template() (*Template, error) {
	t := &Template{Region: localRegion, AccountID: localAccount, StackName: localStack, Parameters: maps.Clone(r.parameters)}
	kinds := map[string]func(*Template, *resource) error{
		typeFunction: r.readFunction, typeAPI: r.readAPI, typeQueue: r.readQueue, typeTable: r.readTable, typeKey: r.readKey,
		typeSecret: r.readSecret,
	}
	for _, res := range r.resources {
		if res.kind == typeAlarm {
			t.Alarms++
		}
		read := kinds[res.kind]
		if read == nil && meaningless(res.kind) {
			continue
		}
		if read == nil {
			return nil, &Error{Line: res.line, Reason: fmt.Sprintf("%s: a resource of type %q is not understood locally", res.id, res.kind)}
		}
		if err := read(t, res); err != nil {
			return nil, err
		}
	}
	for _, res := range r.resources {
		if res.kind == typeAlias {
			if err := r.readAlias(t, res); err != nil {
				return nil, err
			}
		}
	}
	return t, t.check()
}

// check finds what refers to something that is not there.
func (t *Template) check() error {
	queues := map[string]bool{}
	for _, q := range t.Queues {
		queues[q.ARN] = true
	}
	for _, q := range t.Queues {
		if q.DeadLettersARN != "" && !queues[q.DeadLettersARN] {
			return fmt.Errorf("template: the dead letters of %s go to no queue of the template", q.LogicalID)
		}
	}
	binaries := map[string]string{}
	for _, f := range t.Functions {
		if other := binaries[f.Binary]; other != "" {
			return fmt.Errorf("template: %s and %s have the same binary %s", other, f.LogicalID, f.Binary)
		}
		binaries[f.Binary] = f.LogicalID
		for _, m := range f.Mappings {
			if !queues[m.QueueARN] {
				return fmt.Errorf("template: %s reads a queue that is not in the template", f.LogicalID)
			}
			if strings.HasSuffix(m.QueueARN, ".fifo") && (m.BatchSize > 10 || m.Window > 0) {
				return fmt.Errorf("template: %s reads a FIFO queue with more than ten messages a batch, or a window", f.LogicalID)
			}
		}
	}
	return nil
}
