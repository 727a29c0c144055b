package chaos

import (
	"fmt"
	"testing"
	"time"

	"signalbox/shared/dev/samples"

	"github.com/google/go-cmp/cmp"
)

// TestEveryTroubleComes to every CRM of both tenants before one comes again, and those of the two tenants come by turns.
func TestEveryTroubleComes(t *testing.T) {
	kinds := map[string][]string{"x": {down, hangs, "day"}, "y": {down, unanswered, "field"}}
	p := NewPlan(1, Size{Duration: 6*between + 2*time.Second, Threads: 1, Messages: 1}, nil, nil, kinds, nil)
	seen := map[string]int{}
	var last Trouble
	for i, tr := range p.Troubles {
		seen[tr.Tenant+" "+tr.CRM+" "+tr.What]++
		if i%2 == 0 && (tr.Tenant == last.Tenant || i > 0 && tr.At < last.At+last.For) {
			t.Errorf("%+v comes after %+v", tr, last)
		}
		last = tr
	}
	if len(seen) != 12 || len(p.Troubles) != 12 {
		t.Errorf("%d troubles: %v", len(p.Troubles), seen)
	}
}

func TestWhatMayBeWrongWithACRM(t *testing.T) {
	about := samples.Simulator{
		Failures: []samples.Fault{{"match": "/api"}},
		Refusals: map[string]samples.Fault{"credential": {"match": "/", "status": 401.0}, "day": {"match": "/api", "status": 429.0}, ofMessage: {"status": 400.0}},
	}
	if diff := cmp.Diff([]string{"credential", "day", down, hangs, unanswered}, kindsOf(about)); diff != "" {
		t.Error(diff)
	}
	for what, want := range map[string]samples.Fault{
		unanswered: {"match": "/api", "hangUp": true}, down: {"match": "/api", "status": 503}, hangs: {"match": "/api", "delayMs": int64(60_000)}, "day": {"match": "/api", "status": 429.0},
	} {
		if diff := cmp.Diff(want, Trouble{What: what}.fault(about)); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

// TestLagsAreOfCRMsInNoTrouble: what was under way while a CRM's own gates were closed says nothing of its neighbour.
func TestLagsAreOfCRMsInNoTrouble(t *testing.T) {
	begin := at(0)
	c := &closings{spans: []span{{
		Trouble: Trouble{Tenant: "demo", CRM: "x"}, began: begin.Add(10 * time.Second), mended: begin.Add(12 * time.Second), over: begin.Add(20 * time.Second),
	}}}
	said := ""
	for _, m := range []struct {
		tenant, crm string
		done, took  float64
	}{
		{"demo", "x", 9, 1},        // before
		{"demo", "x", 10.5, 1},     // begun before, under way within
		{"demo", "x", 19, 4},       // until its gates were open
		{"demo", "y", 11, 2},       // another CRM of the tenant
		{neighbour, "x", 11.5, 1},  // beside
		{neighbour, "x", 15, 4},    // begun beside
		{neighbour, "x", 15, 2.5},  // begun after the trouble was over
		{neighbour, "x", 30, 0.25}, // long after
	} {
		said += fmt.Sprintf(`xDeliver.1 | {"_aws":{"Timestamp":%d},"tenant":%q,"crm":%q,"EventToCRM":%g}`+"\n",
			begin.Add(time.Duration(m.done*float64(time.Second))).UnixMilli(), m.tenant, m.crm, m.took*1000)
	}
	want := map[string]Lag{
		"demo":    {Calm: Percentiles{1, 1, 2, 2}},
		neighbour: {Calm: Percentiles{0.25, 0.25, 2.5, 2}, Beside: Percentiles{1, 1, 4, 2}},
	}
	if diff := cmp.Diff(want, c.lags([]byte(said+"xDeliver.1 | no JSON with \"EventToCRM\":\n"))); diff != "" {
		t.Error(diff)
	}
}
