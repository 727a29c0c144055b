// Command record-dead-letter records what arrives on the dead-letter queues.
package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"signalbox/functions/deadletter"
	"signalbox/shared/aws/awsclients"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/aws/lambdasqs"
	"signalbox/shared/aws/sqsqueue"
	"signalbox/shared/config"
	"signalbox/shared/queue"
	"signalbox/shared/telemetry"
)

// unhurried leaves what was not recorded to its queue's visibility time-out: this function serves several queues, an event
// does not say the URL of its own, and nobody waits for a dead letter.
type unhurried struct{}

// ChangeVisibility does nothing.
func (unhurried) ChangeVisibility(context.Context, ...sqsqueue.Wait) error { return nil }

func main() {
	env := config.New(os.LookupEnv)
	id := telemetry.IdentityFrom(env.Optional, "record-dead-letter")
	logger, meter := telemetry.NewLogger(os.Stdout, id), telemetry.NewMeter(os.Stdout, id)
	table := env.String("STATE_TABLE")
	worker := &queue.Worker{ // without dead letters of its own: what it cannot record stays where it is
		Stage: "dead-letters", Logger: logger, Meter: meter, Identity: id, Random: rand.Float64,
		BackoffMin: env.Seconds("BACKOFF_MIN_SECONDS", 2*time.Second), BackoffMax: env.Seconds("BACKOFF_MAX_SECONDS", 15*time.Minute),
		BlockedWait: env.Seconds("BLOCKED_WAIT_SECONDS", 15*time.Minute),
		MessageTime: env.Seconds("MESSAGE_SECONDS", 20*time.Second), SoftMargin: env.Seconds("SOFT_MARGIN_SECONDS", 3*time.Second),
	}
	clients, err := awsclients.Load(context.Background())
	if err == nil {
		err = env.Err()
	}
	if err != nil {
		logger.Error("cannot start", slog.String("reason", err.Error()))
		os.Exit(1)
	}
	worker.Handler = deadletter.NewRecorder(clients.Table(table), logger, meter)
	lambdainvoke.Start(lambdasqs.Handler(worker, unhurried{}, logger))
}
