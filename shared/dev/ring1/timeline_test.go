package ring1

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/shared/dev/samples"
	"signalbox/shared/tenant"
)

// spent is what ten messages of a person whom the CRM holds cost, each.
type spent struct {
	calls   float64       // of the CRM
	records float64       // that the CRM keeps of them
	aws     float64       // calls of our functions and their mappings
	writes  float64       // units
	reads   float64       // units
	first   time.Duration // until the first was in the CRM
}

// row is one of the rows of the bench, which reads them from the attributes of this package's tests.
type row struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Bar   float64 `json:"bar,omitempty"`
}

// tell tells the bench, and fails the test if the row is not within its bar.
func (r row) tell(t *testing.T) {
	t.Helper()
	encoded, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Attr("bench", string(encoded))
	if r.Bar > 0 && r.Value > r.Bar+1e-9 {
		t.Errorf("%s: %.3f, want at most %.3f", r.Name, r.Value, r.Bar)
	}
}

// TestWhatATimelineCosts counts, in virtual time, what a conversation costs by how it is shown.
func TestWhatATimelineCosts(t *testing.T) {
	demo, err := samples.ReadTenant(filepath.Join(root, samples.DemoTenant))
	if err != nil {
		t.Fatal(err)
	}
	type most struct{ aws, writes, reads float64 }
	limits := map[tenant.Granularity]most{tenant.ByMessage: {12, 4, 2}, tenant.ByDay: {14, 6.5, 11}}
	timelines := map[tenant.Granularity]*tenant.TimelineContent{tenant.ByMessage: nil, tenant.ByDay: {Granularity: tenant.ByDay}}
	for _, pace := range []struct {
		name     string
		gap      time.Duration
		callsBar float64 // of a day's, to a message's
	}{{"ten in two minutes", 13 * time.Second, 0.3}, {"ten over a day", 2 * time.Hour, 1}} {
		for _, crm := range demo.Tenant.CRMs {
			t.Run(pace.name+", "+crm.Kind, func(t *testing.T) {
				by := map[tenant.Granularity]spent{}
				for g, limit := range limits {
					var s spent
					run(t, options{crm: crm.Kind, timeline: timelines[g]}, func(t *testing.T, p *pipeline) { s = p.spend(pace.gap) })
					by[g] = s
					of := func(what string, value, bar float64, unit string) {
						row{Name: what + " per message, " + string(g) + ", " + pace.name + ", " + crm.Kind, Value: value, Unit: unit, Bar: bar}.tell(t)
					}
					of("CRM calls", s.calls, 0, "calls")
					of("CRM records", s.records, 0, "records")
					of("AWS calls", s.aws, limit.aws, "calls")
					of("write units", s.writes, limit.writes, "units")
					of("read units", s.reads, limit.reads, "units")
					if s.first > 5*time.Second {
						t.Errorf("the first message was in the CRM after %v", s.first)
					}
				}
				message, day := by[tenant.ByMessage], by[tenant.ByDay]
				name := ", day to message, " + pace.name + ", " + crm.Kind
				row{Name: "CRM calls" + name, Value: day.calls / message.calls, Bar: pace.callsBar}.tell(t)
				row{Name: "CRM storage" + name, Value: day.records / message.records, Bar: 0.2}.tell(t)
			})
		}
	}
}

// spend lets somebody whom the CRM holds since yesterday send ten messages, and returns what they cost.
func (p *pipeline) spend(gap time.Duration) (s spent) {
	p.t.Helper()
	p.halt()
	var calls atomic.Int64
	inner := p.outage.portal
	p.outage.portal = roundTrip(func(r *http.Request) (*http.Response, error) {
		calls.Add(1)
		return inner.RoundTrip(r)
	})
	counted := p.count()
	p.start()

	post := func(n int) {
		if status := p.send(message{number: number(n), from: "+15552010001", text: "What does product X cost for a team of twelve?"}); status != http.StatusOK {
			p.t.Fatalf("message %d was answered %d", n, status)
		}
	}
	post(0)
	p.settled(time.Hour)
	time.Sleep(time.Until(time.Now().UTC().Truncate(24 * time.Hour).Add(26 * time.Hour))) // two in the morning, when no day ends
	const messages = 10
	held := func() (n float64) {
		for _, object := range p.about.Objects {
			n += float64(len(p.held(object)))
		}
		return n
	}
	records, before, began := held(), calls.Load(), time.Now()
	awsBefore, usage := counted.all(), counted.database.Usage()
	for n := range messages {
		post(n + 1)
		if n == 0 {
			for held() == records && time.Since(began) < time.Minute {
				time.Sleep(10 * time.Millisecond)
			}
			s.first = time.Since(began)
		}
		time.Sleep(time.Until(began.Add(time.Duration(n+1) * gap)))
	}
	p.settled(time.Hour)
	if dead := p.dead(); len(dead) > 0 {
		p.t.Errorf("dead letters: %v", dead)
	}
	now := counted.database.Usage()
	s.calls, s.records, s.aws = float64(calls.Load()-before)/messages, (held()-records)/messages, float64(counted.all()-awsBefore)/messages
	s.writes, s.reads = (now.WriteUnits-usage.WriteUnits)/messages, (now.ReadUnits-usage.ReadUnits)/messages
	return s
}

// roundTrip is a function as an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
