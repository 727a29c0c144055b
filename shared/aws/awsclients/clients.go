// Package awsclients makes the ports of a process over AWS, each service's client once and only if it is used. It is what
// entry points wire, so that they know no SDK.
package awsclients

import (
	"crypto/rand"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"signalbox/shared/aws/dynamostore"
	"signalbox/shared/aws/kmskeys"
	"signalbox/shared/aws/s3objects"
	"signalbox/shared/aws/secretcache"
	"signalbox/shared/aws/sqsqueue"
	"signalbox/shared/keyring"
)

// Clients makes ports. It is for the one goroutine that starts a process.
type Clients struct {
	config aws.Config
	tables *dynamodb.Client
	queues *sqs.Client
	keys   *kms.Client
}

// New returns the Clients of a configuration.
func New(config aws.Config) *Clients { return &Clients{config: config} }

// Table returns the store of a table.
func (c *Clients) Table(name string) *dynamostore.Store {
	if c.tables == nil {
		c.tables = dynamodb.NewFromConfig(c.config)
	}
	return dynamostore.New(c.tables, name)
}

// Queue returns the queue at a URL.
func (c *Clients) Queue(url string) *sqsqueue.Queue {
	if c.queues == nil {
		c.queues = sqs.NewFromConfig(c.config)
	}
	return sqsqueue.New(c.queues, url)
}

// Objects returns the objects of a bucket.
func (c *Clients) Objects(bucket string) *s3objects.Store {
	return s3objects.New(s3.NewFromConfig(c.config, s3objects.Options), bucket)
}

// Keys returns the keys that wrap with key; a process that only opens passes "".
func (c *Clients) Keys(key string) *kmskeys.Keys {
	if c.keys == nil {
		c.keys = kms.NewFromConfig(c.config)
	}
	return kmskeys.New(c.keys, key)
}

// Ring returns the data keys: tenants' in the configuration table, wrapped by key ("" for a process that only opens), and
// persons' in a table of their own ("" for a process that has nothing to do with them).
func (c *Clients) Ring(key, config, persons string) *keyring.Ring {
	o := keyring.Options{Keys: c.Keys(key), Tenants: c.Table(config), Random: rand.Reader}
	if persons != "" {
		o.Persons = c.Table(persons)
	}
	return keyring.New(o)
}

// Secrets returns the cached secrets. What cannot be refreshed is logged.
func (c *Clients) Secrets(logger *slog.Logger) *secretcache.Cache {
	return secretcache.New(secretsmanager.NewFromConfig(c.config), logger)
}
