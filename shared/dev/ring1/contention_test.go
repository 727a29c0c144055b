package ring1

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"signalbox/shared/aws/dynamostore"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/store/memstore"
)

// TestTwentyConnectorsParkBehindOneGateInDynamoDB has the database cancel every third transaction because another one holds a record, as it does where
// several write one at once: nothing is lost, what is counted is what is parked, and the drain delivers all of it in order.
func TestTwentyConnectorsParkBehindOneGateInDynamoDB(t *testing.T) {
	random, busy := &lottery{r: rand.New(rand.NewPCG(5, 9))}, false
	var mu sync.Mutex
	p := newPipeline(t, options{quiet: true, stateFault: func(c memstore.Call) memstore.Fault {
		mu.Lock()
		defer mu.Unlock()
		if !busy || c.Operation != memstore.Write || len(c.Keys) < 2 {
			return memstore.None
		}
		return []memstore.Fault{memstore.Throttled, memstore.None}[random.draw(1, 0.3, 1)]
	}})
	state := dynamostore.New(dynamodb.NewFromConfig(p.count().config), "state")
	p.adapter, p.route = p.newAdapter(p.provider, p.events), p.newRoute(p.state, p.events, p.deliver)
	const messages, threads = 200, 40
	sender := p.conversation(messages, threads)
	for routed := 0; routed < messages; {
		batch, err := p.events.Receive(t.Context(), memqueue.Request{Max: 10})
		if err != nil {
			t.Fatal(err)
		}
		p.work(t.Context(), p.events, p.route, batch)
		routed += len(batch)
	}
	p.outage.refuse(p.about.Refusals.Credential, 24*time.Hour)
	mu.Lock()
	busy = true
	mu.Unlock()
	var working sync.WaitGroup
	for range connectors {
		working.Go(func() {
			w := p.newConnect(state, &p.outage)
			for idle := 0; idle < 100; {
				batch, _ := p.deliver.Receive(t.Context(), memqueue.Request{Max: 10})
				if len(batch) == 0 {
					idle++
					time.Sleep(20 * time.Millisecond)
					continue
				}
				p.work(t.Context(), p.deliver, w, batch)
			}
		})
	}
	working.Wait()
	counted := 0
	for r := range p.state.All() {
		if strings.HasPrefix(r.Partition, "demo/gate/") {
			counted += int(r.Number)
		}
	}
	if there := len(p.parked("demo")); there != messages || counted != messages {
		t.Errorf("%d are parked, %d are counted, want %d", there, counted, messages)
	}
	p.outage.begin("", 0, "", 0)
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), functionTime)
		if _, err := p.newDrain(state, &p.outage).Ring(ctx, "demo", p.file.Tenant.CRMs[0].Name); err != nil {
			t.Log(err)
		}
		cancel()
		if p.gates() == 0 {
			break
		}
	}
	if p.gates() > 0 {
		t.Error("the gates stay closed")
	}
	p.check(messages, sender)
}
