package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Row is one figure.
type Row struct {
	Name    string    `json:"name"`
	Ring    string    `json:"ring"` // where it was measured: "1" and "1 counted" the pipeline as Go values, "3" and "3 counted" as processes, "computed", "Go" a benchmark
	Value   float64   `json:"value"`
	Unit    string    `json:"unit"`
	More    bool      `json:"more,omitempty"`    // more is better; otherwise less
	Bar     float64   `json:"bar,omitempty"`     // the target; 0 is none
	Samples []float64 `json:"samples,omitempty"` // Value is their median
	Note    string    `json:"note,omitempty"`
}

// Machine is where it was measured: figures of two machines cannot be compared, counts can.
type Machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	OS    string `json:"os"`
	Go    string `json:"go"`
}

// Report is one run.
type Report struct {
	At      time.Time `json:"at"`
	Quick   bool      `json:"quick,omitempty"`
	Machine Machine   `json:"machine"`
	Load    float64   `json:"load"` // of the machine before it began: what else ran
	Prices  string    `json:"prices"`
	Rows    []Row     `json:"rows"`
	Missing []string  `json:"missing,omitempty"` // what could not be measured, and why
}

func machine() Machine {
	m := Machine{Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m // not Linux: the rest says enough
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	return m
}

// sampled is a row of several measurements in ring 3.
func sampled(name, unit string, samples []float64) Row {
	return Row{Name: name, Ring: "3", Unit: unit, Value: median(samples), Samples: samples}
}

func (r Row) more() Row { r.More = true; return r }

func (r Row) bar(limit float64) Row { r.Bar = limit; return r }

func (r Row) note(text string) Row { r.Note = text; return r }

func median(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	if half := len(sorted) / 2; len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[len(sorted)/2-1] + sorted[len(sorted)/2]) / 2
}

// percentile returns the p-th percentile, by the nearest rank.
func percentile(samples []float64, p float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// meets reports whether the row is within its target.
func (r Row) meets() string {
	const tolerance = 1e-9
	switch {
	case r.Bar == 0:
		return ""
	case r.More && r.Value >= r.Bar-tolerance, !r.More && r.Value <= r.Bar+tolerance:
		return "yes"
	default:
		return "NO"
	}
}

// wordWorse is what a row that is worse is marked with.
const wordWorse = "WORSE"

// worseBy is from where on a row is flagged.
const worseBy = 0.10

// compare returns new/old and a word. A row of several measurements is flagged only if its range lies apart from the old one's:
// a machine that does something else for a second is no change of the program.
func compare(before, now Row) (ratio float64, word string) {
	if before.Value == 0 {
		if before.Name != "" && !now.More && now.Value > worseBy {
			return 0, wordWorse // it was none
		}
		return 0, ""
	}
	ratio = now.Value / before.Value
	worse, better := ratio > 1+worseBy, ratio < 1/(1+worseBy)
	if now.More {
		worse, better = better, worse
	}
	if len(before.Samples) > 1 && len(now.Samples) > 1 {
		apart := slices.Min(now.Samples) > slices.Max(before.Samples) || slices.Max(now.Samples) < slices.Min(before.Samples)
		worse, better = worse && apart, better && apart
	}
	switch {
	case worse:
		return ratio, wordWorse
	case better:
		return ratio, "better"
	default:
		return ratio, "~"
	}
}

// counted reports whether a row is a count, which is the same on every machine.
func (r Row) counted() bool {
	return r.Ring == "3 counted" || r.Ring == virtualTime || r.Ring == "computed"
}

// virtualTime is where it was counted in virtual time.
const virtualTime = "1 counted"

// Print writes the table, each row beside that of an earlier run, which may be nil. It returns the names of the rows that are
// worse.
func (r *Report) Print(w io.Writer, before *Report) (worse []string) {
	_, _ = fmt.Fprintf(w, "%s, %d cores, %s, %s, load %s at the start; prices of %s\n",
		r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Go, number(r.Load), r.Prices)
	old, same := map[string]Row{}, false
	if before != nil {
		same = before.Machine == r.Machine && before.Quick == r.Quick
		for _, row := range before.Rows {
			old[row.Name] = row
		}
		if !same {
			_, _ = fmt.Fprintln(w, "the last committed run is of another machine or kind: only counts are compared")
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "what\twhere\tvalue\ttarget\tmet\tlast\tratio\t\tnote")
	for _, row := range r.Rows {
		previous, found := old[row.Name]
		if found = found && (same || row.counted()); !found {
			previous = Row{}
		}
		if r.print(table, row, previous) == wordWorse {
			worse = append(worse, row.Name)
		}
	}
	_ = table.Flush()
	for _, m := range r.Missing {
		_, _ = fmt.Fprintln(w, "not measured:", m)
	}
	return worse
}

// print writes one row beside an earlier one, whose value is 0 if there is none, and returns what compare says of it.
func (r *Report) print(w io.Writer, row, before Row) string {
	met, last, ratioText := row.meets(), "", ""
	if r.Quick && !row.counted() {
		met = "" // times were not given a chance
	}
	ratio, word := compare(before, row)
	if ratio != 0 {
		last, ratioText = number(before.Value), fmt.Sprintf("%.2f", ratio)
	}
	_, _ = fmt.Fprintf(w, "%s\t%s\t%s %s%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
		row.Name, row.Ring, number(row.Value), row.Unit, row.spread(), row.limit(), met, last, ratioText, word, row.Note)
	return word
}

func (r Row) spread() string {
	if len(r.Samples) < 2 {
		return ""
	}
	return fmt.Sprintf(" (%s..%s)", number(slices.Min(r.Samples)), number(slices.Max(r.Samples)))
}

func (r Row) limit() string {
	switch {
	case r.Bar == 0:
		return ""
	case r.More:
		return ">= " + number(r.Bar)
	default:
		return "<= " + number(r.Bar)
	}
}

// number writes a figure with three digits that matter.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || a == math.Trunc(a):
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.4f", v)
	}
}

// Read reads a run that was kept; nil if there is none.
func Read(path string) (*Report, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the repository's own
	if os.IsNotExist(err) {
		return nil, nil //nolint:nilnil // no run before this one is no error
	}
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	r := &Report{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("bench: %s: %w", path, err)
	}
	return r, nil
}

// Write keeps a run.
func (r *Report) Write(path string) error {
	for i := range r.Rows {
		for j, s := range r.Rows[i].Samples {
			r.Rows[i].Samples[j] = round(s)
		}
		r.Rows[i].Value = round(r.Rows[i].Value)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil { //nolint:gosec // it is committed
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// round keeps four digits that matter.
func round(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return cmp.Or(math.Round(v*scale)/scale, 0)
}
