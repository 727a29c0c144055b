package sqsqueue_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"signalbox/shared/aws/sqsqueue"
	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/dev/local/cloud/inprocess"
	local "signalbox/shared/dev/local/cloud/sqs"
	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/queue/queuetest"
)

// TestConformance is ring 2: the SDK talks to the local cloud's handler in a synctest bubble.
func TestConformance(t *testing.T) {
	queuetest.Run(t, queuetest.Harness{New: func(_ *testing.T, s queuetest.Settings) queuetest.Ends {
		o := memqueue.Options{Name: "q.fifo", Standard: s.Standard, Visibility: s.Visibility, Retention: s.Retention}
		if s.Standard {
			o.Name = "q"
		}
		if s.PerQueue {
			o.Deduplication = memqueue.PerQueue
		}
		queues := []*memqueue.Queue{}
		if s.MaxReceives > 0 {
			o.MaxReceives, o.DeadLetters = s.MaxReceives, memqueue.New(memqueue.Options{Name: "dead.fifo", Visibility: s.Visibility})
			queues = append(queues, o.DeadLetters)
		}
		q := memqueue.New(o)
		client := newClient(inprocess.Transport{Handler: local.New(append(queues, q)...)}, "http://sqs.test")
		ends := queuetest.Ends{Queue: newRing2(client, local.URL("http://sqs.test", o.Name)), Inject: q.Inject}
		if o.DeadLetters != nil {
			ends.DeadLetters = newRing2(client, local.URL("http://sqs.test", "dead.fifo"))
		}
		ends.Counts = counts(newRing2(client, local.URL("http://sqs.test", o.Name)))
		return ends
	}})
}

// emulatorSkips are the cases that the emulator named in the reason does not pass. Each reason says what it does instead; what
// Amazon's documentation says is what the suite asks for.
var emulatorSkips = map[string]string{
	"a bad entry fails alone":                                                        "MiniStack accepts group and deduplication ids with spaces and of any length",
	"a message that is refused is permanent":                                         "MiniStack accepts group ids with spaces",
	"a receipt is refused after its flight was ended":                                "MiniStack deletes by an expired receipt",
	"a receipt whose visibility ended is refused for delete and visibility change":   "MiniStack deletes by an expired receipt",
	"a standard queue deletes by the latest receipt even after its visibility ended": "MiniStack refuses an older receipt that SQS ignores",
	"as many as possible of one group come before the next group":                    "MiniStack interleaves the groups",
	"attributes count towards the size of a batch":                                   "MiniStack counts bodies only",
	"deleting twice succeeds":                                                        "MiniStack refuses the receipt of a deleted message",
	"of a group what comes before its first message in flight is handed out":         "MiniStack locks a group while any of its messages is in flight",
}

// TestEmulator runs the suite by hand on a third-party emulator: SIGNALBOX_EMULATOR_URL=http://127.0.0.1:4566 go test -run TestEmulator -v.
func TestEmulator(t *testing.T) {
	base := os.Getenv("SIGNALBOX_EMULATOR_URL")
	if base == "" {
		t.Skip("SIGNALBOX_EMULATOR_URL is not set")
	}
	client := newClient(http.DefaultTransport, base)
	queuetest.Run(t, queuetest.Harness{RealTime: true, Skip: emulatorSkips, New: func(t *testing.T, s queuetest.Settings) queuetest.Ends {
		attributes := map[string]string{}
		if s.Visibility > 0 {
			attributes["VisibilityTimeout"] = strconv.Itoa(int(s.Visibility / time.Second))
		}
		if s.Retention > 0 {
			attributes["MessageRetentionPeriod"] = strconv.Itoa(int(s.Retention / time.Second))
		}
		if !s.Standard && !s.PerQueue {
			attributes["DeduplicationScope"], attributes["FifoThroughputLimit"] = "messageGroup", "perMessageGroupId"
		}
		ends := queuetest.Ends{}
		if s.MaxReceives > 0 {
			dead, arn := createQueue(t, client, s.Standard, map[string]string{})
			ends.DeadLetters = newRing2(client, dead)
			policy, _ := json.Marshal(map[string]string{"deadLetterTargetArn": arn, "maxReceiveCount": strconv.Itoa(s.MaxReceives)})
			attributes["RedrivePolicy"] = string(policy)
		}
		url, _ := createQueue(t, client, s.Standard, attributes)
		ends.Queue, ends.Counts = newRing2(client, url), counts(newRing2(client, url))
		return ends
	}})
}

func createQueue(t *testing.T, client *sqs.Client, standard bool, attributes map[string]string) (url, arn string) {
	t.Helper()
	name := "signalbox-" + rand.Text()
	if !standard {
		name += ".fifo"
		attributes["FifoQueue"] = "true"
	}
	created, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = client.DeleteQueue(context.Background(), &sqs.DeleteQueueInput{QueueUrl: created.QueueUrl})
	})
	out, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: created.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	return *created.QueueUrl, out.Attributes["QueueArn"]
}

func newClient(transport http.RoundTripper, base string) *sqs.Client {
	return sqs.New(sqs.Options{
		Region:       awsjson.Region,
		BaseEndpoint: aws.String(base),
		HTTPClient:   &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
}

func counts(q ring2) func(*testing.T) (visible, inFlight int) {
	return func(t *testing.T) (visible, inFlight int) {
		t.Helper()
		visible, inFlight, delayed, err := q.Depth(t.Context())
		if err != nil || delayed != 0 {
			t.Fatal(delayed, err)
		}
		return visible, inFlight
	}
}

// ring2 lets the suite drive a sqsqueue.Queue, and look at what only SQS itself says.
type ring2 struct {
	*sqsqueue.Queue
	client *sqs.Client
	url    string
	fifo   bool
}

func newRing2(client *sqs.Client, url string) ring2 {
	return ring2{sqsqueue.New(client, url), client, url, url[len(url)-5:] == ".fifo"}
}

// Send is one call without the order rule, which sqsqueue does not offer.
func (q ring2) Send(ctx context.Context, batch ...queue.Message) ([]memqueue.Sent, error) {
	in := &sqs.SendMessageBatchInput{QueueUrl: &q.url}
	for i, m := range batch {
		e := types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(string(m.Body))}
		if m.Group != "" {
			e.MessageGroupId = &m.Group
		}
		if q.fifo {
			e.MessageDeduplicationId = &m.ID
		}
		if m.Trace != "" {
			e.MessageAttributes = map[string]types.MessageAttributeValue{inorder.TraceAttribute: {DataType: aws.String("String"), StringValue: &m.Trace}}
		}
		in.Entries = append(in.Entries, e)
	}
	out, err := q.client.SendMessageBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	sent := make([]memqueue.Sent, len(batch))
	for _, s := range out.Successful {
		i, _ := strconv.Atoi(*s.Id)
		sent[i] = memqueue.Sent{MessageID: *s.MessageId, Sequence: aws.ToString(s.SequenceNumber)}
	}
	for _, f := range out.Failed {
		i, _ := strconv.Atoi(*f.Id)
		sent[i].Err = errors.New(*f.Code)
	}
	return sent, nil
}

// Receive asks as a mapping does, and for everything that SQS says.
func (q ring2) Receive(ctx context.Context, r memqueue.Request) ([]memqueue.Delivery, error) {
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.url, MaxNumberOfMessages: int32(r.Max), WaitTimeSeconds: int32(r.Wait / time.Second),
		MessageAttributeNames: []string{inorder.TraceAttribute}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	if err != nil {
		return nil, err
	}
	deliveries := make([]memqueue.Delivery, len(out.Messages))
	for i, m := range out.Messages {
		ms, _ := strconv.ParseInt(m.Attributes["ApproximateFirstReceiveTimestamp"], 10, 64)
		trace := aws.ToString(m.MessageAttributes[inorder.TraceAttribute].StringValue)
		deliveries[i] = memqueue.Delivery{
			Received: sqsqueue.Received(*m.MessageId, *m.Body, trace, m.Attributes), ReceiptHandle: *m.ReceiptHandle, MessageID: *m.MessageId,
			FirstReceived: time.UnixMilli(ms), MovedFrom: m.Attributes["DeadLetterQueueSourceArn"],
		}
	}
	return deliveries, nil
}

// Delete is what a mapping does with what is done.
func (q ring2) Delete(ctx context.Context, receipts ...string) ([]error, error) {
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &q.url}
	for i, r := range receipts {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &r})
	}
	out, err := q.client.DeleteMessageBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(receipts))
	for _, f := range out.Failed {
		i, _ := strconv.Atoi(*f.Id)
		errs[i] = errors.New(*f.Code)
	}
	return errs, nil
}

// ChangeVisibility is sqsqueue's.
func (q ring2) ChangeVisibility(ctx context.Context, waits ...memqueue.Wait) ([]error, error) {
	all := make([]sqsqueue.Wait, len(waits))
	for i, w := range waits {
		all[i] = sqsqueue.Wait(w)
	}
	return queue.Errors(q.Queue.ChangeVisibility(ctx, all...), len(waits)), nil
}
