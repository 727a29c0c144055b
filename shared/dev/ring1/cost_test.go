package ring1

import (
	"maps"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/dynamostore"
	"signalbox/shared/aws/sqsqueue"
	"signalbox/shared/dev/local/cloud"
	localdynamodb "signalbox/shared/dev/local/cloud/dynamodb"
	"signalbox/shared/dev/local/cloud/inprocess"
	localsqs "signalbox/shared/dev/local/cloud/sqs"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"
)

// TestWhatAMessageOfAKnownContactCosts pins what AWS bills for one message in a batch of one: the calls of our functions and of
// the mappings, and the units of the database. An event's record must leave room below a kilobyte for longer messages and for what seals it.
//
// Where days are shown, what is said together is read and written by the calls that the router's head and record take; a connector reads
// it before and after it writes.
func TestWhatAMessageOfAKnownContactCosts(t *testing.T) {
	both := func(more map[string]int) map[string]int {
		maps.Copy(more, map[string]int{"sqs SendMessageBatch": 2, "sqs ReceiveMessage": 2, "sqs DeleteMessageBatch": 2})
		return more
	}
	for name, c := range map[string]struct {
		timeline      *tenant.TimelineContent
		calls         map[string]int
		writes, reads float64
		record        int // bytes
	}{
		"a message by itself": {nil, both(map[string]int{"dynamodb GetItem": 2, "dynamodb PutItem": 4}), 4, 3, 600},
		"a message by itself, and the conversation": {
			&tenant.TimelineContent{Granularity: tenant.ByMessage},
			both(map[string]int{"dynamodb BatchGetItem": 1, "dynamodb GetItem": 3, "dynamodb PutItem": 3, "dynamodb BatchExecuteStatement": 1}), 5, 7, 600,
		},
		"a day, and the conversation": {
			&tenant.TimelineContent{Granularity: tenant.ByDay, Window: "0s"},
			both(map[string]int{"dynamodb BatchGetItem": 3, "dynamodb GetItem": 1, "dynamodb PutItem": 3, "dynamodb BatchExecuteStatement": 1}), 6, 11, 700,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPipeline(t, options{timeline: c.timeline})
			costs(t, p, c.calls, c.writes, c.reads, c.record)
		})
	}
}

func costs(t *testing.T, p *pipeline, want map[string]int, mostWrites, mostReads float64, record int) {
	t.Helper()
	c := p.count()
	client := sqs.NewFromConfig(c.config)

	through := func(n int, text string) {
		t.Helper()
		if status := p.send(message{number: number(n), from: "+15552010001", text: text}); status != http.StatusOK {
			t.Fatalf("answered %d", status)
		}
		invoke(t, client, localsqs.URL(awsHost, "events.fifo"), p.route)
		invoke(t, client, localsqs.URL(awsHost, "deliver.fifo"), p.connect)
	}
	through(0, "the first message, which makes the contact")
	before, spent := c.counts.Snapshot(), c.database.Usage()
	through(1, "What does product X cost for a team of twelve, and can we have an invoice in euros at the end of the month?")

	calls, total := map[string]int{}, 0
	for call, n := range c.counts.Snapshot() {
		if n -= before[call]; n > 0 {
			calls[call.Service+" "+call.Operation] += n
			total += n
		}
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	usage := c.database.Usage()
	writes, reads := usage.WriteUnits-spent.WriteUnits, usage.ReadUnits-spent.ReadUnits
	if total > 14 || writes > mostWrites || reads > mostReads {
		t.Errorf("%d calls, %v write units, %v read units", total, writes, reads)
	}
	for r := range p.state.All() {
		if r.Sort == "event" && len(r.Data) > record {
			t.Errorf("an event's record has %d bytes", len(r.Data))
		}
	}
	t.Logf("%d calls, %v write units, %v read units", total, writes, reads)
	if p.timeline == nil || p.timeline.Granularity == tenant.ByMessage {
		p.check(2, func(int) string { return "a" })
	} else if shown := len(p.messages()); shown != 1 || len(p.dead()) > 0 {
		t.Errorf("%d records, dead letters %v", shown, p.dead())
	}
}

// awsHost is where clients of AWS find what counts their calls.
const awsHost = "http://aws.test"

// counted is what counts the calls of AWS.
type counted struct {
	config   aws.Config
	database *localdynamodb.Handler
	counts   cloud.Counts
	mappings atomic.Int64 // what the mappings delete and hide
	p        *pipeline
}

// count puts an adapter, a router and a connector in place whose calls are counted, before what they are part of runs.
func (p *pipeline) count() *counted {
	p.t.Helper()
	c := &counted{database: localdynamodb.New(map[string]*memstore.Store{"state": p.state}), p: p}
	c.database.Refused = func(m string) { p.t.Error(m) }
	queues := localsqs.New(p.eventsDead, p.deliverDead, p.events, p.deliver)
	services := cloud.New(cloud.Services{SQS: queues, DynamoDB: c.database}, nil, &c.counts)
	c.config = awsconfig.Base("eu-central-1", &http.Client{Transport: inprocess.Transport{Handler: services}})
	c.config.Credentials = awsconfig.Static("local", "local", "")
	c.config.BaseEndpoint = aws.String(awsHost)
	onQueue := func(name string) *sqsqueue.Queue {
		return sqsqueue.New(sqs.NewFromConfig(c.config), localsqs.URL(awsHost, name+".fifo"))
	}
	for _, q := range []*memqueue.Queue{p.events, p.deliver} {
		q.Inject(func(call memqueue.Call) memqueue.Fault {
			if call.Operation == memqueue.OperationDelete || call.Operation == memqueue.OperationChangeVisibility {
				c.mappings.Add(1)
			}
			return memqueue.Fault{}
		})
	}
	state := dynamostore.New(dynamodb.NewFromConfig(c.config), "state")
	p.adapter = p.newAdapter(p.provider, onQueue("events"))
	p.route, p.connect = p.newRoute(state, p.events, onQueue("deliver")), p.newConnect(state, &p.outage)
	return c
}

// all returns how many calls there were, a mapping's receives that found nothing apart.
func (c *counted) all() int64 {
	n := c.mappings.Load() + c.p.batches.Load()
	for _, calls := range c.counts.Snapshot() {
		n += int64(calls)
	}
	return n
}

// invoke has a worker work on the one message that waits, as a mapping would.
func invoke(t *testing.T, client *sqs.Client, url string, w *queue.Worker) {
	t.Helper()
	batch, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 10, MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil || len(batch.Messages) != 1 {
		t.Fatalf("%+v, %v", batch, err)
	}
	m := batch.Messages[0]
	verdicts := w.Process(t.Context(), []queue.Received{sqsqueue.Received(*m.MessageId, *m.Body, "", m.Attributes)})
	if !verdicts[0].Done {
		t.Fatalf("%+v", verdicts[0])
	}
	entries := []types.DeleteMessageBatchRequestEntry{{Id: m.MessageId, ReceiptHandle: m.ReceiptHandle}}
	if _, err := client.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &url, Entries: entries}); err != nil {
		t.Fatal(err)
	}
}
