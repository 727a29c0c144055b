package connector_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/idempotency"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
)

type idle struct{}

func (idle) Next(_ delivery.Delivery, done connector.Progress) (step, bool, error) {
	return step{Name: "a", Last: true}, len(done) == 0, nil
}

func (idle) Do(_ context.Context, steps []step) []outcome { return make([]outcome, len(steps)) }

func BenchmarkHandle(b *testing.B) {
	for _, size := range []int{1, 10} {
		b.Run(fmt.Sprint("batch of ", size), func(b *testing.B) {
			id, out := telemetry.Identity{}, &bytes.Buffer{}
			s := memstore.New()
			c := connector.New(idle{}, connector.Options{
				Claims: idempotency.New(s, 35*time.Second), Store: s, Width: 1, Attempt: time.Second,
				Logger: telemetry.NewLogger(out, id), Meter: telemetry.NewMeter(out, id),
			})
			n := 0
			for b.Loop() {
				b.StopTimer()
				var ds []delivery.Delivery
				for range size {
					n++
					ds = append(ds, deliveryOf(fmt.Sprint(n)))
				}
				batch := heads(ds...)
				out.Reset()
				b.StartTimer()
				c.Handle(b.Context(), batch)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "us/message")
		})
	}
}
