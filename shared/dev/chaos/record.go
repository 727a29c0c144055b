package chaos

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Record is what a run leaves: what was broken, what was checked, and what was wrong.
type Record struct {
	At        time.Time           `json:"at"`
	Commit    string              `json:"commit"`  // of the repository; "-dirty" behind it where files differ
	Machine   string              `json:"machine"` // and what it did besides
	Seed      uint64              `json:"seed"`
	Plan      string              `json:"plan"`    // its digest
	Divisor   int                 `json:"divisor"` // of the times
	Times     map[string]string   `json:"times"`   // parameters of the template
	Load      map[string]int      `json:"load"`
	Troubles  map[string]int      `json:"troubles"`
	Kills     map[string]int      `json:"kills"`     // by where
	Checks    map[string]int      `json:"checks"`    // how many problems of each kind
	Pairs     int                 `json:"pairs"`     // messages whose order was compared
	Anomalies []Problem           `json:"anomalies"` // the problems
	Seconds   map[string]float64  `json:"seconds"`
	Recovery  map[string]Recovery `json:"recovery"` // by function
}

// Recovery is how long messages of killed functions stood still, on the run's clock: its times are divided, the machine is not.
type Recovery struct {
	Messages int         `json:"messages"`
	Again    Percentiles `json:"again"` // until an invocation began that had received them again and returned
	Done     Percentiles `json:"done"`  // until they were done, with all other troubles they met
}

// Percentiles are of durations, in seconds.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	Max float64 `json:"max"`
}

func percentiles(all []time.Duration) Percentiles {
	if len(all) == 0 {
		return Percentiles{}
	}
	slices.Sort(all)
	at := func(share int) float64 { return all[(len(all)-1)*share/100].Round(10 * time.Millisecond).Seconds() }
	return Percentiles{at(50), at(95), at(100)}
}

// kinds are those of problems, as they are reported.
func kinds() []string {
	return []string{Lost, Twice, OutOfOrder, DeadLettered, Again, Status, Reply, People, Unknown, Unanswered, Waiting}
}

// record returns what the run leaves. Beginning is when it began to break, and rested how long it took to come to rest.
func (r *run) record(ctx context.Context, report Report, stormed, rested time.Duration) Record {
	said, _ := os.ReadFile(r.cloud.LogPath) // without it time-outs are not counted
	rec := Record{
		At: time.Now().UTC().Truncate(time.Second), Commit: commit(ctx, r.options.Root), Machine: runsOn(), Seed: r.plan.Seed, Plan: r.plan.Digest(),
		Divisor: Divisor, Times: Times(), Kills: r.striker.done, Checks: map[string]int{}, Pairs: report.Pairs,
		Anomalies: append([]Problem{}, report.Problems...), Recovery: r.striker.holds.recovery(),
		Seconds: map[string]float64{"broken": stormed.Round(time.Millisecond).Seconds(), "to rest": rested.Round(time.Millisecond).Seconds()},
		Load: map[string]int{
			"people": writers, "people who were proved to be one with somebody": report.Joined, "messages in activities of a day": report.Shown, "messages": report.Messages, "receipts": report.Receipts, "messages of ours": report.Outbound, "outreaches": report.Asked,
			"people who answered one": report.Replied, "webhooks": report.Webhooks, "webhooks sent twice": report.Duplicates,
			"webhooks tried again": report.Retries, "messages by the spool": report.Spooled,
			"messages left out, for want of time": int(r.sender.late.Load()),
		},
		Troubles: map[string]int{
			"kills": r.striker.total, "faults of CRMs": len(r.plan.Spoils), "faults of tables": r.lottery.drawn["dynamodb"],
			"faults of keys and secrets":        r.lottery.drawn["kms"] + r.lottery.drawn["secretsmanager"],
			"calls to tables without an answer": r.lottery.drawn["hung"], "faults of queues": r.lottery.drawn["sqs"],
			"outages of the entrances": len(r.plan.Outages), "time-outs of functions": bytes.Count(said, []byte("Task timed out")),
			"receives that a lease refused": bytes.Count(said, []byte("message is held by another worker")),
		},
	}
	maps.Copy(rec.Troubles, r.striker.holds.counted())
	for account, n := range report.By {
		rec.Load["messages by "+account] = n
	}
	for _, kind := range kinds() {
		rec.Checks[kind] = 0
	}
	for _, p := range report.Problems {
		rec.Checks[p.Kind]++
	}
	return rec
}

// commit returns what is checked out, "" where nobody can tell.
func commit(ctx context.Context, root string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--always", "--abbrev=12", "--dirty").Output() //nolint:gosec // the caller's own repository
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func runsOn() string {
	words := fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	if load, err := os.ReadFile("/proc/loadavg"); err == nil { // of a quarter of an hour: mostly what else ran
		words += ", load " + strings.Join(strings.Fields(string(load))[:3], " ")
	}
	return words
}

// write writes the record as JSON to path, and beside it as a page.
func (rec Record) write(path string) error {
	data, err := json.MarshalIndent(rec, "", " ")
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	var page bytes.Buffer
	rec.page(&page)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	for name, content := range map[string][]byte{path: append(data, '\n'), strings.TrimSuffix(path, ".json") + ".md": page.Bytes()} {
		if err := os.WriteFile(name, content, 0o644); err != nil { //nolint:gosec // it may be committed
			return fmt.Errorf("chaos: %w", err)
		}
	}
	return nil
}

// page writes the record as Markdown that can be read as it is.
func (rec Record) page(w io.Writer) {
	_, _ = fmt.Fprintf(w, "# %d kills, seed %d\n\n%s, commit %s, %s.\nPlan %s; the template's times divided by %d; broken for %.0f s, at rest %.1f s after.\n",
		rec.Troubles["kills"], rec.Seed, rec.At.Format(time.DateTime), cmp.Or(rec.Commit, "unknown"), rec.Machine, rec.Plan, rec.Divisor,
		rec.Seconds["broken"], rec.Seconds["to rest"])
	counts := func(title, what string, counts map[string]int, order []string) {
		_, _ = fmt.Fprintf(w, "\n## %s\n\n", title)
		t := newTable(w, "", what)
		for _, name := range order {
			t.row(strconv.Itoa(counts[name]), name)
		}
		t.flush()
	}
	counts("What is wrong", fmt.Sprintf("problem (order was compared in %d pairs)", rec.Pairs), rec.Checks, kinds())
	for _, p := range rec.Anomalies[:min(len(rec.Anomalies), 50)] {
		_, _ = fmt.Fprintf(w, "- %s: %s %s %s\n", p.Kind, p.CRM, p.Message, p.Detail)
	}
	counts("What was sent", "what", rec.Load, slices.Sorted(maps.Keys(rec.Load)))
	counts("What was broken", "what", rec.Troubles, slices.Sorted(maps.Keys(rec.Troubles)))
	_, _ = fmt.Fprintf(w, "\n## How long messages stood still when their function was killed, in seconds\n\n")
	t := newTable(w, "function", "messages", "received again: half", "95 %", "all", "done: half", "95 %", "all")
	for _, f := range slices.Sorted(maps.Keys(rec.Recovery)) {
		r := rec.Recovery[f]
		cells := []string{f, strconv.Itoa(r.Messages)}
		for _, value := range []float64{r.Again.P50, r.Again.P95, r.Again.Max, r.Done.P50, r.Done.P95, r.Done.Max} {
			cells = append(cells, strconv.FormatFloat(value, 'f', 1, 64))
		}
		t.row(cells...)
	}
	t.flush()
	counts("Where functions were killed", "where", rec.Kills, slices.SortedFunc(maps.Keys(rec.Kills), func(a, b string) int {
		return cmp.Or(cmp.Compare(rec.Kills[b], rec.Kills[a]), cmp.Compare(a, b))
	}))
}

// table writes a table of Markdown whose columns are aligned.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer, heads ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)}
	t.row(heads...)
	t.row(strings.Split(strings.Repeat("--- ", len(heads)-1)+"---", " ")...)
	return t
}

func (t table) row(cells ...string) { _, _ = fmt.Fprintf(t, "| %s\t|\n", strings.Join(cells, "\t| ")) }

func (t table) flush() { _ = t.Flush() }
