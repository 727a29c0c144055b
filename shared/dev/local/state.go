package local

import (
	"crypto/rand"
	"log/slog"
	"maps"
	"slices"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/dev/local/cloud/dynamodb"
	"signalbox/shared/dev/local/cloud/kms"
	"signalbox/shared/dev/local/cloud/s3"
	"signalbox/shared/dev/local/cloud/secretsmanager"
	"signalbox/shared/dev/local/cloud/sqs"
	"signalbox/shared/dev/local/template"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/objects/memobjects"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/store/memstore"
)

// state is what the template's resources hold.
type state struct {
	queues  map[string]*memqueue.Queue // by ARN
	tables  map[string]*memstore.Store // by name
	keys    map[string]*memkeys.Keys   // by id, ARN and alias
	secrets map[string]string          // by name and ARN
	buckets map[string]*memobjects.Store
}

func newState(t *template.Template) *state {
	s := &state{
		queues: map[string]*memqueue.Queue{}, tables: map[string]*memstore.Store{}, keys: map[string]*memkeys.Keys{},
		secrets: map[string]string{}, buckets: map[string]*memobjects.Store{},
	}
	for _, q := range t.Queues { // first those that others' dead letters go to
		if q.DeadLettersARN == "" {
			s.queues[q.ARN] = newQueue(q, nil)
		}
	}
	for _, q := range t.Queues {
		if q.DeadLettersARN != "" {
			s.queues[q.ARN] = newQueue(q, s.queues[q.DeadLettersARN])
		}
	}
	for _, table := range t.Tables {
		s.tables[table.Name] = memstore.New()
	}
	for _, name := range t.Buckets {
		s.buckets[name] = memobjects.New()
	}
	for _, key := range t.Keys {
		held := memkeys.New()
		s.keys[key.ID], s.keys[key.ARN] = held, held
		for _, alias := range key.Aliases {
			s.keys["alias/"+alias] = held
		}
	}
	for _, secret := range t.Secrets {
		value := ""
		for len(value) < secret.Length {
			value += rand.Text()
		}
		s.secrets[secret.Name], s.secrets[secret.ARN] = value[:secret.Length], value[:secret.Length]
	}
	return s
}

func newQueue(q template.Queue, dead *memqueue.Queue) *memqueue.Queue {
	o := memqueue.Options{
		Name: q.Name, Standard: !q.FIFO, Visibility: q.Visibility, Retention: q.Retention, MaxReceives: q.MaxReceive, DeadLetters: dead,
	}
	if !q.GroupScope {
		o.Deduplication = memqueue.PerQueue
	}
	return memqueue.New(o)
}

// services returns the handlers over the state; fail says how calls to tables fail, and may be nil. What they do not understand is
// logged, for a client keeps no message of it.
func (s *state) services(logger *slog.Logger, invoke cloud.Invoke, fail func(dynamodb.Call) dynamodb.Fault) (cloud.Services, *dynamodb.Handler) {
	queues, tables := sqs.New(slices.Collect(maps.Values(s.queues))...), dynamodb.New(s.tables)
	keys, secrets, files := kms.New(s.keys), secretsmanager.New(s.secrets), s3.New(s.buckets)
	tables.Faulty = fail
	files.Refused = func(message string) { logger.Error("refused", slog.String("reason", message)) }
	for _, service := range []*awsjson.Service{&queues.Service, &tables.Service, &keys.Service, &secrets.Service} {
		service.Refused = files.Refused
	}
	return cloud.Services{SQS: queues, DynamoDB: tables, KMS: keys, SecretsManager: secrets, S3: files, Lambda: cloud.Lambda(invoke)}, tables
}
