// Command salesforce-simulate serves a simulated Salesforce org on 127.0.0.1:8091 or where -listen says. It gives sessions for
// assertions signed with -token, the private key of a tenant's file, by the app and user that SIMULATOR_SETTINGS names. Unless
// -limit says otherwise it takes a million requests in 24 hours; like an org, it refuses more than 25 long ones at once.
package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"time"

	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/config"
	"signalbox/shared/secret"
	"signalbox/shared/telemetry"
)

func main() {
	const name = "salesforce-simulate"
	logger := telemetry.NewLogger(os.Stderr, telemetry.Identity{Function: name})
	if err := serve(name, logger); err != nil {
		logger.Error("the simulator stopped", slog.String("error", err.Error()))
		os.Exit(1)
	}
}

func serve(name string, logger *slog.Logger) error {
	environment := config.New(os.LookupEnv)
	settings := environment.Optional("SIMULATOR_SETTINGS", "")
	flags, err := simulatortest.ParseFlags(name, simulatortest.Flags{
		Listen: "127.0.0.1:8091",
		Token:  secret.Value(environment.Optional("SIMULATOR_TOKEN", "")),
		Limit:  environment.Int("SIMULATOR_LIMIT", simulator.UnlimitedLimit),
	}, os.Args[1:])
	if err = errors.Join(environment.Err(), err); err != nil {
		return err
	}
	app, err := simulator.NewApp(string(flags.Token), json.RawMessage(settings))
	if err != nil {
		return err
	}
	org := simulator.Options{Apps: []simulator.App{app}, SessionLife: 2 * time.Hour, DailyLimit: flags.Limit, IndexLag: flags.IndexLag}
	if flags.Limit > 0 {
		org.Concurrent = simulator.LongRequests
	}
	return simulatortest.Serve(logger, flags.Listen, simulator.New(org))
}
