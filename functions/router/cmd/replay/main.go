// Command replay routes stored events again. It is invoked directly, by make redrive ACTION=replay.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/aws/awsclients"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/config"
	"signalbox/shared/redrive"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

func main() {
	env := config.New(os.LookupEnv)
	id := telemetry.IdentityFrom(env.Optional, "replay")
	logger, meter := telemetry.NewLogger(os.Stdout, id), telemetry.NewMeter(os.Stdout, id)
	table, events := env.String("STATE_TABLE"), env.String("EVENTS_QUEUE_URL")
	dataKey, configTable, personKeys := env.String("DATA_KEY"), env.String("CONFIG_TABLE"), env.String("PERSON_KEYS_TABLE")
	margin := env.Seconds("SOFT_MARGIN_SECONDS", 3*time.Second)
	clients, err := awsclients.Load(context.Background())
	if err := errors.Join(err, env.Err()); err != nil {
		logger.Error("cannot start", slog.String("reason", err.Error()))
		os.Exit(1)
	}
	ring := clients.Ring(dataKey, configTable, personKeys)
	replayer := router.NewReplayer(ring, clients.Table(table), tenant.NewBindings(clients.Table(configTable)), clients.Queue(events), margin, logger, meter)
	lambdainvoke.StartAsked(replayer.Replay, redrive.Refuse)
}
