package local

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/local/cloud/dynamodb"
	"signalbox/shared/dev/local/cloud/kms"
	"signalbox/shared/dev/local/cloud/secretsmanager"
	"signalbox/shared/dev/local/cloud/sqs"
	"signalbox/shared/dev/local/template"
	"signalbox/shared/keys/memkeys"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/store/memstore"
)

// state is what the template's resources hold.
type state struct {
	queues  map[string]*memqueue.Queue // by ARN
	tables  map[string]*memstore.Store // by name
	keys    map[string]*memkeys.Keys   // by id, ARN and alias
	secrets map[string]string          // by name and ARN
}

func newState(t *template.Template) (*state, error) {
	s := &state{
		queues: map[string]*memqueue.Queue{}, tables: map[string]*memstore.Store{}, keys: map[string]*memkeys.Keys{},
		secrets: map[string]string{},
	}
	queues := map[string]template.Queue{}
	for _, q := range t.Queues {
		queues[q.ARN] = q
	}
	for _, q := range t.Queues {
		if _, err := s.queue(queues, q.ARN, 0); err != nil {
			return nil, err
		}
	}
	for _, table := range t.Tables {
		s.tables[table.Name] = memstore.New()
	}
	for _, key := range t.Keys {
		held := memkeys.New()
		s.keys[key.ID], s.keys[key.ARN] = held, held
		for _, alias := range key.Aliases {
			s.keys["alias/"+alias] = held
		}
	}
	for _, secret := range t.Secrets {
		value := secret.Value
		if value == "" {
			value = generate(secret.Length, secret.Exclude)
		}
		s.secrets[secret.Name], s.secrets[secret.ARN] = value, value
	}
	return s, nil
}

// queue makes a queue after the one its dead letters go to.
func (s *state) queue(all map[string]template.Queue, arn string, depth int) (*memqueue.Queue, error) {
	if made := s.queues[arn]; made != nil {
		return made, nil
	}
	q := all[arn]
	if depth > len(all) {
		return nil, fmt.Errorf("local: the dead letters of %s go round in a circle", q.LogicalID)
	}
	o := memqueue.Options{
		Name: q.Name, Standard: !q.FIFO, Visibility: q.Visibility, Retention: q.Retention, MaxReceives: q.MaxReceive,
	}
	if !q.GroupScope {
		o.Deduplication = memqueue.PerQueue
	}
	if q.ContentDeduplication || q.Delay > 0 {
		return nil, fmt.Errorf("local: %s: deduplication by content and delays do not run locally", q.LogicalID)
	}
	if q.DeadLettersARN != "" {
		dead, err := s.queue(all, q.DeadLettersARN, depth+1)
		if err != nil {
			return nil, err
		}
		o.DeadLetters = dead
	}
	s.queues[arn] = memqueue.New(o)
	return s.queues[arn], nil
}

// generate makes a secret of letters and digits.
func generate(length int, exclude string) string {
	const all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	alphabet := strings.Map(func(r rune) rune {
		if strings.ContainsRune(exclude, r) {
			return -1
		}
		return r
	}, all)
	random := make([]byte, length)
	_, _ = rand.Read(random) // it never fails
	for i, b := range random {
		random[i] = alphabet[int(b)%len(alphabet)]
	}
	return string(random)
}

// services returns the handlers over the state; fail says how calls to tables fail, and may be nil. What they do not understand is
// logged, for a client keeps no message of it.
func (s *state) services(logger *slog.Logger, invoke cloud.Invoke, fail func(dynamodb.Call) dynamodb.Fault) cloud.Services {
	refused := func(message string) { logger.Error("refused", slog.String("reason", message)) }
	queues := make([]*memqueue.Queue, 0, len(s.queues))
	for _, q := range s.queues {
		queues = append(queues, q)
	}
	return cloud.Services{
		SQS:            sqs.New(queues...),
		DynamoDB:       dynamodb.New(s.tables, dynamodb.Refused(refused), dynamodb.Faulty(fail)),
		KMS:            kms.New(s.keys, kms.Refused(refused)),
		SecretsManager: secretsmanager.New(s.secrets, secretsmanager.Refused(refused)),
		Lambda:         cloud.Lambda(invoke),
	}
}
