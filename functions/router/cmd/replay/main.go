// Command replay routes stored events again. It is invoked directly, by make redrive ACTION=replay.
package main

import (
	"signalbox/functions/router/cmd/wire"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/redrive"
)

func main() {
	f := function.Begin("replay")
	f.Start(lambdainvoke.Handler(wire.Replayer(f).Replay, redrive.Refuse))
}
