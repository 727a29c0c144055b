// Command spool-drain sends what adapters spooled while the events queue could not be reached. A schedule starts it.
package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/aws/awsclients"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/config"
	"signalbox/shared/telemetry"
)

// event is what the schedule sends; nothing of it is needed.
type event struct{}

func main() {
	env := config.New(os.LookupEnv)
	id := telemetry.IdentityFrom(env.Optional, "spool-drain")
	logger, meter := telemetry.NewLogger(os.Stdout, id), telemetry.NewMeter(os.Stdout, id)
	table, events, receipts := env.String("SPOOL_TABLE"), env.String("EVENTS_QUEUE_URL"), env.String("RECEIPTS_QUEUE_URL")
	margin := env.Seconds("SOFT_MARGIN_SECONDS", 3*time.Second)
	clients, err := awsclients.Load(context.Background())
	if err == nil {
		err = env.Err()
	}
	if err != nil {
		logger.Error("cannot start", slog.String("reason", err.Error()))
		os.Exit(1)
	}
	drain := adapter.Drain{
		Records: clients.Table(table), Events: clients.Queue(events), Receipts: clients.Queue(receipts),
		Margin: margin, Logger: logger, Meter: meter,
	}
	lambdainvoke.Start(func(ctx context.Context, _ event) (event, error) { return event{}, drain.Run(ctx) })
}
