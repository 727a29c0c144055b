// Command salesforce-simulate serves a simulated Salesforce org on 127.0.0.1:8091 or where -listen says.
package main

import (
	"errors"
	"log/slog"
	"os"

	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/config"
	"signalbox/shared/secret"
	"signalbox/shared/telemetry"
)

func main() {
	const name = "salesforce-simulate"
	logger := telemetry.NewLogger(os.Stderr, telemetry.Identity{Function: name})
	environment := config.New(os.LookupEnv)
	flags, err := simulatortest.ParseFlags(name, simulatortest.Flags{
		Listen: "127.0.0.1:8091",
		Token:  secret.Value(environment.Optional("SIMULATOR_TOKEN", "")),
		Limit:  environment.Int("SIMULATOR_LIMIT", 0),
	}, os.Args[1:])
	if err = errors.Join(environment.Err(), err); err == nil {
		org := simulator.New(simulator.Options{DailyLimit: flags.Limit, IndexLag: flags.IndexLag})
		err = simulatortest.Serve(logger, flags.Listen, org)
	}
	if err != nil {
		logger.Error("the simulator stopped", slog.String("error", err.Error()))
		os.Exit(1)
	}
}
