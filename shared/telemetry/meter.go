package telemetry

import (
	"io"
	"strconv"
	"sync"
	"time"

	"signalbox/shared/jsontext"
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

// Count adds n to a metric. Its dimensions are the stack (what an alarm over all functions watches: it needs no list of them),
// the function, and the function with its version (what a canary deployment watches).
func (m *Meter) Count(name string, n int, labels ...Label) { m.emit(name, float64(n), "Count", labels) }

// Duration records how long something took, in milliseconds, with the dimensions of Count.
func (m *Meter) Duration(name string, d time.Duration, labels ...Label) {
	m.emit(name, float64(d.Microseconds())/1000, "Milliseconds", labels)
}

// emit writes one line of the embedded metric format. It is put together by hand: every message costs several, and the
// encoder of maps takes longer than most of what is counted.
// See https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
func (m *Meter) emit(name string, value float64, unit string, labels []Label) {
	line := make([]byte, 0, 512)
	line = append(line, `{"_aws":{"Timestamp":`...)
	line = strconv.AppendInt(line, time.Now().UnixMilli(), 10)
	line = append(line, `,"CloudWatchMetrics":[{"Namespace":"`+Namespace+`","Dimensions":[["Stack"],["Function"],["Function","Version"]],"Metrics":[{"Name":`...)
	line = jsontext.AppendString(line, name)
	line = append(line, `,"Unit":`...)
	line = jsontext.AppendString(line, unit)
	line = append(line, `}]}]},"Function":`...)
	line = jsontext.AppendString(line, m.id.Function)
	line = append(line, `,"Stack":`...)
	line = jsontext.AppendString(line, m.id.Stack)
	line = append(line, `,"Version":`...)
	line = jsontext.AppendString(line, m.id.Version)
	line = append(jsontext.AppendString(append(line, ','), name), ':')
	line = strconv.AppendFloat(line, value, 'f', -1, 64)
	for _, l := range labels {
		line = append(jsontext.AppendString(append(line, ','), l.Name), ':')
		line = jsontext.AppendString(line, l.Value)
	}
	line = append(line, '}', '\n')
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _ = m.w.Write(line)
}
