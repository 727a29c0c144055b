package operate_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/operations/operate"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// listed is a template with a queue for each CRM, and one for all.
const listed = `Parameters:
    Channels: {Type: CommaDelimitedList, Default: 'sms'}
    Crms: {Type: CommaDelimitedList, Default: 'one,two'}
Resources:
    All:
        Type: AWS::SQS::Queue
        DeletionPolicy: RetainExceptOnCreate
        Properties: {QueueName: !Sub '${AWS::StackName}-all'}
    Fn::ForEach::Crms:
        - Crm
        - !Ref Crms
        - ${Crm}Queue:
            Type: AWS::SQS::Queue
            DeletionPolicy: RetainExceptOnCreate
            Properties: {QueueName: !Sub '${AWS::StackName}-deliver-${Crm}.fifo'}
`

// deployed is a stack st before a deployment.
type deployed struct {
	parameters map[string]string
	queues     map[string]int // messages by the names of queues that are there
	tenants    map[string]string
	failing    error
	deleted    []string
}

func (d *deployed) Parameters(context.Context) (map[string]string, error) {
	return d.parameters, d.failing
}

func (d *deployed) Tenants(ctx context.Context) (tenant.Listing, error) {
	table := memstore.New()
	for id, content := range d.tenants {
		document := json.RawMessage(content)
		if !strings.Contains(content, "format") {
			document = json.RawMessage(`{"format":1,"version":1,"content":` + content + `}`)
		}
		_, err := table.Write(ctx,
			store.Change{Record: store.Record{Key: store.Key{Partition: "tenants", Sort: id}}},
			store.Change{Record: store.Record{Key: store.Key{Partition: id + "/config", Sort: "current"}, Data: document}})
		if err != nil {
			return nil, err
		}
	}
	return table, nil
}

func (d *deployed) Waiting(_ context.Context, queue string) (int, error) {
	messages, ok := d.queues[queue]
	if !ok {
		return 0, errors.New("no such queue")
	}
	return messages, nil
}

func (d *deployed) Status(context.Context) (string, error) { return "UPDATE_COMPLETE", nil }

func (d *deployed) Find(_ context.Context, _, name string) (string, error) {
	if _, ok := d.queues[name]; ok {
		return name, nil
	}
	return "", nil
}

func (d *deployed) Delete(_ context.Context, r operate.Resource) error {
	d.deleted = append(d.deleted, r.Name)
	return nil
}

func TestCheck(t *testing.T) {
	both := map[string]string{"Crms": "one,two", "Channels": "sms"}
	bound := `{"tenant":{"id":"acme","crms":[{"name":"a","kind":"two"},{"name":"b","kind":"two"}]},"accounts":[{"id":"x","provider":"sms"}]}`
	const twos, ones = "st-deliver-two.fifo", "st-deliver-one.fifo"
	for sentence, c := range map[string]struct {
		deployed deployed
		wanted   map[string]string
		deleted  []string
		waits    time.Duration
		refused  []string
	}{
		"a first deployment passes": {deployed: deployed{queues: map[string]int{twos: 3}}, wanted: both},
		"what keeps its plug-ins passes, whoever uses them": {
			deployed: deployed{parameters: both, queues: map[string]int{twos: 3}, tenants: map[string]string{"acme": bound}}, wanted: both,
		},
		"a CRM that nobody is bound to and whose queue is empty may go": {
			deployed: deployed{parameters: both, queues: map[string]int{ones: 3, twos: 0, "st-all": 7}, tenants: map[string]string{"acme": strings.ReplaceAll(bound, "two", "one")}},
			wanted:   map[string]string{"Crms": "one", "Channels": "sms"},
		},
		"a CRM that a tenant is bound to stays": {
			deployed: deployed{parameters: both, tenants: map[string]string{"acme": bound, "zoo": bound}}, wanted: map[string]string{"Crms": "one", "Channels": "sms"},
			refused: []string{"nothing is deployed", "two cannot be taken out of Crms: bindings of acme, zoo name it", "make apply", "or leave two in Crms in samconfig.toml"},
		},
		"a list that was deployed with blanks is the same list": {
			deployed: deployed{parameters: map[string]string{"Crms": "one, two", "Channels": "sms"}, tenants: map[string]string{"acme": bound}}, wanted: map[string]string{"Crms": "one", "Channels": "sms"},
			refused: []string{"two cannot be taken out of Crms"},
		},
		"of many tenants the first are named": {
			deployed: deployed{parameters: both, tenants: map[string]string{"a": bound, "b": bound, "c": bound, "d": bound, "e": bound, "f": bound, "g": bound}},
			wanted:   map[string]string{"Crms": "one", "Channels": "sms"}, refused: []string{"bindings of a, b, c, d, e and 2 more tenants name it"},
		},
		"a CRM whose queue holds messages stays": {
			deployed: deployed{parameters: both, queues: map[string]int{twos: 3}}, wanted: map[string]string{"Crms": "one", "Channels": "sms"},
			refused: []string{"the queue st-deliver-two.fifo holds 3 messages", "wait until they are delivered", "BlockedAlarm"},
		},
		"everything that is in use is told at once": {
			deployed: deployed{parameters: map[string]string{"Crms": "one,two", "Channels": "sms,mail"}, queues: map[string]int{twos: 1}, tenants: map[string]string{"acme": bound}},
			wanted:   map[string]string{"Crms": "one", "Channels": "mail"},
			refused:  []string{"two cannot be taken out of Crms", "sms cannot be taken out of Channels: accounts of acme receive through it", "holds 1 messages"},
		},
		"a tenant that cannot be read may use anything": {
			deployed: deployed{parameters: both, tenants: map[string]string{"acme": `{"format":9}`}}, wanted: map[string]string{"Crms": "one", "Channels": "sms"},
			refused: []string{"the configuration of the tenant acme", "cannot be used"},
		},
		"a CRM that comes back finds its empty queue gone, for CloudFormation creates it": {
			deployed: deployed{parameters: map[string]string{"Crms": "one", "Channels": "sms"}, queues: map[string]int{ones: 1, twos: 0}}, wanted: both,
			deleted: []string{twos}, waits: 61 * time.Second,
		},
		"a CRM that is new has none": {deployed: deployed{parameters: map[string]string{"Crms": "one", "Channels": "sms"}, queues: map[string]int{ones: 1}}, wanted: both},
		"a queue that was left with messages is not deleted": {
			deployed: deployed{parameters: map[string]string{"Crms": "one", "Channels": "sms"}, queues: map[string]int{twos: 2}}, wanted: both,
			refused: []string{"st-deliver-two.fifo was left by an earlier deployment and holds 2 messages", "import it into the stack st as twoQueue", "aws sqs delete-queue --queue-url st-deliver-two.fifo"},
		},
		"nothing is deleted for what comes back while something else is refused": {
			deployed: deployed{parameters: map[string]string{"Crms": "one", "Channels": "sms"}, queues: map[string]int{ones: 1, twos: 0}},
			wanted:   map[string]string{"Crms": "two", "Channels": "sms"}, refused: []string{"st-deliver-one.fifo holds 1 messages"},
		},
		"a stack that cannot be looked up is not deployed over": {deployed: deployed{failing: errors.New("access denied")}, wanted: both, refused: []string{"access denied"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				began, at := time.Now(), c.deployed
				err := operate.Check(t.Context(), &out, []byte(listed), "st", c.wanted, operate.Stack{Deployed: &at, Remover: &at})
				checkError(t, err, c.refused)
				if diff := cmp.Diff(c.deleted, at.deleted); diff != "" {
					t.Errorf("deleted (-want +got): %s", diff)
				}
				if waited := time.Since(began); waited != c.waits {
					t.Errorf("waited %v, want %v", waited, c.waits)
				}
				if said := out.String(); (said == "") != (len(c.deleted) == 0) || c.waits > 0 && !strings.Contains(said, "waiting") {
					t.Errorf("said %q", said)
				}
			})
		})
	}
}

// TestCheckKnowsTheQueuesOfTheTemplate: what goes away with a CRM is read from template.yaml, so that no queue is forgotten.
func TestCheckKnowsTheQueuesOfTheTemplate(t *testing.T) {
	parameters := filepath.Join(t.TempDir(), "parameters.yaml")
	if err := os.WriteFile(parameters, []byte("Crms: a\nChannels: x\nSeconds: '3'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := &deployed{parameters: map[string]string{"Crms": "a,b", "Channels": "x"}, queues: map[string]int{"st-deliver-b.fifo": 1, "st-receipts-b": 2, "st-receipts-a": 9}}
	variables := map[string]string{"STACK": "st", "PARAMETERS": parameters}
	open := func(context.Context, string, string) (operate.Stack, error) {
		return operate.Stack{Deployed: at, Remover: at}, nil
	}
	err := operate.Command(t.Context(), &strings.Builder{}, root, "check", func(name string) string { return variables[name] }, open)
	checkError(t, err, []string{"st-deliver-b.fifo holds 1 messages", "st-receipts-b holds 2 messages"})
	if slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(line string) bool { return strings.Contains(line, "receipts-a") }) {
		t.Error(err)
	}
}
