// Package sqsqueue is one Amazon SQS queue: it publishes in the order queue.Publisher promises, reads what an event source mapping
// delivers, changes visibility, and tells how much waits. What goes wrong is sorted into faults here.
package sqsqueue

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// API is what this package calls of the SDK's SQS client.
type API interface {
	SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, options ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	ChangeMessageVisibilityBatch(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput, options ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error)
	GetQueueAttributes(ctx context.Context, in *sqs.GetQueueAttributesInput, options ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// Queue is one queue. It is safe for concurrent use.
type Queue struct {
	client API
	url    string
	fifo   bool
}

// New returns the queue at url, which is FIFO if the url ends in ".fifo", as SQS demands of their names.
func New(client API, url string) *Queue {
	const suffix = ".fifo"
	return &Queue{client: client, url: url, fifo: len(url) > len(suffix) && url[len(url)-len(suffix):] == suffix}
}

// Wait asks that a delivered message stay hidden for a while from now; 0 makes it visible at once.
type Wait struct {
	ReceiptHandle string
	For           time.Duration // rounded up to whole seconds, at most 12 hours
}

// once is the retry policy of publishing: none. Who publishes knows better: the adapter has a second durable place and
// little time, and a worker's message comes back by itself. SQS's own repetitions would only spend that time.
func once(o *sqs.Options) { o.Retryer = aws.NopRetryer{} }
