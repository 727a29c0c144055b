// Command redrive puts dead letters back on the queues they came from. It is invoked directly, by make redrive.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"time"

	"signalbox/functions/deadletter"
	"signalbox/shared/aws/awsclients"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/config"
	"signalbox/shared/queue"
	"signalbox/shared/telemetry"
)

func main() {
	env := config.New(os.LookupEnv)
	id := telemetry.IdentityFrom(env.Optional, "redrive")
	logger, meter := telemetry.NewLogger(os.Stdout, id), telemetry.NewMeter(os.Stdout, id)
	table, events, prefix := env.String("STATE_TABLE"), env.String("EVENTS_QUEUE_URL"), env.String("DELIVER_QUEUE_PREFIX")
	receipts, receiptsPrefix := env.String("RECEIPTS_QUEUE_URL"), env.String("RECEIPTS_QUEUE_PREFIX")
	margin := env.Seconds("SOFT_MARGIN_SECONDS", 3*time.Second)
	clients, err := awsclients.Load(context.Background())
	if err := errors.Join(err, env.Err()); err != nil {
		logger.Error("cannot start", slog.String("reason", err.Error()))
		os.Exit(1)
	}
	queues := func(stage string) queue.Publisher {
		if kind, ok := strings.CutPrefix(stage, "deliver-"); ok {
			return clients.Queue(prefix + kind + ".fifo")
		}
		if kind, ok := strings.CutPrefix(stage, "receipts-"); ok {
			return clients.Queue(receiptsPrefix + kind)
		}
		return clients.Queue(map[string]string{"route": events, "route-receipts": receipts}[stage])
	}
	redriver := deadletter.NewRedriver(clients.Table(table), deadletter.QueuesFunc(queues), margin, logger, meter)
	lambdainvoke.Start(redriver.Redrive)
}
