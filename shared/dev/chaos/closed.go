package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/store"
)

// neighbour is the tenant beside the demo tenant: what is wrong with the CRMs of one is to be nothing to the other.
const neighbour = "neighbour"

// neighbours are people who write to that tenant, behind all others.
const (
	neighbours    = 24
	firstOfBeside = teacher + 1000
)

// Trouble is a time in which a tenant's CRM takes nothing.
type Trouble struct {
	At     time.Duration `json:"at"`
	For    time.Duration `json:"for"`
	Tenant string        `json:"tenant"`
	CRM    string        `json:"crm"`
	What   string        `json:"what"` // unanswered, down or hangs, or one of the CRM's refusals
}

// What a CRM does that does not answer. What it does that refuses is told by its simulator.
const (
	unanswered = "unanswered" // connections end without an answer
	down       = "down"       // answers with 503
	hangs      = "hangs"      // answers later than anybody waits
)

// Refusals that are told apart: one is about one message, and closes no gate; one asks for a moment.
const (
	ofMessage = "data"
	ofMoment  = "limit"
)

// between is how long it is from the troubles of one tenant to those of the other.
const between = 5 * time.Second

// troubles are of all CRMs of one tenant at a time, of each CRM in another way, and of one tenant after the other. A tenant and CRM has each
// once before one comes again.
func (p *Plan) troubles(random *rand.Rand, size Size, kinds map[string][]string) {
	turn := map[string][]int{}
	for n, at := 0, time.Second; at+between < size.Duration; n, at = n+1, at+between {
		tenant := []string{"demo", neighbour}[n%2]
		for _, crm := range slices.Sorted(maps.Keys(kinds)) {
			of := tenant + " " + crm
			if len(turn[of]) == 0 {
				turn[of] = random.Perm(len(kinds[crm]))
			}
			p.Troubles = append(p.Troubles, Trouble{
				At: at + time.Duration(random.Int64N(int64(time.Second))), For: time.Second + time.Duration(random.Int64N(int64(time.Second))),
				Tenant: tenant, CRM: crm, What: kinds[crm][turn[of][0]],
			})
			turn[of] = turn[of][1:]
		}
	}
}

// kindsOf returns what may be wrong with a CRM.
func kindsOf(about samples.Simulator) []string {
	all := []string{unanswered, down, hangs}
	for name, f := range about.Refusals {
		if _, refuses := f["status"]; refuses && name != ofMessage {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// fault returns what a simulator is to do meanwhile.
func (t Trouble) fault(about samples.Simulator) samples.Fault {
	of := samples.Fault{"match": about.Failures[0]["match"]}
	switch t.What {
	case unanswered:
		of["hangUp"] = true
	case down:
		of["status"] = 503
	case hangs:
		of["delayMs"] = time.Minute.Milliseconds()
	case ofMoment:
		of = maps.Clone(about.Refusals[t.What])
		of["headers"] = map[string]string{"Retry-After": "2"} // the CRMs' own waits are not divided
	default:
		of = about.Refusals[t.What]
	}
	return of
}

// mendedByHand reports whether somebody has to do something about it, who then has the gates opened. The others open by themselves.
func (t Trouble) mendedByHand() bool {
	return t.What != unanswered && t.What != down && t.What != hangs
}

// closings carries out troubles and keeps account of them.
type closings struct {
	cloud *local.Cloud
	crms  map[string]map[string]samples.Simulator // by tenant

	opening sync.WaitGroup // of gates
	mu      sync.Mutex
	spans   []span
}

// span is a trouble from its beginning until its gates are open.
type span struct {
	Trouble
	began, mended, over time.Time
}

// carry carries out the troubles of a plan. Gates may still be closed when it returns, and open until ctx is done.
func (c *closings) carry(ctx, opening context.Context, plan []Trouble) error {
	start := time.Now()
	var all sync.WaitGroup
	errs := make([]error, len(plan))
	for i, t := range plan {
		all.Go(func() {
			if !sleep(ctx, time.Until(start.Add(t.At))) {
				return
			}
			errs[i] = c.carryOne(ctx, opening, t)
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (c *closings) carryOne(ctx, opening context.Context, t Trouble) error {
	about := c.crms[t.Tenant][t.CRM]
	s := span{Trouble: t, began: time.Now()}
	if err := samples.Spoil(ctx, about.URL, t.fault(about), -1); err != nil {
		return err
	}
	sleep(ctx, t.For)
	if err := samples.Mend(context.WithoutCancel(ctx), about.URL); err != nil {
		return err
	}
	s.mended = time.Now()
	c.opening.Go(func() {
		s.over = c.awaitOpen(opening, t)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.spans = append(c.spans, s)
	})
	return nil
}

// awaitOpen waits until no gate of a tenant's CRM is closed, and returns when that is. Where somebody had to mend it, that one has it drained at once.
func (c *closings) awaitOpen(ctx context.Context, t Trouble) time.Time {
	request := fmt.Appendf(nil, `{"action":"drain","tenant":%q,"crm":%q}`, t.Tenant, t.CRM)
	var rung time.Time
	for c.closed(ctx, t.CRM, t.Tenant+"/") > 0 {
		if t.mendedByHand() && time.Since(rung) > time.Second {
			rung = time.Now()
			_, _, _ = c.cloud.Invoke(ctx, t.CRM+"Drain", request) // one that dies of it is rung for again
		}
		if !sleep(ctx, 50*time.Millisecond) {
			break
		}
	}
	return time.Now()
}

// closed returns how many gates to a kind of CRM are closed, of whose names begin with prefix.
func (c *closings) closed(ctx context.Context, crm, prefix string) int {
	page, _, err := c.cloud.Table("StateTable").List(ctx, store.Range{Partition: "gates:" + crm, Prefix: prefix})
	if err != nil { // it is memory
		return 0
	}
	return len(page)
}

// counted returns how many troubles of each kind there were.
func (c *closings) counted() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[string]int{}
	for _, s := range c.spans {
		counts["CRMs of a tenant in trouble: "+s.What]++
	}
	return counts
}

// opened returns how long it took from the end of troubles until their gates were open.
func (c *closings) opened() Percentiles {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []time.Duration
	for _, s := range c.spans {
		all = append(all, s.over.Sub(s.mended))
	}
	return percentiles(all)
}

// Lag is how long messages took from their webhook into the CRMs of a tenant that were in no trouble themselves.
type Lag struct {
	Calm   Percentiles `json:"calm"`   // while those of the other tenant were in none
	Beside Percentiles `json:"beside"` // while they were
}

// fewest is how many messages a median is of at least that is compared.
const fewest = 20

// disturbed reports whether a tenant noticed the troubles of the other. Half of the messages are compared, for kills hold up some of them.
// The median of a few says nothing, and how many there were is in the report. Some seconds are the machine's, which drains for the one tenant
// while it works for the other: what one tenant may cost another is shown in virtual time, by shared/dev/ring1.
func (l Lag) disturbed() bool {
	return min(l.Calm.N, l.Beside.N) >= fewest && l.Beside.P50 > 2*l.Calm.P50+10
}

// lags looks whether a tenant was held up by the troubles of the other's CRMs.
func (r *Report) lags(of map[string]Lag) {
	r.Lags = of
	for _, tenant := range slices.Sorted(maps.Keys(of)) {
		if l := of[tenant]; l.disturbed() {
			r.add(Disturbed, "", tenant, fmt.Sprintf("half of the messages took %.1f s and more while the other tenant's CRMs took nothing, %.1f s otherwise",
				l.Beside.P50, l.Calm.P50))
		}
	}
}

// lags returns the lag of each tenant by what the functions said. What was under way while a CRM's own gates were closed is left out.
func (c *closings) lags(said []byte) map[string]Lag {
	c.mu.Lock()
	defer c.mu.Unlock()
	calm, beside := map[string][]time.Duration{}, map[string][]time.Duration{}
	for line := range strings.Lines(string(said)) {
		_, line, _ = strings.Cut(line, "{")
		var m struct {
			AWS struct {
				Timestamp int64
			} `json:"_aws"`
			EventToCRM  *float64
			Tenant, CRM string
		}
		if !strings.Contains(line, `"EventToCRM":`) || json.Unmarshal([]byte("{"+line), &m) != nil || m.EventToCRM == nil {
			continue
		}
		took := time.Duration(*m.EventToCRM * float64(time.Millisecond))
		done := time.UnixMilli(m.AWS.Timestamp)
		switch own, other := c.within(m.Tenant, m.CRM, done.Add(-took), done); {
		case own:
		case other:
			beside[m.Tenant] = append(beside[m.Tenant], took)
		default:
			calm[m.Tenant] = append(calm[m.Tenant], took)
		}
	}
	lags := map[string]Lag{}
	for tenant := range calm {
		lags[tenant] = Lag{percentiles(calm[tenant]), percentiles(beside[tenant])}
	}
	return lags
}

// within reports whether there was trouble with a tenant's CRM at some moment of a time, and with a CRM of the other tenant at its beginning.
func (c *closings) within(tenant, crm string, from, to time.Time) (own, other bool) {
	for _, s := range c.spans {
		switch {
		case s.Tenant == tenant && s.CRM == crm:
			own = own || from.Before(s.over) && to.After(s.began)
		case s.Tenant != tenant:
			other = other || from.Before(s.mended) && from.After(s.began)
		}
	}
	return own, other
}

// startNeighbour applies the tenant beside the demo tenant.
func (r *run) startNeighbour(ctx context.Context) (*party, error) {
	tenant, crms, err := r.cloud.Neighbour(ctx, neighbour)
	if err != nil {
		return nil, err
	}
	target := r.cloud.Target()
	target.CRMs = crms
	return r.newParty("history-"+neighbour+".jsonl", samples.NewTenantClient(plugins.Channels(), target, tenant))
}

// closeOnce lets the gates of all the demo tenant's CRMs close over one message and open again, so that the boundaries of that are known.
func (r *run) closeOnce(ctx context.Context) error {
	refused := Trouble{Tenant: "demo", What: "credential"}
	for crm, about := range r.cloud.Simulated {
		if err := samples.Spoil(ctx, r.cloud.CRMs[crm], refused.fault(about), -1); err != nil {
			return err
		}
	}
	r.sender.deliver(ctx, r.sender.message(teacher, 4, Webhook{}, time.Now()))
	for crm := range r.cloud.CRMs {
		for r.closings.closed(ctx, crm, "") == 0 {
			if !sleep(ctx, 20*time.Millisecond) {
				return fmt.Errorf("chaos: no gate to %s closes; the log is %s", crm, r.cloud.LogPath)
			}
		}
		if err := samples.Mend(ctx, r.cloud.CRMs[crm]); err != nil {
			return err
		}
		refused.CRM = crm
		r.closings.awaitOpen(ctx, refused)
	}
	return nil
}

// parked returns the ids of the messages that are parked for a kind of CRM.
func (r *run) parked(crm string) (ids []string) {
	for record := range r.cloud.Table("StateTable").All() {
		if strings.Contains(record.Partition, "/pending/"+crm+"/") {
			_, id, _ := strings.Cut(record.Sort, "/")
			ids = append(ids, id)
		}
	}
	return ids
}

// logged returns what the functions said.
func (r *run) logged() []byte {
	said, _ := os.ReadFile(r.cloud.LogPath) // without it nothing is counted
	return said
}
