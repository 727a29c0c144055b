// Command redrive puts dead letters back on the queues they came from. It is invoked directly, by make redrive.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"signalbox/functions/deadletter"
	"signalbox/shared/aws/awsclients"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/config"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

func main() {
	env := config.New(os.LookupEnv)
	id := telemetry.IdentityFrom(env.Optional, "redrive")
	logger, meter := telemetry.NewLogger(os.Stdout, id), telemetry.NewMeter(os.Stdout, id)
	table, events, prefix := env.String("STATE_TABLE"), env.String("EVENTS_QUEUE_URL"), env.String("DELIVER_QUEUE_PREFIX")
	receipts, receiptsPrefix := env.String("RECEIPTS_QUEUE_URL"), env.String("RECEIPTS_QUEUE_PREFIX")
	configTable, crms := env.String("CONFIG_TABLE"), env.List("CRMS")
	margin := env.Seconds("SOFT_MARGIN_SECONDS", 3*time.Second)
	clients, err := awsclients.Load(context.Background())
	if err := errors.Join(err, env.Err()); err != nil {
		logger.Error("cannot start", slog.String("reason", err.Error()))
		os.Exit(1)
	}
	queues := map[string]queue.Publisher{"route": clients.Queue(events), "route-receipts": clients.Queue(receipts)}
	for _, kind := range crms {
		queues["deliver-"+kind], queues["receipts-"+kind] = clients.Queue(prefix+kind+".fifo"), clients.Queue(receiptsPrefix+kind)
	}
	bindings := tenant.NewBindings(clients.Table(configTable))
	redriver := deadletter.NewRedriver(clients.Table(table), bindings, queues, margin, logger, meter)
	lambdainvoke.StartAsked(redriver.Redrive, redrive.Refuse)
}
