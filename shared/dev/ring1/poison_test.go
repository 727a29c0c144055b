package ring1

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/store"
)

// deadly is the state table of a router that dies over one event.
type deadly struct {
	mortal
	poison store.Key
}

func (d deadly) WriteEach(ctx context.Context, changes ...store.Change) []store.Outcome {
	if slices.ContainsFunc(changes, func(c store.Change) bool { return c.Key == d.poison }) {
		d.v.mu.Lock()
		d.v.dead = true
		d.v.mu.Unlock()
		runtime.Goexit()
	}
	return d.mortal.WriteEach(ctx, changes...)
}

// TestARouterThatDiesOverOneMessageGivesUpNoOther: ten threads are received together, and one of them kills whoever routes it.
func TestARouterThatDiesOverOneMessageGivesUpNoOther(t *testing.T) {
	for _, poison := range []int{0, 4, 9} {
		synctest.Test(t, func(t *testing.T) {
			p := newPipeline(t, options{concurrency: 1})
			ctx, stop := context.WithCancel(context.Background())
			p.stop = stop
			defer p.halt()
			for n := range 10 {
				p.send(message{number: number(n), from: fmt.Sprintf("+1555201%04d", n), text: "hello"})
			}
			key := router.Key("demo", p.event(poison))
			p.pollMortal(ctx, p.events, func() *victim {
				v := &victim{choose: func([]string) (death, time.Duration) { return none, 0 }}
				v.worker = p.newRoute(deadly{mortal{p.state, v}, key}, publisher{p.events, v}, publisher{p.deliver, v})
				return v
			})
			p.poll(ctx, p.deliver, p.connect)
			p.poll(ctx, p.eventsDead, p.record)
			began := time.Now()
			p.settled(time.Hour)
			if dead := p.dead(); len(dead) != 1 {
				t.Errorf("poison %d: %d dead letters: %v", poison, len(dead), dead)
			}
			if held := len(p.messages()); held != 9 {
				t.Errorf("poison %d: %d of the other nine messages are in the CRM", poison, held)
			}
			if took := time.Since(began); took > 6*visibility {
				t.Errorf("it took %s", took)
			}
		})
	}
}
