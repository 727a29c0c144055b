package ring1

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/dev/samples"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// checkDay fails unless the portal holds one record of each person's messages, of one day, with all of them in their order, and nothing was
// given up. The sender of message n is sender(n), its text "message n".
func (p *pipeline) checkDay(count int, sender func(n int) string) {
	p.t.Helper()
	if dead := p.dead(); len(dead) > 0 {
		p.t.Errorf("dead letters: %v\n%s", dead, p.logs.text())
	}
	want := map[string][]int{}
	for n := range count {
		want[sender(n)] = append(want[sender(n)], n)
	}
	numbered, got := regexp.MustCompile(`message ([0-9]+)`), map[string][]int{}
	for _, record := range p.activities() {
		body := slices.MaxFunc(slices.Collect(maps.Values(record.Properties)), func(a, b string) int { return len(a) - len(b) })
		var numbers []int
		for _, match := range numbered.FindAllStringSubmatch(body, -1) {
			n, _ := strconv.Atoi(match[1])
			numbers = append(numbers, n)
		}
		if len(numbers) == 0 {
			continue
		}
		if got[sender(numbers[0])] != nil {
			p.t.Errorf("a second record of one person: %v", numbers)
		}
		got[sender(numbers[0])] = numbers
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Errorf("-sent +shown: %s", diff)
	}
	for _, object := range p.about.People {
		if held := len(p.held(object)); held != len(want) {
			p.t.Errorf("%d people became %d %s", len(want), held, object)
		}
	}
}

// activities returns the records of all objects but people.
func (p *pipeline) activities() (all []simulatortest.Record) {
	for _, object := range p.about.Objects {
		if !slices.Contains(p.about.People, object) {
			all = append(all, p.held(object)...)
		}
	}
	return all
}

// kinds returns the kinds of CRM of the demo tenant.
func kinds(t *testing.T) []string {
	t.Helper()
	demo, err := samples.ReadTenant(filepath.Join(root, samples.DemoTenant))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, crm := range demo.Tenant.CRMs {
		all = append(all, crm.Kind)
	}
	return all
}

// TestProcessesMayDieAtAnyCallOfADay is TestProcessesMayDieAtAnyCall where a day is one activity.
func TestProcessesMayDieAtAnyCallOfADay(t *testing.T) {
	t.Parallel()
	seeds := uint64(24)
	if testing.Short() {
		seeds = 6
	}
	total, crms := 0, kinds(t)
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipeline(t, options{concurrency: 1 + int(seed%4), quiet: true, crm: crms[seed/6%uint64(len(crms))], timeline: &tenant.TimelineContent{Granularity: tenant.ByDay}})
				r := &reaper{random: rand.New(rand.NewPCG(seed, 13)), kills: map[string]int{}, late: seed%2 == 1, slots: seed%3 > 0}
				p.startMortal(r)
				defer p.halt()
				sender := p.conversation(30, 1+int(seed%7))
				p.settled(48 * time.Hour)
				time.Sleep(time.Hour) // what was sent by the dead has arrived
				p.checkDay(30, sender)
				total += r.total
			})
		})
	}
	if total < int(seeds) {
		t.Errorf("only %d processes died", total)
	}
}

// TestEveryCallOfADayMayFail is TestEveryCallMayFail where a day is one activity.
func TestEveryCallOfADayMayFail(t *testing.T) {
	t.Parallel()
	crms := kinds(t)
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			random := &lottery{r: rand.New(rand.NewPCG(seed, 17))}
			run(t, options{crm: crms[seed%uint64(len(crms))], timeline: &tenant.TimelineContent{Granularity: tenant.ByDay}, stateFault: func(memstore.Call) memstore.Fault {
				return []memstore.Fault{memstore.Throttled, memstore.Before, memstore.After, memstore.Partial, memstore.None}[random.draw(5, 0.12, 4)]
			}}, func(t *testing.T, p *pipeline) {
				p.loseCalls(random)
				sender := p.conversation(30, 4)
				p.drainUntilEmpty()
				p.settled(72 * time.Hour)
				p.checkDay(30, sender)
			})
		})
	}
}
