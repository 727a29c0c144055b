package ring1

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/dev/samples"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/store/memstore"
)

// run makes a pipeline, runs it in virtual time, and stops it.
func run(t *testing.T, o options, f func(t *testing.T, p *pipeline)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPipeline(t, o)
		p.start()
		defer p.halt()
		f(t, p)
	})
}

func TestOneSignedWebhookBecomesOnePersonAndOneMessageInEveryCRM(t *testing.T) {
	demo, err := samples.ReadTenant(filepath.Join(root, samples.DemoTenant))
	if err != nil {
		t.Fatal(err)
	}
	for _, crm := range demo.Tenant.CRMs {
		t.Run(crm.Kind, func(t *testing.T) { oneWebhook(t, crm.Kind) })
	}
}

func oneWebhook(t *testing.T, crm string) {
	run(t, options{crm: crm}, func(t *testing.T, p *pipeline) {
		if status := p.send(message{number: number(0), from: "+15552010001", text: "Do you deliver on Saturdays?"}); status != http.StatusOK {
			t.Fatalf("the webhook was answered %d\n%s", status, p.logs.text())
		}
		p.settled(time.Minute)
		p.check(1, func(int) string { return "a" })
		if text := p.messages()[0].Properties[p.about.Text]; !strings.Contains(text, "Do you deliver on Saturdays?") {
			t.Errorf("the record's text is %q", text)
		}
		if person := p.people()[0]; !has(person, "+15552010001") {
			t.Errorf("the person is %v", person.Properties)
		}
	})
}

func TestAWebhookThatComesAgainHasNoSecondEffect(t *testing.T) {
	t.Parallel()
	again := map[string]func(send func()){
		"at once": func(send func()) { send() },
		"twenty times in parallel": func(send func()) {
			var all sync.WaitGroup
			for range 20 {
				all.Go(send)
			}
			all.Wait()
		},
		"after ten minutes": func(send func()) { time.Sleep(10 * time.Minute); send() },
		"after a day":       func(send func()) { time.Sleep(24 * time.Hour); send() },
		"after thirty days": func(send func()) { time.Sleep(30 * 24 * time.Hour); send() },
	}
	for name, repeat := range again {
		t.Run(name, func(t *testing.T) {
			run(t, options{}, func(t *testing.T, p *pipeline) {
				send := func() {
					if status := p.send(message{number: number(0), from: "+15552010001", text: "hello"}); status != http.StatusOK {
						t.Errorf("answered %d", status)
					}
				}
				send()
				repeat(send)
				p.settled(time.Hour)
				p.check(1, func(int) string { return "a" })
			})
		})
	}
}

// conversation sends count messages of several people in turn, each as soon as the one before was answered.
func (p *pipeline) conversation(count, people int) func(n int) string {
	sender := func(n int) string { return fmt.Sprintf("+1555201%04d", n%people) }
	for n := range count {
		if status := p.send(message{number: number(n), from: sender(n), text: fmt.Sprintf("message %d", n)}); status != http.StatusOK {
			p.t.Errorf("message %d was answered %d", n, status)
		}
		time.Sleep(5 * time.Millisecond) // nobody types faster, and clocks that stood still would hide who was first
	}
	return sender
}

func TestOrderAndOnceWhateverTheCRMDoes(t *testing.T) {
	t.Parallel()
	moods := map[string]func(p *pipeline){
		"it is well": func(*pipeline) {},
		"every request of the first minute fails": func(p *pipeline) {
			p.outage.begin(p.api, http.StatusBadGateway, "", time.Minute)
		},
		"it commits and does not answer, again and again": func(p *pipeline) {
			p.spoil(simulatortest.Fault{Match: p.api, CommitThenTimeout: true, Count: 12})
		},
		"it throttles": func(p *pipeline) {
			throttled := p.about.Refusals.Limit
			throttled.Count = 15
			p.spoil(throttled)
		},
		"it locks records": func(p *pipeline) {
			p.spoil(simulatortest.Fault{Match: p.api, Status: http.StatusLocked, Count: 15})
		},
		"it is down for four hours": func(p *pipeline) {
			p.outage.begin(p.api, http.StatusServiceUnavailable, "", 4*time.Hour)
		},
		"it refuses the token for a day": func(p *pipeline) {
			p.outage.refuse(p.about.Refusals.Credential, 25*time.Hour)
		},
	}
	for name, spoil := range moods {
		t.Run(name, func(t *testing.T) {
			run(t, options{}, func(t *testing.T, p *pipeline) {
				spoil(p)
				sender := p.conversation(40, 5)
				p.settled(72 * time.Hour)
				p.check(40, sender)
			})
		})
	}
}

// loseCalls has calls of queues fail.
func (p *pipeline) loseCalls(random *lottery) {
	lost := errors.New("lost")
	for _, q := range []*memqueue.Queue{p.events, p.deliver} {
		q.Inject(func(memqueue.Call) memqueue.Fault {
			return []memqueue.Fault{{Before: lost}, {After: lost}, {}}[random.draw(3, 0.12, 2)]
		})
	}
}

// TestEveryCallMayFail fails calls of stores and queues at random, before and after their effect, with many seeds.
func TestEveryCallMayFail(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			random := &lottery{r: rand.New(rand.NewPCG(seed, 7))}
			run(t, options{stateFault: func(memstore.Call) memstore.Fault {
				return []memstore.Fault{memstore.Throttled, memstore.Before, memstore.After, memstore.Partial, memstore.None}[random.draw(5, 0.12, 4)]
			}}, func(t *testing.T, p *pipeline) {
				p.loseCalls(random)
				sender := p.conversation(30, 4)
				// What the spool took arrives later than what came behind it; of that the design makes no promise of order.
				p.drainUntilEmpty()
				p.settled(72 * time.Hour)
				p.checkOnce(30, sender)
			})
		})
	}
}

// lottery draws the index of a fault with a probability, and the index of no fault otherwise.
type lottery struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (l *lottery) draw(n int, probability float64, none int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.r.Float64() > probability {
		return none
	}
	return l.r.IntN(n)
}

// checkOnce is check without the order.
func (p *pipeline) checkOnce(count int, sender func(int) string) {
	p.t.Helper()
	people := map[string]bool{}
	for n := range count {
		people[sender(n)] = true
	}
	seen := map[string]int{}
	for _, c := range p.messages() {
		seen[c.Properties[p.about.Key]]++
	}
	for n := range count {
		if seen[p.key(n)] != 1 {
			p.t.Errorf("message %d is in the CRM %d times", n, seen[p.key(n)])
		}
	}
	if got := len(p.people()); got != len(people) {
		p.t.Errorf("%d people became %d contacts", len(people), got)
	}
	if dead := p.dead(); len(dead) > 0 {
		p.t.Errorf("dead letters: %v", dead)
	}
}

func TestOneTenantsTroubleIsItsOwn(t *testing.T) {
	run(t, options{}, func(t *testing.T, p *pipeline) {
		second := p.secondTenant()
		refused := p.about.Refusals.Credential
		refused.Match = secondHost
		p.outage.refuse(refused, 24*time.Hour)
		for n := range 60 {
			p.send(message{to: second, number: number(1000 + n), from: fmt.Sprintf("+1555301%04d", n), text: "hello"})
		}
		time.Sleep(time.Minute)
		began := time.Now()
		sender := p.conversation(10, 10)
		for len(p.messages()) < 10 && time.Since(began) < time.Minute {
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("messages of the healthy tenant took %v", took)
		}
		p.check(10, sender)
	})
}
