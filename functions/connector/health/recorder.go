package health

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// writeTime is how long the end of a batch may wait for a window to be written. What is not written by then is lost: it costs nobody a
// message.
const writeTime = time.Second

// Noter is what a Recorder needs of a store.
type Noter interface {
	Note(ctx context.Context, pointers ...store.Record) error
}

// RecorderOptions are what a Recorder works with. All are required.
type RecorderOptions struct {
	Kind     string // of the CRM
	Process  string // an id that no other process has
	Identity telemetry.Identity
	Store    Noter
	Logger   *slog.Logger
}

// Recorder keeps what a process sees of a kind of CRM. It writes each minute once, at the end of the first batch after it: a process that
// works pays one write a minute, however many messages there are. It is a connector.Watcher.
type Recorder struct {
	options RecorderOptions

	mu      sync.Mutex
	windows []*window // of the minutes in which something was seen, oldest first
}

// NewRecorder returns a Recorder.
func NewRecorder(o RecorderOptions) *Recorder { return &Recorder{options: o} }

// Called implements connector.Watcher.
func (r *Recorder) Called(of connector.BindingKey, took time.Duration, errs []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.now().binding(of)
	s.Calls.observe(callBounds(), took)
	for _, err := range errs {
		outcome := ok
		if f := fault.Of(err); f != nil {
			outcome = f.Kind.String()
		}
		s.Rows[outcome]++
	}
}

// Shown implements connector.Watcher.
func (r *Recorder) Shown(of connector.BindingKey, lag time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now().binding(of).Lags.observe(lagBounds(), lag)
}

// now returns the window of this minute.
func (r *Recorder) now() *window {
	minute := time.Now().Truncate(time.Minute)
	if last := len(r.windows) - 1; last >= 0 && !r.windows[last].minute.Before(minute) {
		return r.windows[last]
	}
	w := &window{Function: r.options.Identity.Function, Version: r.options.Identity.Version, minute: minute, of: map[connector.BindingKey]*seen{}}
	r.windows = append(r.windows, w)
	return w
}

// Ended implements connector.Watcher: it writes the minutes that are over.
func (r *Recorder) Ended(ctx context.Context) {
	over := r.over()
	if len(over) == 0 {
		return
	}
	ctx, cancel := queue.Finishing(ctx)
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, writeTime)
	defer stop()
	for _, record := range over {
		if err := r.options.Store.Note(ctx, record); err != nil {
			r.options.Logger.WarnContext(ctx, "health was not written", slog.String("crm", r.options.Kind), slog.String("code", fault.Of(err).Code))
			return
		}
	}
}

// over takes the windows of minutes that are over, as records.
func (r *Recorder) over() (records []store.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	minute := time.Now().Truncate(time.Minute)
	for len(r.windows) > 0 && r.windows[0].minute.Before(minute) {
		if record, err := r.windows[0].record(r.options.Kind, r.options.Process); err == nil {
			records = append(records, record)
		}
		r.windows = r.windows[1:]
	}
	return records
}

var _ connector.Watcher = (*Recorder)(nil)
