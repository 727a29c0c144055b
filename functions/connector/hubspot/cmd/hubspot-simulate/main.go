// Command hubspot-simulate serves a simulated HubSpot portal on 127.0.0.1:8092 or where -listen says. It lets in who has -token
// and, unless -limit says otherwise, 190 requests in ten seconds and five searches in a second.
package main

import (
	"net/http"

	"signalbox/functions/connector/cmd/simulate"
	"signalbox/functions/connector/hubspot/simulator"
)

func main() {
	defaults := simulate.Flags{Listen: "127.0.0.1:8092", Limit: simulator.BurstLimit}
	simulate.Main("hubspot-simulate", defaults, func(flags simulate.Flags) (http.Handler, error) {
		portal := simulator.Options{Token: flags.Token, IndexLag: flags.IndexLag, Burst: flags.Limit}
		if flags.Limit > 0 {
			portal.Searches = simulator.SearchLimit
		}
		return simulator.New(portal), nil
	})
}
