package template

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Values of the pseudo parameters.
const (
	localRegion  = "us-east-1"
	localAccount = "000000000000"
	localStack   = "signalbox"
)

// meaningless reports whether resources of a type do nothing on one machine. What gives rights is none of them.
func meaningless(kind string) bool {
	service, _, _ := strings.Cut(strings.TrimPrefix(kind, "AWS::"), "::")
	return slices.Contains([]string{"ApplicationAutoScaling", "CloudWatch", "Logs", "SNS"}, service) ||
		kind == "AWS::SQS::QueuePolicy" || kind == "AWS::S3::BucketPolicy" || kind == "AWS::Lambda::Permission"
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
		template: &Template{Region: localRegion, StackName: localStack, Parameters: map[string]string{}},
		values: map[string]string{
			"AWS::Region": localRegion, "AWS::AccountId": localAccount, "AWS::StackName": localStack, "AWS::Partition": "aws",
			"AWS::URLSuffix": "amazonaws.com",
		},
		lists: map[string]bool{}, conditions: map[string]bool{}, globals: member(member(root, "Globals"), "Function"), roles: map[string][]Statement{},
	}
	var sections struct {
		AWSTemplateFormatVersion, Transform, Description, Metadata, Rules, Mappings, Globals, Outputs unread

		Parameters, Conditions, Resources *yaml.Node
	}
	if err := r.fill("the template", root, &sections); err != nil {
		return nil, err
	}
	if err := r.readParameters(root, sections.Parameters, overrides, times); err != nil {
		return nil, err
	}
	if err := Expand(root, r.template.Parameters); err != nil {
		return nil, err
	}
	err := pairs(sections.Conditions, func(key, value *yaml.Node) (err error) {
		r.conditions[key.Value], err = r.holds(value)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.template, r.readResources(sections.Resources)
}

// resource is one of the template.
type resource struct {
	block
	id, name string // the logical and the physical
	line     int
}

// block is what the template says of a resource.
type block struct {
	Type                  string
	Condition, Properties *yaml.Node // nil when there are none

	DeletionPolicy, UpdateReplacePolicy, UpdatePolicy, CreationPolicy, DependsOn, Metadata unread
}

func (r *reader) readResources(n *yaml.Node) error {
	// A role is read before the functions that have it, a queue before those that read it, a key before its alias.
	kinds := []struct {
		name string
		read func(*resource) error
	}{
		{typeRole, r.readRole},
		{typeQueue, r.readQueue},
		{typeTable, r.readTable},
		{typeBucket, r.readBucket},
		{typeKey, r.readKey},
		{typeAlias, r.readAlias},
		{typeSecret, r.readSecret},
		{typeAPI, r.readAPI},
		{typeFunction, r.readFunction},
		{typeAlarm, r.readAlarm},
	}
	all := map[string][]*resource{} // by type
	if err := pairs(n, func(key, value *yaml.Node) error {
		res, err := r.readResource(key, value)
		if err == nil && res != nil {
			all[res.Type] = append(all[res.Type], res)
		}
		return err
	}); err != nil {
		return err
	}
	for _, kind := range kinds {
		for _, res := range all[kind.name] {
			if err := kind.read(res); err != nil {
				return err
			}
		}
		delete(all, kind.name)
	}
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		if !meaningless(kind) {
			return all[kind][0].refuse("a resource of type %q is not understood locally", kind)
		}
	}
	return r.template.check()
}

// readResource returns a resource and gives it its name; nil if its condition does not hold.
func (r *reader) readResource(key, value *yaml.Node) (*resource, error) {
	res := &resource{id: key.Value, line: key.Line}
	if err := r.fill(res.id, value, &res.block); err != nil {
		return nil, err
	}
	if res.Condition != nil {
		if holds, err := r.condition(res.Condition); err != nil || !holds {
			return nil, err
		}
	}
	return res, r.name(res)
}

func (res *resource) refuse(format string, args ...any) error {
	return &Error{Line: res.line, Reason: res.id + ": " + fmt.Sprintf(format, args...)}
}

// check finds what refers to something that is not there.
func (t *Template) check() error {
	queues, last := map[string]bool{}, map[string]bool{"": true}
	for _, q := range t.Queues {
		queues[q.ARN], last[q.ARN] = true, q.DeadLettersARN == ""
	}
	for _, q := range t.Queues {
		if !last[q.DeadLettersARN] {
			return fmt.Errorf("template: the dead letters of %s go to no queue of the template, or to one with dead letters of its own", q.LogicalID)
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
