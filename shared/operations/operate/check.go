package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"signalbox/shared/dev/local/template"
	"signalbox/shared/tenant"

	"gopkg.in/yaml.v3"
)

// CheckUsage says how what is deployed is checked.
const CheckUsage = `make deploy ENV=<environment>   checks that what it takes away is not in use`

// queueRest is how long SQS refuses a queue under the name of one that was deleted.
// See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html.
const queueRest = 61 * time.Second

// Deployed is a stack as it is before a deployment. Parameters are nil when there is none yet.
type Deployed interface {
	Parameters(ctx context.Context) (map[string]string, error)
	Tenants(ctx context.Context) (tenant.Listing, error)
	Waiting(ctx context.Context, queue string) (messages int, err error) // of a queue's identifier, those in flight and delayed with them
}

// Check refuses a deployment with these parameters that would take away a channel or a CRM that a tenant in force uses, or a queue with
// messages. For a CRM that comes back it deletes the empty queues that it left, which CloudFormation would not create a second time.
func Check(ctx context.Context, out io.Writer, template []byte, name string, wanted map[string]string, at Stack) error {
	held, err := at.Deployed.Parameters(ctx)
	if err != nil || held == nil {
		return err
	}
	c := check{template, name, held, wanted, at}
	used, err := c.used(ctx)
	if err != nil {
		return err
	}
	full, err := c.full(ctx)
	if err != nil {
		return err
	}
	empty, unowned, err := c.back(ctx)
	if err != nil {
		return err
	}
	if reasons := slices.Concat(used, full, unowned); len(reasons) > 0 {
		return fmt.Errorf("nothing is deployed:\n%s", strings.Join(reasons, "\n"))
	}
	for _, queue := range empty {
		if err := at.Remover.Delete(ctx, queue); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s comes back: the queue that it left, %s, was empty and is deleted\n", queue.LogicalID, queue.Name); err != nil {
			return err
		}
	}
	if len(empty) == 0 {
		return nil
	}
	return rest(ctx, out)
}

// rest waits until SQS makes queues under the names of deleted ones.
func rest(ctx context.Context, out io.Writer) error {
	if _, err := fmt.Fprintf(out, "SQS makes queues of these names again in a minute: waiting\n"); err != nil {
		return err
	}
	select {
	case <-time.After(queueRest):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// check is one Check.
type check struct {
	template     []byte
	stack        string
	held, wanted map[string]string
	at           Stack
}

// gone returns what a list of plug-ins has lost.
func (c check) gone(list string) []string {
	kept := template.List(c.wanted[list])
	return slices.DeleteFunc(template.List(c.held[list]), func(name string) bool { return slices.Contains(kept, name) })
}

// used says which tenants use what goes away.
func (c check) used(ctx context.Context) (reasons []string, err error) {
	crms, channels := c.gone("Crms"), c.gone("Channels")
	if len(crms)+len(channels) == 0 {
		return nil, nil
	}
	records, err := c.at.Deployed.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	kinds, providers, err := tenant.Used(ctx, records)
	if err != nil {
		return nil, err
	}
	const remedy = "%s cannot be taken out of %s: %s of %s %s it: take it out of their files, make apply, wait five minutes until every function has read them, " +
		"and make deploy again; or leave %[1]s in %[2]s in samconfig.toml"
	for _, crm := range crms {
		if users := kinds[crm]; len(users) > 0 {
			reasons = append(reasons, fmt.Sprintf(remedy, crm, "Crms", "bindings", some(users), "name"))
		}
	}
	for _, channel := range channels {
		if users := providers[channel]; len(users) > 0 {
			reasons = append(reasons, fmt.Sprintf(remedy, channel, "Channels", "accounts", some(users), "receive through"))
		}
	}
	return reasons, nil
}

// some returns the first names of a list.
func some(names []string) string {
	const most = 5
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more tenants", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// full says which queues go away with messages.
func (c check) full(ctx context.Context) (reasons []string, err error) {
	return reasons, c.queues(ctx, c.held, c.wanted, func(queue Resource, messages int) {
		if messages > 0 {
			reasons = append(reasons, fmt.Sprintf("the queue %s holds %d messages, and nothing would work on them: wait until they are delivered; "+
				"those that wait for a tenant's CRM are told of in shared/operations/runbooks/BlockedAlarm.md", queue.Name, messages))
		}
	})
}

// back returns the empty queues of what comes back, and says which are not empty.
func (c check) back(ctx context.Context) (empty []Resource, reasons []string, err error) {
	return empty, reasons, c.queues(ctx, c.wanted, c.held, func(queue Resource, messages int) {
		if messages == 0 {
			empty = append(empty, queue)
			return
		}
		reasons = append(reasons, fmt.Sprintf("the queue %s was left by an earlier deployment and holds %d messages: CloudFormation does not create it a second time: "+
			"import it into the stack %s as %s (CloudFormation, Stack actions, Import resources into stack), or delete it with what it holds: "+
			"aws sqs delete-queue --queue-url %s", queue.Name, messages, c.stack, queue.LogicalID, queue.ID))
	})
}

// queues goes through the queues that are there and that the template keeps with some parameters, and with others does not.
func (c check) queues(ctx context.Context, with, without map[string]string, do func(queue Resource, messages int)) error {
	has, err := NewKept(c.template, c.stack, with)
	if err != nil {
		return err
	}
	hasNot, err := NewKept(c.template, c.stack, without)
	if err != nil {
		return err
	}
	for _, queue := range has.Resources {
		same := func(r Resource) bool { return r.LogicalID == queue.LogicalID }
		if queue.Kind != KindQueue || slices.ContainsFunc(hasNot.Resources, same) {
			continue
		}
		if queue.ID, err = c.at.Remover.Find(ctx, queue.Kind, queue.Name); err != nil {
			return err
		}
		if queue.ID == "" {
			continue
		}
		messages, err := c.at.Deployed.Waiting(ctx, queue.ID)
		if err != nil {
			return err
		}
		do(queue, messages)
	}
	return nil
}

// readParameters reads the values that sam deploy is given.
func readParameters(path string) (values map[string]string, err error) {
	if path == "" {
		return nil, errors.New("PARAMETERS is not set: it names the file that shared/operations/resolve_parameters.py wrote")
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator's own file
	if err != nil {
		return nil, fmt.Errorf("the parameters cannot be read: %w", err)
	}
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return values, nil
}
