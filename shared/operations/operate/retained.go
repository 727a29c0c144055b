package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"signalbox/shared/dev/local/template"

	"gopkg.in/yaml.v3"
)

// RecoverUsage and RemoveUsage say how what a deleted stack kept is taken back, and deleted.
const (
	RecoverUsage = `make recover STACK=<stack>   take back what a deleted stack kept, into a new stack of its name; then make deploy
    CRMS=<crm>,...         the stack's parameter Crms, if it was not the template's`
	RemoveUsage = `make remove STACK=<stack> CONFIRM=<stack>   delete for good what a deleted stack kept; without CONFIRM only show it
    CRMS=<crm>,...         the stack's parameter Crms, if it was not the template's`
)

// Kinds of resource that a stack keeps.
const (
	KindTable  = "AWS::DynamoDB::Table"
	KindQueue  = "AWS::SQS::Queue"
	KindSecret = "AWS::SecretsManager::Secret" //nolint:gosec // a type, no credential
	KindKey    = "AWS::KMS::Key"
	KindBucket = "AWS::S3::Bucket"
)

// Resource is what outlives the stack that made it.
type Resource struct {
	LogicalID, Kind string
	Name            string // a key has none, and of a bucket it is what its name begins with
	ID              string // what CloudFormation imports it by; empty when there is no such thing
}

// Kept is the part of a template that outlives its stack.
type Kept struct {
	Stack     string
	Template  []byte // of these resources alone
	Resources []Resource
}

// Remains looks up what is there under a stack's name. Status is empty when there is no such stack, and so is what Find returns
// for what is not there. A key is found by the identifier of a queue that it encrypts, the newest of several buckets by what their names begin with,
// everything else by its name.
type Remains interface {
	Status(ctx context.Context) (string, error)
	Find(ctx context.Context, kind, name string) (id string, err error)
}

// Importer makes a stack of a template that owns resources which are there already.
type Importer interface {
	Remains
	Import(ctx context.Context, template []byte, resources []Resource) error
}

// Remover deletes a resource with everything in it; a key in 30 days.
type Remover interface {
	Remains
	Delete(ctx context.Context, resource Resource) error
}

// NewKept reads what a stack of a template keeps when it is deleted. Parameters without a value have their defaults.
func NewKept(text []byte, stack string, values map[string]string) (Kept, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return Kept{}, fmt.Errorf("the template cannot be read: %w", err)
	}
	if len(document.Content) != 1 {
		return Kept{}, errors.New("the template is empty")
	}
	kept, root, defaults := Kept{Stack: stack}, document.Content[0], map[string]string{}
	err := pairs(value(root, "Parameters"), func(name, body *yaml.Node) error {
		if byDefault := value(body, "Default"); byDefault != nil {
			defaults[name.Value] = cmp.Or(values[name.Value], byDefault.Value)
		}
		return nil
	})
	if err == nil {
		err = template.Expand(root, defaults)
	}
	if err != nil {
		return Kept{}, err
	}
	resources := &yaml.Node{Kind: yaml.MappingNode}
	err = pairs(value(root, "Resources"), func(id, body *yaml.Node) error {
		if policy := value(body, "DeletionPolicy"); policy == nil || policy.Value != "RetainExceptOnCreate" {
			return nil
		}
		r, err := newResource(id.Value, body, stack)
		kept.Resources = append(kept.Resources, r)
		resources.Content = append(resources.Content, id, body)
		return err
	})
	if err != nil {
		return Kept{}, err
	}
	if len(kept.Resources) == 0 {
		return Kept{}, errors.New("the template has no resource with DeletionPolicy RetainExceptOnCreate")
	}
	part := &yaml.Node{Kind: yaml.MappingNode}
	for _, section := range []string{"AWSTemplateFormatVersion", "Parameters", "Conditions"} {
		if body := value(root, section); body != nil {
			part.Content = append(part.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: section}, body)
		}
	}
	part.Content = append(part.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "Resources"}, resources)
	kept.Template, err = yaml.Marshal(part)
	return kept, err
}

// newResource reads the name that a resource has in a stack.
func newResource(id string, body *yaml.Node, stack string) (Resource, error) {
	r := Resource{LogicalID: id}
	if kind := value(body, "Type"); kind != nil {
		r.Kind = kind.Value
	}
	property := map[string]string{KindTable: "TableName", KindQueue: "QueueName", KindSecret: "Name"}[r.Kind]
	switch {
	case r.Kind == KindKey:
		return r, nil
	case r.Kind == KindBucket && value(value(body, "Properties"), "BucketName") == nil:
		r.Name = strings.ToLower(stack + "-" + id + "-") // what CloudFormation makes up goes on at random
		return r, nil
	case property == "":
		return r, fmt.Errorf("template.yaml:%d: %s is kept, and a %s can be neither recovered nor removed: change shared/operations/operate", body.Line, id, r.Kind)
	}
	name := value(value(body, "Properties"), property)
	if name != nil {
		r.Name = strings.ReplaceAll(substituted(name), "${AWS::StackName}", stack)
	}
	if r.Name == "" || strings.Contains(r.Name, "${") {
		return r, fmt.Errorf("template.yaml:%d: %s is kept: its %s is to be made of ${AWS::StackName} and text alone, so that it is found again", body.Line, id, property)
	}
	return r, nil
}

// substituted returns the text of a Fn::Sub with the values of its own.
func substituted(n *yaml.Node) string {
	if n.Kind != yaml.SequenceNode || len(n.Content) != 2 {
		return n.Value
	}
	text := n.Content[0].Value
	for i := 0; i+1 < len(n.Content[1].Content); i += 2 {
		text = strings.ReplaceAll(text, "${"+n.Content[1].Content[i].Value+"}", n.Content[1].Content[i+1].Value)
	}
	return text
}

// Recover takes back what a deleted stack kept into a new stack of its name, and writes what is to be done next to out. Nothing is
// changed unless all of it is there.
func Recover(ctx context.Context, out io.Writer, kept Kept, account Importer) error {
	found, err := kept.find(ctx, account)
	if err != nil {
		return err
	}
	var missing []string
	for _, r := range found {
		if r.ID == "" {
			missing = append(missing, strings.TrimSpace(r.LogicalID+" "+r.Name))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("nothing was recovered: this of the stack %s cannot be found in this account and Region: %s: check STACK, AWS_REGION and AWS_PROFILE; "+
			"restore a table that was deleted, and use the template that was deployed", kept.Stack, strings.Join(missing, ", "))
	}
	if err := account.Import(ctx, kept.Template, found); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s owns %d resources again. Next: make deploy\n", kept.Stack, len(found))
	return err
}

// Remove writes to out what a deleted stack kept, and deletes it for good if confirmed is the stack's name.
func Remove(ctx context.Context, out io.Writer, kept Kept, confirmed string, account Remover) error {
	found, err := kept.find(ctx, account)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(r Resource) bool { return r.ID == "" })
	if len(found) == 0 {
		_, err := fmt.Fprintf(out, "nothing of the stack %s is left in this account and Region\n", kept.Stack)
		return err
	}
	// Queues name the key: as long as one is there, a removal that failed can be run again.
	slices.SortStableFunc(found, func(a, b Resource) int { return rank(a) - rank(b) })
	var list strings.Builder
	for _, r := range found {
		fmt.Fprintf(&list, "  %s %s\n", r.LogicalID, r.ID)
	}
	if _, err := fmt.Fprintf(out, "the stack %s kept these, with everything in them:\n%s", kept.Stack, &list); err != nil {
		return err
	}
	if confirmed != kept.Stack {
		return &UsageError{fmt.Sprintf("nothing was deleted: to delete all of this for good, add CONFIRM=%s", kept.Stack), RemoveUsage}
	}
	for _, r := range found {
		if err := account.Delete(ctx, r); err != nil {
			return fmt.Errorf("what is above is deleted: mend this and run it again: %w", err)
		}
		when := "is deleted"
		if r.Kind == KindKey {
			when = "is deleted in 30 days"
		}
		if _, err := fmt.Fprintf(out, "%s %s %s\n", r.LogicalID, r.ID, when); err != nil {
			return err
		}
	}
	return nil
}

// rank orders what is deleted: the key before the last resource that leads to it.
func rank(r Resource) int {
	return slices.Index([]string{KindTable, KindBucket, KindSecret, KindKey, KindQueue}, r.Kind)
}

// find returns the resources with their identifiers. It refuses while the stack is there: what it has is its own.
func (k Kept) find(ctx context.Context, account Remains) ([]Resource, error) {
	status, err := account.Status(ctx)
	if err != nil {
		return nil, err
	}
	if status != "" {
		return nil, fmt.Errorf("the stack %s is there (%s): delete it first: sam delete --stack-name %s", k.Stack, status, k.Stack)
	}
	found, queue := slices.Clone(k.Resources), ""
	for i, r := range found {
		if r.Kind == KindKey {
			continue
		}
		if found[i].ID, err = account.Find(ctx, r.Kind, r.Name); err != nil {
			return nil, err
		}
		if r.Kind == KindQueue && queue == "" {
			queue = found[i].ID
		}
	}
	for i, r := range found {
		if r.Kind == KindKey && queue != "" {
			if found[i].ID, err = account.Find(ctx, r.Kind, queue); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// pairs goes through the named blocks of a node.
func pairs(n *yaml.Node, do func(key, value *yaml.Node) error) error {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for pair := range slices.Chunk(n.Content, 2) {
		if err := do(pair[0], pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// value returns the block of a name in a node, or nil.
func value(n *yaml.Node, name string) (found *yaml.Node) {
	_ = pairs(n, func(key, value *yaml.Node) error {
		if key.Value == name {
			found = value
		}
		return nil
	})
	return found
}
