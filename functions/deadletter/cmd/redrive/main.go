// Command redrive puts dead letters back on the queues they came from. It is invoked directly, by make redrive.
package main

import (
	"signalbox/functions/deadletter"
	"signalbox/shared/aws/function"
	"signalbox/shared/aws/lambdainvoke"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/tenant"
)

func main() {
	f := function.Begin("redrive")
	queues := map[string]queue.Publisher{"route": f.Queue(f.String("EVENTS_QUEUE_URL")), "route-receipts": f.Queue(f.String("RECEIPTS_QUEUE_URL")), "media": f.Queue(f.String("MEDIA_QUEUE_URL"))}
	deliveries, receipts := f.String("DELIVER_QUEUE_PREFIX"), f.String("RECEIPTS_QUEUE_PREFIX")
	for _, kind := range f.List("CRMS") {
		queues["deliver-"+kind], queues["receipts-"+kind] = f.Queue(deliveries+kind+".fifo"), f.Queue(receipts+kind)
	}
	bindings := tenant.NewBindings(f.Table(f.String("CONFIG_TABLE")))
	redriver := deadletter.NewRedriver(f.Table(f.String("STATE_TABLE")), bindings, queues, f.Margin(), f.Logger, f.Meter)
	f.Start(lambdainvoke.Handler(redriver.Redrive, redrive.Refuse))
}
