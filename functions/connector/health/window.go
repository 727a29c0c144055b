// Package health tells how the connectors are: how long calls to a tenant's CRM take and what becomes of them, how far deliveries are
// behind, what waits. Each process keeps what it sees, and writes it once a minute; whoever asks reads what all of them wrote, and nothing
// of it is in one process's memory alone. It knows tenants' ids and bindings' names, and nothing of a message or a person.
package health

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/connect"
	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// kept is how long a window can be read.
const kept = 2 * time.Hour

// Of how many bindings a window and a report tell: a record stays below ten write units, and an answer below what Lambda lets through. The
// others are summed under a name that no tenant and no binding has.
const (
	maxWritten  = 50
	maxReported = 1000
	other       = "_other"
)

// ok is the outcome of a row that a CRM took. The others are the words of package fault's kinds.
const ok = "ok"

// outcomes returns what may become of a row, in the order in which they are told.
func outcomes() []string {
	return []string{ok, fault.Retryable.String(), fault.Throttled.String(), fault.Blocked.String(), fault.Permanent.String()}
}

// partition returns where the windows of a kind of CRM are: no tenant can own it. What those of a minute begin with sortOf returns.
func partition(kind string) string { return "health:" + kind }

func sortOf(minute time.Time) string { return minute.UTC().Format("2006-01-02T15:04Z") }

// window is what a process saw in a minute.
type window struct {
	Function string  `json:"function"`
	Version  string  `json:"version"`
	Bindings []*seen `json:"bindings"`
	minute   time.Time
	of       map[connector.BindingKey]*seen
}

// seen is what was seen of a binding. Rows are by outcome: several go into one call.
type seen struct {
	Tenant string           `json:"tenant"`
	CRM    string           `json:"crm"`
	Rows   map[string]int64 `json:"rows,omitempty"`
	Calls  durations        `json:"calls,omitzero"`
	Lags   durations        `json:"lags,omitzero"`

	gate, history *connect.Gate // its closed ones; nil in what is written
}

func newSeen(of connector.BindingKey) *seen {
	return &seen{Tenant: of.Tenant, CRM: of.CRM, Rows: map[string]int64{}}
}

// add adds what another window, or another binding, saw.
func (s *seen) add(more *seen) {
	for outcome, n := range more.Rows {
		s.Rows[outcome] += n
	}
	s.Calls.add(more.Calls)
	s.Lags.add(more.Lags)
}

// rows returns how many rows there were, and how many of them failed.
func (s *seen) rows() (all, failed int64) {
	for outcome, n := range s.Rows {
		all += n
		if outcome != ok {
			failed += n
		}
	}
	return all, failed
}

// binding returns what is seen of a binding in the window.
func (w *window) binding(of connector.BindingKey) *seen {
	if w.of[of] == nil {
		w.of[of] = newSeen(of)
	}
	return w.of[of]
}

// closed returns 1 of a binding with a closed gate, else 0.
func closed(s *seen) int {
	if s.gate == nil && s.history == nil {
		return 0
	}
	return 1
}

// bounded returns at most so many of what was seen: of those with a closed gate, then with the most failures, then with the most rows, and of
// all others summed.
func bounded(of map[connector.BindingKey]*seen, most int) []*seen {
	all := slices.Collect(maps.Values(of))
	slices.SortFunc(all, func(a, b *seen) int {
		rowsA, failedA := a.rows()
		rowsB, failedB := b.rows()
		return cmp.Or(cmp.Compare(closed(b), closed(a)), cmp.Compare(failedB, failedA), cmp.Compare(rowsB, rowsA), strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.CRM, b.CRM))
	})
	if len(all) <= most {
		return all
	}
	rest := newSeen(connector.BindingKey{Tenant: other, CRM: other})
	for _, s := range all[most-1:] {
		rest.add(s)
	}
	return append(all[:most-1:most-1], rest)
}

// record returns what is kept of the window under the id of its process.
func (w *window) record(kind, process string) (store.Record, error) {
	w.Bindings = bounded(w.of, maxWritten)
	data, err := json.Marshal(w)
	return store.Record{
		Key: store.Key{Partition: partition(kind), Sort: sortOf(w.minute) + "/" + process}, Expires: w.minute.Add(kept), Data: data,
	}, err
}

// durations is a histogram. Counts are by bound, those above the last bound at the end; zeros at the end are left out. Which bounds they
// are is known where they are used: they never change, for windows of several releases are added.
type durations struct {
	Counts []int64 `json:"n,omitempty"`
	Sum    float64 `json:"sum,omitempty"` // seconds
}

// callBounds are seconds that calls take, lagBounds that a delivery is behind its receipt. Of what is above the last nothing is known but
// how much there is.
func callBounds() []float64 { return []float64{0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10} }
func lagBounds() []float64  { return []float64{0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 86400} }

// observe counts a duration.
func (d *durations) observe(bounds []float64, took time.Duration) {
	seconds := max(took.Seconds(), 0)
	at := sort.SearchFloat64s(bounds, seconds)
	d.Counts = append(d.Counts, make([]int64, max(0, at+1-len(d.Counts)))...)
	d.Counts[at]++
	d.Sum += seconds
}

func (d *durations) add(more durations) {
	d.Counts = append(d.Counts, make([]int64, max(0, len(more.Counts)-len(d.Counts)))...)
	for i, n := range more.Counts {
		d.Counts[i] += n
	}
	d.Sum += more.Sum
}

func (d *durations) total() (n int64) {
	for _, count := range d.Counts {
		n += count
	}
	return n
}

// quantile returns the duration, in seconds, that a share of all is below, as far as the bounds tell: as if those between two bounds were
// spread evenly, and those above the last were there. It is 0 if there is none.
func (d *durations) quantile(bounds []float64, share float64) float64 {
	rank, below, from := share*float64(d.total()), 0.0, 0.0
	for i, n := range d.Counts {
		if i == len(bounds) {
			break
		}
		if below+float64(n) >= rank && n > 0 {
			return from + (bounds[i]-from)*(rank-below)/float64(n)
		}
		below, from = below+float64(n), bounds[i]
	}
	return from
}
