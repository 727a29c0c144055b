// Command connector-health tells operators how the connectors are: GET /v1/connectors/{crm}/health and /v1/connectors/{crm}/metrics.
package main

import (
	"signalbox/functions/connector/cmd/wire"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdahttp"
)

func main() {
	f := function.Begin("connector-health")
	f.Start(lambdahttp.Handler(wire.Health(f).Serve))
}
