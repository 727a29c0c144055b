package bench

import (
	"bytes"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheRequestChargesOfTheDesign(t *testing.T) {
	list, err := readPrices()
	if err != nil {
		t.Fatal(err)
	}
	single := usage{Webhooks: 1, Invocations: 3, SQS: 6, WriteUnits: 4, ReadUnits: 2}
	batches := usage{Webhooks: 1, Invocations: 1.2, SQS: 1.5, WriteUnits: 4, ReadUnits: 2}
	for name, c := range map[string]struct {
		usage usage
		want  float64
	}{
		"one at a time": {single, 7.35},
		"ten at once":   {batches, 4.74},
		"with keys and secrets, which must not be": {usage{KMS: 1, Secrets: 1}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			if got := list.requestCharges(c.usage); math.Abs(got-c.want) > 0.001 {
				t.Errorf("$ %.3f a million, want %.3f", got, c.want)
			}
		})
	}
	u := usage{GBSeconds: 0.01, LogBytes: 1 << 10, StoredBytes: 1 << 10, waits: map[string]float64{"dynamodb": 1, "hubspot": 0.5}}
	// 0.01 GB-s here, 5 ms of a GB for the table and 125 for the CRM; a GB has 2^30 bytes.
	want := 13.3334*(0.01+0.005+0.125) + 0.5*1024e6/(1<<30) + 35.0/30*0.45*1024e6/(1<<30)
	if got := list.wholeBill(u); math.Abs(got-want) > 0.001 {
		t.Errorf("the whole bill is $ %.3f, want %.3f", got, want)
	}
}

func TestABatchWaitsOnce(t *testing.T) {
	for name, c := range map[string]struct{ calls, invocations, want float64 }{
		"one message, two calls":                      {2, 1, 2},
		"ten messages, two calls each, side by side":  {2, 0.1, 0.2},
		"ten messages, one call for all":              {0.1, 0.1, 0.1},
		"a call now and then":                         {0.05, 1, 0.05},
		"a call that no invocation of a message made": {1, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := waits(c.calls, c.invocations); math.Abs(got-c.want) > 1e-9 {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestEveryPriceHasASource(t *testing.T) {
	list, err := readPrices()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, group := range []map[string]price{list.PerMillion, list.PerGB, list.PerMonth} {
		for name, p := range group {
			n++
			if p.Price <= 0 || p.Unit == "" || !strings.HasPrefix(p.Source, "https://aws.amazon.com/") {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
	if n < 10 || list.Checked == "" || list.latency("dynamodb") <= 0 || list.latency("hubspot") != list.latency("crm") {
		t.Errorf("the list is not whole: %d prices", n)
	}
}

func TestWhatIsFlagged(t *testing.T) {
	less, more := Row{Value: 100}, Row{Value: 100, More: true}
	of := func(samples ...float64) Row { return sampled("x", "ms", samples) }
	for name, c := range map[string]struct {
		before, now Row
		want        string
	}{
		"the same":                          {less, less, "~"},
		"a little more":                     {less, Row{Value: 109}, "~"},
		"a lot more":                        {less, Row{Value: 111}, "WORSE"},
		"a lot less":                        {less, Row{Value: 80}, "better"},
		"more is better":                    {more, Row{Value: 120, More: true}, "better"},
		"less is worse":                     {more, Row{Value: 80, More: true}, "WORSE"},
		"ranges that overlap say nothing":   {of(90, 100, 130), of(115, 120, 140), "~"},
		"ranges that lie apart do":          {of(90, 100, 110), of(115, 120, 140), "WORSE"},
		"there was nothing to compare with": {Row{}, less, ""},
		"there was none of it":              {Row{Name: "x"}, Row{Name: "x", Value: 1}, "WORSE"},
		"there is next to none of it":       {Row{Name: "x"}, Row{Name: "x", Value: 0.05}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := compare(c.before, c.now); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestBars(t *testing.T) {
	for name, c := range map[string]struct {
		row  Row
		want string
	}{
		"no bar":       {Row{Value: 1}, ""},
		"at the bar":   {Row{Value: 12}.bar(12), "yes"},
		"above it":     {Row{Value: 12.5}.bar(12), "NO"},
		"enough":       {Row{Value: 1600}.more().bar(1500), "yes"},
		"not enough":   {Row{Value: 1400}.more().bar(1500), "NO"},
		"a sum of 0.1": {Row{Value: 0.1 + 0.2}.bar(0.3), "yes"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.row.meets(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestARunIsComparedWithTheKeptOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json")
	if r, err := Read(path); r != nil || err != nil {
		t.Fatal(r, err)
	}
	kept := &Report{Machine: Machine{CPU: "a"}, Rows: []Row{{Name: "calls", Ring: "3 counted", Value: 11}, {Name: "rate", Ring: "3", Value: 1000, More: true}}}
	if err := kept.Write(path); err != nil {
		t.Fatal(err)
	}
	before, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := []Row{{Name: "calls", Ring: "3 counted", Value: 13}, {Name: "rate", Ring: "3", Value: 500, More: true}}
	for name, c := range map[string]struct {
		cpu  string
		want []string
	}{
		"on the same machine":                {"a", []string{"calls", "rate"}},
		"on another one only counts compare": {"b", []string{"calls"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			now := &Report{Machine: Machine{CPU: c.cpu}, Rows: rows}
			if diff := cmp.Diff(c.want, now.Print(&out, before)); diff != "" {
				t.Errorf("%s\n%s", diff, &out)
			}
		})
	}
}

func TestGoBenchmarksAreRead(t *testing.T) {
	results := parseBenchmarks(strings.NewReader(`goos: linux
pkg: signalbox/functions/adapter/twilio
BenchmarkWebhook-2   	   12345	     21000 ns/op	    8192 B/op	      51 allocs/op
PASS
pkg: signalbox/functions/adapter/outreach
BenchmarkWebhook-2   	   12345	     34000 ns/op	    8192 B/op	      79 allocs/op
PASS
pkg: signalbox/shared/dev/ring1
BenchmarkPipeline/hubspot-2 	 100	 150000 ns/op	 6600 messages/s	 140.5 cpu-us/message
BenchmarkOther-2 	 100	 1500 ns/op
ok  	signalbox/shared/dev/ring1	1.2s
`))
	rows, missing := goRows(results)
	if len(missing) > 0 {
		t.Error(missing)
	}
	got := map[string]float64{}
	for _, r := range rows {
		got[r.Name] = r.Value
	}
	want := map[string]float64{
		"adapter work per webhook, twilio": 21, "adapter allocations per webhook, twilio": 51,
		"adapter work per webhook, outreach": 34, "adapter allocations per webhook, outreach": 79, "own work hubspot": 6600,
		"own work, processor time per message hubspot": 140.5, "shared/dev/ring1 Other": 1.5,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, missing := goRows(nil); len(missing) != 2 {
		t.Errorf("without benchmarks this is missing: %v", missing)
	}
}

func TestPercentilesAndMedians(t *testing.T) {
	samples := []float64{5, 1, 4, 2, 3}
	for p, want := range map[float64]float64{50: 3, 95: 5, 20: 1, 0: 1} {
		if got := percentile(samples, p); got != want {
			t.Errorf("p%v is %v, want %v", p, got, want)
		}
	}
	if median(samples) != 3 || median(samples[:4]) != 3 || median(nil) != 0 || percentile(nil, 95) != 0 {
		t.Error("medians", median(samples), median(samples[:4]))
	}
}

func TestProcessorTimesAreRead(t *testing.T) {
	const line = "42 (a (b) c) S 7 42 42 0 -1 0 1 2 3 4 150 50 9 9 20 0 1 0 100"
	for name, c := range map[string]struct {
		line, parent string
		ms           float64
		ours         bool
	}{
		"a child":          {line, "7", 2000, true},
		"the process":      {line, "42", 2000, true},
		"somebody else's":  {line, "1", 0, false},
		"no such file":     {"", "7", 0, false},
		"fewer fields":     {"42 (a) S 7 42", "7", 0, false},
		"numbers are none": {"42 (a) S 7 42 42 0 -1 0 1 2 3 4 x y 9", "7", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if ms, ours := processorOf(c.line, c.parent); ours != c.ours || ms != c.ms {
				t.Errorf("%v ms, %v", ms, ours)
			}
		})
	}
}

func TestLogsAreCountedWithoutWhatTheLocalCloudAdds(t *testing.T) {
	l := &logCounter{}
	_, _ = l.Write([]byte("Route | {\"a\":1}\nlocal | noise\nhubspot-simulate | noise\nTwilioReceive | {}\n"))
	if got, want := l.total(), len("{\"a\":1}\n")+len("{}\n"); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

func TestRowsAreReadFromTheAttributesOfTests(t *testing.T) {
	const output = `=== RUN   TestX/a_b
    === ATTR  TestX/a_b bench {"name":"CRM calls","value":0.3,"unit":"calls","bar":0.5}
=== ATTR  TestX bench {"name":"CRM records","value":2}
=== ATTR  TestX issue 4711
--- PASS: TestX (0.00s)
`
	rows, err := parseAttributes(strings.NewReader(output))
	want := []Row{{Name: "CRM calls", Ring: "1 counted", Value: 0.3, Unit: "calls", Bar: 0.5}, {Name: "CRM records", Ring: "1 counted", Value: 2}}
	if diff := cmp.Diff(want, rows); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := parseAttributes(strings.NewReader("=== ATTR  TestX bench 4711\n")); err == nil {
		t.Error("what is no row is one")
	}
}
