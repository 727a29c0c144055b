// Command hubspot-simulate serves a simulated HubSpot portal on 127.0.0.1:8092 or where -listen says. It lets in who has -token
// and, unless -limit says otherwise, 190 requests in ten seconds and five searches in a second.
package main

import (
	"errors"
	"log/slog"
	"os"

	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/config"
	"signalbox/shared/secret"
	"signalbox/shared/telemetry"
)

func main() {
	const name = "hubspot-simulate"
	logger := telemetry.NewLogger(os.Stderr, telemetry.Identity{Function: name})
	environment := config.New(os.LookupEnv)
	flags, err := simulatortest.ParseFlags(name, simulatortest.Flags{
		Listen: "127.0.0.1:8092",
		Token:  secret.Value(environment.Optional("SIMULATOR_TOKEN", "")),
		Limit:  environment.Int("SIMULATOR_LIMIT", simulator.BurstLimit),
	}, os.Args[1:])
	if err = errors.Join(environment.Err(), err); err == nil {
		portal := simulator.Options{Token: flags.Token, IndexLag: flags.IndexLag, Burst: flags.Limit}
		if flags.Limit > 0 {
			portal.Searches = simulator.SearchLimit
		}
		err = simulatortest.Serve(logger, flags.Listen, simulator.New(portal))
	}
	if err != nil {
		logger.Error("the simulator stopped", slog.String("error", err.Error()))
		os.Exit(1)
	}
}
