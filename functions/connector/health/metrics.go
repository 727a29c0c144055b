package health

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"signalbox/shared/connect"
)

// MetricsType is the content type of Metrics.
const MetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

// Metrics returns a report in the text format of OpenMetrics. All of it is about the minutes of the report, so that nothing is a counter:
// a sum over the last minutes falls, and whoever scrapes it would take that for a restart. A share or a quantile is made without rate().
// See https://prometheus.io/docs/specs/om/open_metrics_spec/.
func (r Report) Metrics() []byte {
	var e exposition
	kind := label{"kind", r.CRM}
	e.family("signalbox_connector_window_seconds", "gauge", "seconds", "What the other metrics are about: how long that was.")
	e.sample("", r.Until.Sub(r.From).Seconds(), kind)

	e.family("signalbox_connector_queue_messages", "gauge", "", "Messages that a queue holds, as SQS estimates it.")
	for _, q := range r.Queues {
		e.sample("", float64(q.Waiting), kind, label{"queue", q.Name}, label{"state", "waiting"})
		e.sample("", float64(q.InFlight), kind, label{"queue", q.Name}, label{"state", "in_flight"})
		e.sample("", float64(q.Delayed), kind, label{"queue", q.Name}, label{"state", "delayed"})
	}

	e.family("signalbox_connector_call_seconds", "gaugehistogram", "seconds", "How long calls to a tenant's CRM took.")
	for _, b := range r.Bindings {
		e.histogram(b.seen.Calls, callBounds(), b.labels(kind)...)
	}

	e.family("signalbox_connector_rows", "gauge", "", "Rows of such calls, by what became of them.")
	for _, b := range r.Bindings {
		for _, outcome := range outcomes() {
			e.sample("", float64(b.Rows[outcome]), append(b.labels(kind), label{"outcome", outcome})...)
		}
	}

	e.family("signalbox_connector_lag_seconds", "gaugehistogram", "seconds", "How long after its receipt a delivery was shown.")
	for _, b := range r.Bindings {
		e.histogram(b.seen.Lags, lagBounds(), b.labels(kind)...)
	}

	e.family("signalbox_connector_gate_closed", "gauge", "", "Whether a tenant's deliveries are parked because its CRM takes none, and by which code.")
	for _, b := range r.Bindings {
		if b.Gate == nil || b.Gate.Code == "" {
			e.sample("", 0, b.labels(kind)...)
			continue
		}
		e.sample("", 1, append(b.labels(kind), label{"code", b.Gate.Code})...)
	}

	e.family("signalbox_connector_parked", "gauge", "", "Deliveries that are parked.")
	for _, b := range r.Bindings {
		e.sample("", float64(parkedAt(b.Gate)+parkedAt(b.History)), b.labels(kind)...)
	}

	e.budgets(r.Bindings, kind)

	e.family("signalbox_connector_processes", "gauge", "", "Processes that told something, by the version of their function.")
	for _, v := range r.Versions {
		e.sample("", float64(v.Processes), kind, label{"function", v.Function}, label{"version", v.Version})
	}
	e.text.WriteString("# EOF\n")
	return []byte(e.text.String())
}

// budgets writes how the requests of the day stand.
func (e *exposition) budgets(all []Binding, kind label) {
	e.family("signalbox_connector_budget_requests", "gauge", "", "Requests of the day: its limit, those that are used or leased, and of these those by us.")
	for _, b := range all {
		if s := b.Budget; s != nil {
			e.sample("", float64(s.Limit), append(b.labels(kind), label{"of", "limit"})...)
			e.sample("", float64(s.Used), append(b.labels(kind), label{"of", "used"})...)
			e.sample("", float64(s.Ours), append(b.labels(kind), label{"of", "ours"})...)
		}
	}

	e.family("signalbox_connector_budget_runs_out_timestamp_seconds", "gauge", "seconds", "When the requests of the day are used at the pace of the last hour, if that is before its end.")
	for _, b := range all {
		if s := b.Budget; s != nil && !s.RunsOut.IsZero() {
			e.sample("", float64(s.RunsOut.Unix()), b.labels(kind)...)
		}
	}
}

func (b Binding) labels(kind label) []label {
	return []label{kind, {"tenant", b.Tenant}, {"crm", b.CRM}}
}

type label struct{ name, value string }

// exposition is a text in the format of OpenMetrics.
type exposition struct {
	text strings.Builder
	name string // of the family whose samples are written
}

// family begins a family of metrics. One with a unit has it at the end of its name.
func (e *exposition) family(name, kind, unit, help string) {
	e.name = name
	fmt.Fprintf(&e.text, "# TYPE %s %s\n", name, kind)
	if unit != "" {
		fmt.Fprintf(&e.text, "# UNIT %s %s\n", name, unit)
	}
	fmt.Fprintf(&e.text, "# HELP %s %s\n", name, help)
}

func (e *exposition) sample(suffix string, value float64, labels ...label) {
	e.text.WriteString(e.name + suffix)
	for i, l := range labels {
		e.text.WriteString([]string{"{", ","}[min(i, 1)] + l.name + `="` + escaped(l.value) + `"`)
	}
	e.text.WriteString("} " + number(value) + "\n")
}

// histogram writes how many durations are at most each bound, and nothing if there are none.
func (e *exposition) histogram(d durations, bounds []float64, labels ...label) {
	if d.total() == 0 {
		return
	}
	n := int64(0)
	for i := range len(bounds) + 1 {
		le := "+Inf"
		if i < len(bounds) {
			le = number(bounds[i])
		}
		if i < len(d.Counts) {
			n += d.Counts[i]
		}
		e.sample("_bucket", float64(n), append(slices.Clip(labels), label{"le", le})...)
	}
	e.sample("_gcount", float64(n), labels...)
	e.sample("_gsum", d.Sum, labels...)
}

// number writes a number as OpenMetrics wants bounds to be: one that is whole has a point, too.
func number(f float64) string {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// escaped returns the value of a label as it stands between quotation marks.
func escaped(value string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(value)
}

// parkedAt returns how many deliveries are parked behind a gate, none for nil.
func parkedAt(g *connect.Gate) int64 {
	if g == nil {
		return 0
	}
	return g.Parked
}
