// Command salesforce-simulate serves a simulated Salesforce org on 127.0.0.1:8091 or where -listen says. It gives sessions for
// assertions signed with -token, the private key of a tenant's file, by the app and user that SIMULATOR_SETTINGS names. Unless
// -limit says otherwise it takes a million requests in 24 hours; like an org, it refuses more than 25 long ones at once.
package main

import (
	"net/http"
	"time"

	"signalbox/functions/connector/cmd/simulate"
	"signalbox/functions/connector/salesforce/simulator"
)

func main() {
	defaults := simulate.Flags{Listen: "127.0.0.1:8091", Limit: simulator.UnlimitedLimit}
	simulate.Main("salesforce-simulate", defaults, func(flags simulate.Flags) (http.Handler, error) {
		app, err := simulator.NewApp(string(flags.Token), flags.Settings)
		org := simulator.Options{Apps: []simulator.App{app}, SessionLife: 2 * time.Hour, DailyLimit: flags.Limit, IndexLag: flags.IndexLag}
		if flags.Limit > 0 {
			org.Concurrent = simulator.LongRequests
		}
		s := simulator.New(org)
		s.AddFlow("Help_Asked", "recordId", "channel") // which the demo tenant's rules start
		return s, err
	})
}
