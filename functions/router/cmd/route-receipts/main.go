// Command route-receipts takes receipts from the receipts queue, keeps how far each message got, and sends an update to the
// receipts queue of each CRM.
package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/aws/awsclients"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/aws/lambdasqs"
	"signalbox/shared/config"
	"signalbox/shared/envelope"
	"signalbox/shared/queue"
	"signalbox/shared/rules"
	"signalbox/shared/seal"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

func main() {
	env := config.New(os.LookupEnv)
	id := telemetry.IdentityFrom(env.Optional, "route-receipts")
	logger, meter := telemetry.NewLogger(os.Stdout, id), telemetry.NewMeter(os.Stdout, id)
	configTable, stateTable, prefix := env.String("CONFIG_TABLE"), env.String("STATE_TABLE"), env.String("RECEIPTS_QUEUE_PREFIX")
	own, deadLetters, crms := env.String("QUEUE_URL"), env.String("DEAD_LETTERS_URL"), env.List("CRMS")
	worker := &queue.Worker{
		Stage: "route-receipts", Unordered: true, Logger: logger, Meter: meter, Identity: id, Random: rand.Float64,
		Patience: env.Seconds("PATIENCE_SECONDS", 24*time.Hour), BlockedWait: env.Seconds("BLOCKED_WAIT_SECONDS", 15*time.Minute),
		BackoffMin: env.Seconds("BACKOFF_MIN_SECONDS", 2*time.Second), BackoffMax: env.Seconds("BACKOFF_MAX_SECONDS", 15*time.Minute),
		MessageTime: env.Seconds("MESSAGE_SECONDS", 20*time.Second), SoftMargin: env.Seconds("SOFT_MARGIN_SECONDS", 3*time.Second),
	}
	clients, err := awsclients.Load(context.Background())
	if err := errors.Join(err, env.Err()); err != nil {
		logger.Error("cannot start", slog.String("reason", err.Error()))
		os.Exit(1)
	}
	worker.DeadLetters = clients.Queue(deadLetters)
	outbox := router.Outbox{
		Deliveries: map[string]queue.Publisher{}, DeadLetters: worker.DeadLetters, Version: id.Version, Logger: logger, Meter: meter,
	}
	for _, kind := range crms {
		outbox.Deliveries[kind] = clients.Queue(prefix + kind)
	}
	ring := clients.Ring("", configTable, "")
	worker.Handler = &envelope.Opening{Opener: ring, Logger: logger, Meter: meter, Handler: router.NewReceipts(router.ReceiptParts{
		Store:   clients.Table(stateTable),
		Tenants: tenant.NewDirectory(clients.Table(configTable), seal.New(clients.Keys(""), nil), logger, meter),
		Engine:  rules.Ordered{}, Outbox: outbox,
	})}
	lambdainvoke.Start(lambdasqs.Handler(worker, clients.Queue(own), logger))
}
