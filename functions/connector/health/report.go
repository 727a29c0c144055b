package health

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/connect"
	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// The bounds of how many minutes a report is about.
const (
	DefaultMinutes = 10
	MaxMinutes     = 60
)

// codeMalformed is the code of the fault of a window that nobody here wrote.
const codeMalformed = "health_malformed"

// Report is how the connectors to a kind of CRM are. Its windows are whole minutes: what happened within the last one may be missing.
type Report struct {
	CRM      string    `json:"crm"` // the kind
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	Queues   []Queue   `json:"queues"`
	Versions []Version `json:"versions"`
	Bindings []Binding `json:"bindings"` // by tenant and name
}

// Queue is one of the kind's two, as SQS estimates it.
type Queue struct {
	Name     string `json:"name"`
	Waiting  int    `json:"waiting"`
	InFlight int    `json:"inFlight"`
	Delayed  int    `json:"delayed"`
}

// Version is a version of a function whose processes wrote windows, and how many did.
type Version struct {
	Function  string `json:"function"`
	Version   string `json:"version"`
	Processes int    `json:"processes"`
}

// Binding is what was seen of a tenant's CRM.
type Binding struct {
	Tenant string             `json:"tenant"`
	CRM    string             `json:"crm"` // the binding's name
	Calls  Times              `json:"calls"`
	Rows   map[string]int64   `json:"rows"`           // by outcome: several go into one call
	Errors map[string]float64 `json:"errors"`         // the share of rows with an outcome other than ok
	Lag    Times              `json:"lag"`            // from receipt until shown, of deliveries
	Gate   *connect.Gate      `json:"gate,omitempty"` // how its closed gate stands; nil: it is open
	// History is how far what is of a history is, nil if nothing of it is parked.
	History *connect.Gate `json:"history,omitempty"`
	// Budget is how the requests of the day stand; nil: none were made or there is no limit.
	Budget *connector.BudgetState `json:"budget,omitempty"`

	seen *seen
}

// Times are estimates of durations, in seconds: the bounds of a histogram are what they are made of.
type Times struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50Seconds"`
	P95   float64 `json:"p95Seconds"`
}

func (d *durations) times(bounds []float64) Times {
	return Times{Count: d.total(), P50: d.quantile(bounds, 0.5), P95: d.quantile(bounds, 0.95)}
}

// Depth is a queue that tells how many messages it holds.
type Depth interface {
	Depth(ctx context.Context) (waiting, inFlight, delayed int, err error)
}

// Reader reads reports. All parts are required. It remembers nothing.
type Reader struct {
	Store  connector.GateReader
	Queues map[string]map[string]Depth // by kind, and by what the report calls them
	Logger *slog.Logger
}

// Kinds returns the kinds of CRM that there are reports about.
func (r *Reader) Kinds() []string { return slices.Sorted(maps.Keys(r.Queues)) }

// Read returns the report on a kind of CRM, which has to be one of Kinds, about some minutes that are over.
func (r *Reader) Read(ctx context.Context, kind string, minutes int) (Report, error) {
	until := time.Now().UTC().Truncate(time.Minute)
	report := Report{CRM: kind, From: until.Add(-time.Duration(minutes) * time.Minute), Until: until, Queues: []Queue{}, Versions: []Version{}, Bindings: []Binding{}}
	for _, name := range slices.Sorted(maps.Keys(r.Queues[kind])) {
		q := Queue{Name: name}
		var err error
		if q.Waiting, q.InFlight, q.Delayed, err = r.Queues[kind][name].Depth(ctx); err != nil {
			return report, err
		}
		report.Queues = append(report.Queues, q)
	}
	sum := newSums()
	for page, err := range store.Pages(ctx, r.Store, store.Range{Partition: partition(kind), After: sortOf(report.From), Stale: true}) {
		if err != nil {
			return report, err
		}
		for _, record := range page {
			if record.Sort >= sortOf(until) {
				break
			}
			if err := sum.add(record); err != nil {
				r.Logger.WarnContext(ctx, "a window of health is unreadable", slog.String("crm", kind), slog.String("code", fault.Of(err).Code))
			}
		}
	}
	var err error
	if sum.gates, err = connector.ClosedGates(ctx, r.Store, kind); err != nil {
		if fault.Of(err).Kind != fault.Permanent {
			return report, err
		}
		r.Logger.WarnContext(ctx, "what is known of a closed gate is unreadable", slog.String("crm", kind), slog.String("code", fault.Of(err).Code))
	}
	sum.into(&report)
	return report, r.addBudgets(ctx, &report)
}

// addBudgets adds how the requests of the day stand.
func (r *Reader) addBudgets(ctx context.Context, report *Report) error {
	of := make([]connector.BindingKey, len(report.Bindings))
	for i, b := range report.Bindings {
		of[i] = connector.BindingKey{Tenant: b.Tenant, CRM: b.CRM}
	}
	states, err := connector.Budgets(ctx, r.Store, of...)
	for i, s := range states {
		report.Bindings[i].Budget = s
	}
	return err
}

// sums is what windows add up to.
type sums struct {
	bindings  map[connector.BindingKey]*seen
	processes map[Version]map[string]bool
	gates     []connect.Gate
}

func newSums() *sums {
	return &sums{bindings: map[connector.BindingKey]*seen{}, processes: map[Version]map[string]bool{}}
}

// add adds a window.
func (s *sums) add(r store.Record) error {
	var w window
	_, process, found := strings.Cut(r.Sort, "/")
	malformed := fault.New(fault.Permanent, codeMalformed, errors.New("the record of a window is unreadable"))
	if json.Unmarshal(r.Data, &w) != nil || !found {
		return malformed
	}
	for _, b := range w.Bindings {
		if b == nil || len(b.Calls.Counts) > len(callBounds())+1 || len(b.Lags.Counts) > len(lagBounds())+1 {
			return malformed
		}
	}
	for _, b := range w.Bindings {
		s.of(connector.BindingKey{Tenant: b.Tenant, CRM: b.CRM}).add(b)
	}
	v := Version{Function: w.Function, Version: w.Version}
	if s.processes[v] == nil {
		s.processes[v] = map[string]bool{}
	}
	s.processes[v][process] = true
	return nil
}

// of returns what was seen of a binding.
func (s *sums) of(key connector.BindingKey) *seen {
	if s.bindings[key] == nil {
		s.bindings[key] = newSeen(key)
	}
	return s.bindings[key]
}

// into writes the sums into a report.
func (s *sums) into(report *Report) {
	for v, processes := range s.processes {
		v.Processes = len(processes)
		report.Versions = append(report.Versions, v)
	}
	slices.SortFunc(report.Versions, func(a, b Version) int {
		return strings.Compare(a.Function+"/"+a.Version, b.Function+"/"+b.Version)
	})
	for i, g := range s.gates {
		of := s.of(connector.BindingKey{Tenant: g.Tenant, CRM: g.CRM})
		if g.Tier == string(tenant.Bulk) {
			of.history = &s.gates[i]
			continue
		}
		of.gate = &s.gates[i]
	}
	for _, b := range bounded(s.bindings, maxReported) {
		report.Bindings = append(report.Bindings, b.report())
	}
	slices.SortFunc(report.Bindings, func(a, b Binding) int { return strings.Compare(a.Tenant+"/"+a.CRM, b.Tenant+"/"+b.CRM) })
}

func (s *seen) report() Binding {
	b := Binding{
		Tenant: s.Tenant, CRM: s.CRM, Calls: s.Calls.times(callBounds()), Lag: s.Lags.times(lagBounds()), Rows: s.Rows, Errors: map[string]float64{}, Gate: s.gate, History: s.history, seen: s,
	}
	all, _ := s.rows()
	for outcome, n := range s.Rows {
		if outcome != ok && n > 0 {
			b.Errors[outcome] = float64(n) / float64(all)
		}
	}
	return b
}
