package telemetry

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Namespace is the CloudWatch namespace of every metric.
const Namespace = "Signalbox"

// Failures is the metric that decides about a deployment: what a version that is being deployed may not do. Lambda's own
// Errors stays 0 where a batch is answered in part.
const Failures = "Failures"

// Meter writes metrics as log lines in the embedded metric format. It is safe for concurrent use.
// See https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
type Meter struct {
	mu sync.Mutex
	w  io.Writer
	id Identity
}

// NewMeter returns a Meter that writes to w.
func NewMeter(w io.Writer, id Identity) *Meter { return &Meter{w: w, id: id} }

// Label is a property of one metric line: searchable in the logs, not a dimension, so that it costs no custom metric. Its
// value comes from a closed set or is an opaque id.
type Label struct{ Name, Value string }

// Count adds n to a metric. Its dimensions are the function alone (what alarms watch) and the function with its version
// (what a canary deployment watches).
func (m *Meter) Count(name string, n int, labels ...Label) { m.emit(name, float64(n), "Count", labels) }

// Duration records how long something took, in milliseconds, with the dimensions of Count.
func (m *Meter) Duration(name string, d time.Duration, labels ...Label) {
	m.emit(name, float64(d.Microseconds())/1000, "Milliseconds", labels)
}

func (m *Meter) emit(name string, value float64, unit string, labels []Label) {
	type metric struct {
		Name string
		Unit string
	}
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []metric
	}
	line := map[string]any{
		"_aws": map[string]any{
			"Timestamp": time.Now().UnixMilli(),
			"CloudWatchMetrics": []directive{{
				Namespace:  Namespace,
				Dimensions: [][]string{{"Function"}, {"Function", "Version"}},
				Metrics:    []metric{{name, unit}},
			}},
		},
		"Function": m.id.Function,
		"Version":  m.id.Version,
		name:       value,
	}
	for _, l := range labels {
		line[l.Name] = l.Value
	}
	encoded, err := json.Marshal(line)
	if err != nil { // strings and finite numbers always encode
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _ = m.w.Write(append(encoded, '\n'))
}
