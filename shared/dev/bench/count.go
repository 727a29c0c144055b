package bench

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/samples"
)

// usage is what one message asks of AWS and of the CRMs.
type usage struct {
	Messages    float64
	CRM         map[string]float64 // calls by CRM
	SQS         float64            // requests: those of the functions, and a receive and a delete of the mapping for each batch
	Store, KMS  float64            // requests
	Secrets     float64
	WriteUnits  float64
	ReadUnits   float64
	LogBytes    float64
	StoredBytes float64
	Webhooks    float64
	Invocations float64
	GBSeconds   float64            // as measured here, where a call takes less than a millisecond
	waits       map[string]float64 // calls by service that a function waits for, each weighted with the function's GB
}

// calls returns the billable AWS calls.
func (u usage) calls() float64 { return u.SQS + u.Store + u.KMS + u.Secrets }

// snapshot is the state of all counters.
type snapshot struct {
	calls       map[cloud.Call]int
	invocations map[string]int
	seconds     map[string]float64
	write, read float64
	logs        int
	stored      int
}

func (w *world) snapshot() snapshot {
	w.meter.mu.Lock()
	s := snapshot{calls: maps.Clone(w.meter.calls), invocations: maps.Clone(w.meter.invocations), seconds: maps.Clone(w.meter.seconds)}
	w.meter.mu.Unlock()
	units := w.Units()
	s.write, s.read, s.logs = units.WriteUnits, units.ReadUnits, w.meter.logs.total()
	for record := range w.Table("StateTable").All() {
		s.stored += len(record.Partition) + len(record.Sort) + len(record.Data) + itemOverhead
	}
	return s
}

// itemOverhead is what DynamoDB adds to an item, https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html.
const itemOverhead = 100

// memoryGB is what a function has. All have the same in the template.
const memoryGB = 0.5

// scheduled functions run whether there is a message or not.
func scheduled(function string) bool { return function == "SpoolDrain" }

// since returns what was used per message.
func (w *world) since(before snapshot, messages int) usage {
	now, n := w.snapshot(), float64(messages)
	u := usage{
		Messages: n, CRM: map[string]float64{}, waits: map[string]float64{}, Webhooks: 1,
		WriteUnits: (now.write - before.write) / n, ReadUnits: (now.read - before.read) / n,
		LogBytes: float64(now.logs-before.logs) / n, StoredBytes: float64(now.stored-before.stored) / n,
	}
	for call, count := range now.calls {
		each := float64(count-before.calls[call]) / n
		if scheduled(call.Caller) {
			continue
		}
		u.waits[call.Service] += memoryGB * waits(each, float64(now.invocations[call.Caller]-before.invocations[call.Caller])/n)
		switch call.Service {
		case "sqs":
			u.SQS += each
		case "dynamodb":
			u.Store += each
		case "kms":
			u.KMS += each
		case "secretsmanager":
			u.Secrets += each
		case "lambda":
		default:
			u.CRM[call.Service] += each
		}
	}
	for function, count := range now.invocations {
		if scheduled(function) {
			continue
		}
		each := float64(count-before.invocations[function]) / n
		u.Invocations += each
		u.GBSeconds += (now.seconds[function] - before.seconds[function]) / n
		if !receives(function) {
			u.SQS += 2 * each // the mapping receives the batch and deletes it
		}
	}
	return u
}

// waits returns how many calls a message's share of an invocation waits for one after the other. A function works on the
// messages of a batch side by side: the calls that each makes run at once, and those made for all count as they are.
func waits(calls, invocations float64) float64 {
	if invocations <= 0 || invocations >= 1 {
		return calls
	}
	return max(calls, min(1, calls/invocations)) * invocations
}

// receives reports whether a function receives requests, for which there is no mapping: the template calls it <channel>Receive.
func receives(function string) bool { return strings.HasSuffix(function, "Receive") }

// countSingle lets messages of ten people through, one at a time. Who they are decides whether they are known.
func (w *world) countSingle(ctx context.Context, from, messages int) (usage, error) {
	before := w.snapshot()
	for person := range messages {
		if err := w.through(ctx, w.message(from+person%batch)); err != nil {
			return usage{}, err
		}
	}
	return w.since(before, messages), nil
}

// through lets a webhook go its whole way.
func (w *world) through(ctx context.Context, m samples.Sample) error {
	if _, err := w.send(ctx, m); err != nil {
		return err
	}
	return w.rest(ctx)
}

// batch is the size of batches, and the number of people who are known.
const batch = 10

// countReplies lets people who are known be written to and answer, one at a time, and returns what registering an outreach and what
// the reply to one costs.
func (w *world) countReplies(ctx context.Context) (outreach, reply usage, err error) {
	for person := range batch {
		for _, one := range []struct {
			m   samples.Sample
			sum *usage
		}{{w.outreach(person), &outreach}, {w.message(person), &reply}} {
			before := w.snapshot()
			if err := w.through(ctx, one.m); err != nil {
				return outreach, reply, err
			}
			if person > 0 { // the first fills the caches of the function that registers
				*one.sum = add(*one.sum, w.since(before, 1), batch-1)
			}
		}
	}
	return outreach, reply, nil
}

// countBatches lets rounds of ten messages of ten people through, each stage receiving the ten at once.
func (w *world) countBatches(ctx context.Context, rounds int) (usage, error) {
	var sum usage
	for range rounds {
		one, err := w.countBatch(ctx)
		if err != nil {
			return usage{}, err
		}
		sum = add(sum, one, rounds)
	}
	return sum, nil
}

func (w *world) countBatch(ctx context.Context) (usage, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	queues := append([]string{"EventsQueue"}, w.deliveries()...)
	for _, q := range queues {
		w.closeGate(q)
	}
	// One message ends the receives that were under way; the next ones are held up.
	if _, err := w.send(ctx, w.message(0)); err != nil {
		return usage{}, err
	}
	if err := w.restBehind(ctx, queues); err != nil {
		return usage{}, err
	}
	before := w.snapshot()
	for person := range batch {
		if _, err := w.send(ctx, w.message(person)); err != nil {
			return usage{}, err
		}
	}
	for _, q := range queues {
		if err := until(ctx, func() bool { return w.Queue(q).Counters().Visible == batch }); err != nil {
			return usage{}, fmt.Errorf("%w: %s holds %+v", err, q, w.Queue(q).Counters())
		}
		w.openGate(q)
	}
	if err := w.rest(ctx); err != nil {
		return usage{}, err
	}
	return w.since(before, batch), nil
}

// add adds a share of another usage.
func add(a, b usage, of int) usage {
	n := float64(of)
	sum := func(x, y map[string]float64) map[string]float64 {
		out := map[string]float64{}
		maps.Copy(out, x)
		for name, value := range y {
			out[name] += value / n
		}
		return out
	}
	return usage{
		Messages: a.Messages + b.Messages, CRM: sum(a.CRM, b.CRM), waits: sum(a.waits, b.waits), SQS: a.SQS + b.SQS/n, Store: a.Store + b.Store/n,
		KMS: a.KMS + b.KMS/n, Secrets: a.Secrets + b.Secrets/n, WriteUnits: a.WriteUnits + b.WriteUnits/n, ReadUnits: a.ReadUnits + b.ReadUnits/n,
		LogBytes: a.LogBytes + b.LogBytes/n, StoredBytes: a.StoredBytes + b.StoredBytes/n, Webhooks: a.Webhooks + b.Webhooks/n,
		Invocations: a.Invocations + b.Invocations/n, GBSeconds: a.GBSeconds + b.GBSeconds/n,
	}
}
