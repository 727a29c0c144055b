package health_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/health"
	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func of(tenant string) connector.BindingKey { return connector.BindingKey{Tenant: tenant, CRM: "crm"} }

// counted counts the writes to a store, and fails those that fail says.
type counted struct {
	*memstore.Store
	writes int
	fail   error
}

func (c *counted) Note(ctx context.Context, records ...store.Record) error {
	c.writes++
	if c.fail != nil {
		return c.fail
	}
	return c.Store.Note(ctx, records...)
}

func recorder(to health.Noter, process string, log *bytes.Buffer) *health.Recorder {
	return health.NewRecorder(health.RecorderOptions{
		Kind: "toy", Process: process, Identity: telemetry.Identity{Function: "toy-deliver", Version: "7"}, Store: to, Logger: telemetry.NewLogger(log, telemetry.Identity{}),
	})
}

// depth is a queue that holds so many messages.
type depth [3]int

func (d depth) Depth(context.Context) (waiting, inFlight, delayed int, err error) {
	if d[0] < 0 {
		return 0, 0, 0, fault.New(fault.Retryable, "queue_unreachable", nil)
	}
	return d[0], d[1], d[2], nil
}

func reader(s connector.GateReader) *health.Reader {
	return &health.Reader{
		Store: s, Queues: map[string]map[string]health.Depth{"toy": {"deliveries": depth{3, 2, 1}, "receipts": depth{}}, "other": {}}, Logger: slog.New(slog.DiscardHandler),
	}
}

// get returns what is answered to a path.
func get(t *testing.T, r *health.Reader, path string) webhook.Response {
	t.Helper()
	path, query, _ := strings.Cut(path, "?")
	return r.Serve(t.Context(), webhook.Request{Method: "GET", Path: path, RawQuery: query})
}

func TestAProcessWritesAMinuteOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := &counted{Store: memstore.New()}, &bytes.Buffer{}
		r := recorder(s, "p1", log)
		began := time.Now()
		for batches := 1; time.Since(began) < 10*time.Minute; batches++ {
			for range 10 {
				r.Called(of("demo"), 100*time.Millisecond, []error{nil})
			}
			r.Ended(t.Context())
			if most := int(time.Since(began) / time.Minute); s.writes > most {
				t.Fatalf("%d writes after %d batches and %d minutes", s.writes, batches, most)
			}
			time.Sleep(time.Second)
		}
		r.Ended(t.Context())
		r.Ended(t.Context())
		if s.writes != 10 || log.Len() > 0 {
			t.Errorf("%d writes of ten minutes; %s", s.writes, log)
		}
		report, err := reader(s).Read(t.Context(), "toy", health.DefaultMinutes)
		if err != nil || len(report.Bindings) != 1 || report.Bindings[0].Calls.Count != 6000 || report.Bindings[0].Rows["ok"] != 6000 {
			t.Errorf("%v: %+v", err, report)
		}
	})
}

// seen writes what three processes saw in some minutes. Names that nobody's file may hold show that labels are escaped.
func seen(t *testing.T, s *memstore.Store) {
	t.Helper()
	var log bytes.Buffer
	first, second, receipts := recorder(s, "p1", &log), recorder(s, "p2", &log), recorder(s, "p3", &log)
	blocked, slow := fault.New(fault.Blocked, "toy_unauthorized", nil), &fault.Error{Kind: fault.Throttled, Code: "toy_limited", Wait: time.Second}
	first.Called(of("gone"), time.Second, []error{nil}) // eleven minutes before the report
	time.Sleep(time.Minute)
	for i := range 100 {
		first.Called(of("demo"), time.Duration(i)*10*time.Millisecond, []error{nil, nil})
		first.Shown(of("demo"), 1500*time.Millisecond)
	}
	second.Called(of("demo"), 30*time.Second, []error{errors.New("unsorted"), slow})
	second.Called(of("acme"), time.Millisecond, []error{blocked})
	second.Called(connector.BindingKey{Tenant: "a\"b\\c\nd", CRM: "second"}, time.Second, []error{fault.New(fault.Permanent, "toy_invalid", nil)})
	receipts.Shown(of("demo"), -time.Second)    // a clock of ours is behind another
	receipts.Shown(of("demo"), 30*24*time.Hour) // replayed
	time.Sleep(time.Minute)
	for _, r := range []*health.Recorder{first, second, receipts} {
		r.Ended(t.Context())
	}
	closure := func(tenant, data string) store.Record {
		return store.Record{Key: store.Key{Partition: "gates:toy", Sort: tenant + "/crm"}, Data: []byte(data)}
	}
	shard := func(name string, parked int64) store.Record {
		return store.Record{Key: store.Key{Partition: "acme/gate/crm", Sort: name}, Number: parked}
	}
	if err := s.Note(t.Context(), closure("acme", `{"kind":"blocked","code":"toy_unauthorized","advice":"Make a new key in Settings > Keys.","since":"2000-01-01T00:01:02Z","probe":"2000-01-01T00:12:00Z","owner":"p9","end":"2000-01-01T00:11:30Z"}`),
		closure("quiet", `{"kind":"retryable","code":"toy_unavailable","since":"2000-01-01T00:00:00Z","probe":"2000-01-01T00:15:00Z"}`),
		closure("unreadable", `{`), shard("0", 120), shard("3", 1), shard("hanging", 7)); err != nil {
		t.Fatal(err)
	}
	second.Called(of("late"), time.Second, []error{nil}) // in the minute that the report ends before
	time.Sleep(9 * time.Minute)
	if log.Len() > 0 {
		t.Error(log.String())
	}
}

func TestAReportSumsWhatAllProcessesWrote(t *testing.T) {
	for name, path := range map[string]string{"health.json": "/v1/connectors/toy/health", "metrics.txt": "/v1/connectors/toy/metrics"} {
		synctest.Test(t, func(t *testing.T) {
			s := memstore.New()
			seen(t, s)
			answer := get(t, reader(s), path)
			file := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(file, answer.Body, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(answer.Body)); answer.Status != 200 || diff != "" {
				t.Errorf("%d, %s (-want +got): %s", answer.Status, name, diff)
			}
		})
	}
}

func TestWhatIsAsked(t *testing.T) {
	for request, want := range map[string]string{
		"/v1/connectors/toy/health":               "200 application/json",
		"/v1/connectors/other/health":             "200 application/json", // nothing was seen of it
		"/v1/connectors/toy/metrics":              "200 application/openmetrics-text; version=1.0.0; charset=utf-8",
		"/v1/connectors/toy/health?minutes=60":    "200 application/json",
		"/v1/connectors/toy/health?minutes=61":    "400 application/json",
		"/v1/connectors/toy/health?minutes=0":     "400 application/json",
		"/v1/connectors/toy/health?minutes=":      "400 application/json",
		"/v1/connectors/toy/health?minutes=a":     "400 application/json",
		"/v1/connectors/toy/health?%zz":           "400 application/json",
		"/v1/connectors/nobodys/health":           "404 application/json",
		"/v1/connectors//health":                  "404 application/json",
		"/v1/connectors/toy":                      "404 application/json",
		"/v1/connectors/toy/":                     "404 application/json",
		"/v1/connectors/toy/other":                "404 application/json",
		"/v1/connectors/toy/health/more":          "404 application/json",
		"/v1/media/toy/health":                    "404 application/json",
		"/v1/connectors/toy/health?other=1&x=%20": "200 application/json",
	} {
		answer := get(t, reader(memstore.New()), request)
		if got := fmt.Sprint(answer.Status, " ", answer.ContentType); got != want {
			t.Errorf("%s: %s %s, want %s", request, got, answer.Body, want)
		}
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	unreachable := memstore.New(memstore.Faulty(func(memstore.Call) memstore.Fault { return memstore.Before }))
	lost := reader(memstore.New())
	lost.Queues["toy"]["deliveries"] = depth{-1}
	for sentence, r := range map[string]*health.Reader{"the table": reader(unreachable), "a queue": lost} {
		if answer := get(t, r, "/v1/connectors/toy/health"); answer.Status != 503 {
			t.Errorf("%s: %d %s", sentence, answer.Status, answer.Body)
		}
	}
}

func TestAWindowThatIsUnreadableIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		seen(t, s)
		want := get(t, reader(s), "/v1/connectors/toy/health")
		minute := time.Now().Add(-2 * time.Minute).UTC().Format("2006-01-02T15:04Z")
		for i, data := range []string{"", "null", "[]", `{"bindings":[null]}`, `{"bindings":[{"tenant":"t","crm":"c","calls":{"n":[1,1,1,1,1,1,1,1,1,1]}}]}`} {
			if data == "null" {
				continue // which is a window without bindings
			}
			if err := s.Note(t.Context(), store.Record{Key: store.Key{Partition: "health:toy", Sort: minute + fmt.Sprint("/x", i)}, Data: []byte(data)}); err != nil {
				t.Fatal(err)
			}
		}
		if got := get(t, reader(s), "/v1/connectors/toy/health"); string(got.Body) != string(want.Body) {
			t.Errorf("%s", cmp.Diff(string(want.Body), string(got.Body)))
		}
	})
}

func TestAWindowIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := memstore.New(), &bytes.Buffer{}
		r := recorder(s, "p", log)
		for i := range 10_000 {
			of := connector.BindingKey{Tenant: fmt.Sprintf("%031d", i), CRM: strings.Repeat("c", 31)}
			for n := range 20 {
				r.Called(of, time.Duration(n)*600*time.Millisecond, []error{nil, nil})
				r.Shown(of, time.Duration(n*n*n)*20*time.Second)
			}
		}
		failing := of("failing")
		r.Called(failing, time.Second, []error{errors.New("unsorted")})
		time.Sleep(time.Minute)
		r.Ended(t.Context())
		size := 0
		for record := range s.All() {
			size += len(record.Data)
		}
		if size == 0 || size > 10<<10 {
			t.Errorf("%d bytes of 10001 bindings", size)
		}
		report, err := reader(s).Read(t.Context(), "toy", health.DefaultMinutes)
		if err != nil {
			t.Fatal(err)
		}
		rows, named, rest := int64(0), false, int64(0)
		for _, b := range report.Bindings {
			rows += b.Rows["ok"]
			named = named || b.Tenant == failing.Tenant
			if b.Tenant == "_other" {
				rest = b.Calls.Count
			}
		}
		if rows != 400_000 || !named || len(report.Bindings) != 50 || rest != 20*(10_001-49) {
			t.Errorf("%d bindings with %d rows, %d calls of others; the one that fails is among them: %t", len(report.Bindings), rows, rest, named)
		}
	})
}

func TestAWriteThatFailsIsLoggedAndCostsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := &counted{Store: memstore.New(), fail: fault.New(fault.Retryable, "store_unavailable", nil)}, &bytes.Buffer{}
		r := recorder(s, "p", log)
		for range 2 {
			r.Called(of("demo"), time.Second, []error{nil})
			time.Sleep(time.Minute)
			r.Ended(t.Context())
			s.fail = nil
		}
		if s.writes != 2 || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), `"msg":"health was not written","function":"","version":"","crm":"toy","code":"store_unavailable"`) {
			t.Errorf("%d writes: %s", s.writes, log)
		}
		report, err := reader(s).Read(t.Context(), "toy", health.DefaultMinutes)
		if err != nil || len(report.Bindings) != 1 || report.Bindings[0].Calls.Count != 1 {
			t.Errorf("%v: %+v", err, report)
		}
	})
}

func TestAWindowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		seen(t, s)
		for record := range s.All() {
			if left := time.Until(record.Expires); record.Partition == "health:toy" && (left <= time.Hour || left > 2*time.Hour) {
				t.Errorf("%s is kept for %v", record.Sort, left)
			}
		}
	})
}

func TestAReportIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		for process := range 60 {
			r := recorder(s, fmt.Sprint("p", process), &bytes.Buffer{})
			for i := range 50 {
				key := connector.BindingKey{Tenant: fmt.Sprintf("%026d-%04d", i, process), CRM: strings.Repeat("c", 31)}
				r.Called(key, time.Second, []error{nil})
				r.Shown(key, time.Second)
			}
			time.AfterFunc(time.Minute, func() { r.Ended(t.Context()) })
		}
		time.Sleep(2 * time.Minute)
		report, err := reader(s).Read(t.Context(), "toy", health.DefaultMinutes)
		calls := int64(0)
		for _, b := range report.Bindings {
			calls += b.Calls.Count
		}
		const most = 6 << 20 / 4 * 3 // in base64
		if size := len(report.Metrics()); err != nil || len(report.Bindings) != 1000 || calls != 3000 || size > most {
			t.Errorf("%v: %d bindings, %d calls, %d bytes", err, len(report.Bindings), calls, size)
		}
	})
}

// TestEveryFigureIsDescribed: the page names each metric, each label and each member.
func TestEveryFigureIsDescribed(t *testing.T) {
	page, err := os.ReadFile("../../../shared/docs/health.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for file, pattern := range map[string]string{"metrics.txt": `(?m)^# TYPE (\S+)|[{,](\w+)="`, "health.json": `"(\w+)":`} {
		text, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			name := strings.Join(found[1:], "")
			checked++
			if !regexp.MustCompile("`[^`]*\\b"+name+"\\b").Match(page) && name != "closed" {
				t.Errorf("shared/docs/health.md does not name %s", name)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d names were found", checked)
	}
}
