// Command record-dead-letter records what arrives on the dead-letter queues.
package main

import (
	"context"

	"signalbox/functions/deadletter"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdasqs"
	"signalbox/shared/aws/sqsqueue"
)

// keepVisibility leaves what was not recorded to its queue's visibility time-out: this function serves several queues, an event
// does not say the URL of its own, and nobody waits for a dead letter.
type keepVisibility struct{}

// ChangeVisibility does nothing.
func (keepVisibility) ChangeVisibility(context.Context, ...sqsqueue.Wait) error { return nil }

func main() {
	f := function.Begin("record-dead-letter")
	worker := f.Worker("dead-letters") // without dead letters of its own: what it cannot record stays where it is
	worker.Handler = deadletter.NewRecorder(f.Table(f.String("STATE_TABLE")), f.Logger, f.Meter)
	f.Start(lambdasqs.Handler(worker, keepVisibility{}, f.Logger))
}
