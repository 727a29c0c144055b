// Command outreach-reparse parses dead letters of the outreach API again, from the bytes that were received. It is invoked directly, by make redrive, and by a schedule.
package main

import (
	"context"
	"log/slog"
	"os"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/outreach"
	"signalbox/shared/aws/awsclients"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/config"
	"signalbox/shared/redrive"
	"signalbox/shared/seal"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

func main() {
	env := config.New(os.LookupEnv)
	id := telemetry.IdentityFrom(env.Optional, "outreach-reparse")
	logger, meter := telemetry.NewLogger(os.Stdout, id), telemetry.NewMeter(os.Stdout, id)
	configTable, stateTable, spoolTable := env.String("CONFIG_TABLE"), env.String("STATE_TABLE"), env.String("SPOOL_TABLE")
	events, pepper, dataKey := env.String("EVENTS_QUEUE_URL"), env.String("PEPPER_SECRET"), env.String("DATA_KEY")
	clients, err := awsclients.Load(context.Background())
	if err == nil {
		err = env.Err()
	}
	if err != nil {
		logger.Error("cannot start", slog.String("reason", err.Error()))
		os.Exit(1)
	}
	spoolRecords := clients.Table(spoolTable)
	spool, ring := adapter.NewSpool(spoolRecords), clients.Ring(dataKey, configTable, "")
	state := clients.Table(stateTable)
	parse := adapter.New(ring, adapter.Parts{
		Channel:     &outreach.Channel{},
		Directory:   tenant.NewDirectory(clients.Table(configTable), seal.New(clients.Keys(""), nil), logger, meter),
		Peppers:     tenant.NewPeppers(clients.Secrets(), pepper),
		Sinks:       adapter.Sinks(clients.Queue(events), spool),
		DeadLetters: adapter.NewDeadLetters(ring, spoolRecords, state, id.Version),
		Logger:      logger, Meter: meter,
	})
	lambdainvoke.StartAsked(adapter.NewReparser(parse, state, spoolRecords).Reparse, redrive.Refuse)
}
