// Package awsclients makes the ports of a process over AWS, each service's client once and only if it is used. It is what
// entry points wire, so that they know no SDK.
package awsclients

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/dynamostore"
	"signalbox/shared/aws/kmskeys"
	"signalbox/shared/aws/secretcache"
	"signalbox/shared/aws/sqsqueue"
)

// Clients makes ports. It is for the one goroutine that starts a process.
type Clients struct {
	config aws.Config
	tables *dynamodb.Client
	queues *sqs.Client
}

// Load reads region, credentials and endpoint from the environment.
func Load(ctx context.Context) (*Clients, error) {
	config, err := awsconfig.Load(ctx)
	if err != nil {
		return nil, err
	}
	return &Clients{config: config}, nil
}

// Table answers the store of a table.
func (c *Clients) Table(name string) *dynamostore.Store {
	if c.tables == nil {
		c.tables = dynamodb.NewFromConfig(c.config)
	}
	return dynamostore.New(c.tables, name)
}

// Queue answers the queue at a URL.
func (c *Clients) Queue(url string) *sqsqueue.Queue {
	if c.queues == nil {
		c.queues = sqs.NewFromConfig(c.config)
	}
	return sqsqueue.New(c.queues, url)
}

// Keys answers the keys that wrap with key; a process that only opens passes "".
func (c *Clients) Keys(key string) *kmskeys.Keys {
	return kmskeys.New(kms.NewFromConfig(c.config), key)
}

// Secrets answers the cached secrets.
func (c *Clients) Secrets() *secretcache.Cache {
	return secretcache.New(secretsmanager.NewFromConfig(c.config))
}
