// Command dynamics-simulate serves a simulated Dataverse environment, and the directory that gives tokens for it, on 127.0.0.1:8093 or where
// -listen says. It gives tokens to the app whose secret is -token, by the directory and client id that SIMULATOR_SETTINGS names. Unless
// -limit says otherwise it takes as many requests in five minutes as Dataverse does.
package main

import (
	"net/http"

	"signalbox/functions/connector/cmd/simulate"
	"signalbox/functions/connector/dynamics/simulator"
)

func main() {
	defaults := simulate.Flags{Listen: "127.0.0.1:8093", Limit: simulator.BurstLimit}
	simulate.Main("dynamics-simulate", defaults, func(flags simulate.Flags) (http.Handler, error) {
		app, err := simulator.NewApp(string(flags.Token), flags.Settings)
		environment := simulator.Options{Apps: []simulator.App{app}, Burst: flags.Limit}
		if flags.Limit > 0 {
			environment.Concurrent = simulator.ConcurrentLimit
		}
		return simulator.New(environment), err
	})
}
