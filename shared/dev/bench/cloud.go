package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/queue/memqueue"
)

// world is a local cloud under measurement.
type world struct {
	*local.Cloud
	client *samples.Client
	http   *http.Client
	crms   []string // to which messages go
	meter  *meter
	gates  map[string]*gate // by queue
	next   int              // message number
	mu     sync.Mutex
}

// newWorld starts a local cloud. Observed ones count calls to CRMs, at the price of a proxy in front of each.
func newWorld(ctx context.Context, root string, observed bool, crms ...string) (*world, error) {
	return newWorldWith(ctx, local.Options{Root: root}, observed, crms...)
}

// newWorldWith is newWorld with options of the local cloud's.
func newWorldWith(ctx context.Context, o local.Options, observed bool, crms ...string) (*world, error) {
	w := &world{meter: newMeter(), gates: map[string]*gate{}, http: &http.Client{Transport: &http.Transport{MaxIdleConns: 1000, MaxIdleConnsPerHost: 1000}}}
	o.Built, o.AllowAll, o.LogFile, o.Logs, o.Hooks.Done = true, true, "bench.log", &w.meter.logs, w.meter.invoked
	if observed {
		o.Hooks.Observer = w.meter
		o.MaxProcesses = 1 // another one would read what the first has read
	}
	c, err := local.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	w.Cloud, w.crms = c, crms
	if w.client, err = samples.NewClient(o.Root, plugins.Channels(), c.Target()); err == nil && len(crms) > 0 {
		err = w.bind(ctx)
	}
	if err != nil {
		c.Stop()
		return nil, err
	}
	if len(crms) == 0 {
		for name := range c.CRMs {
			w.crms = append(w.crms, name)
		}
	}
	slices.Sort(w.crms)
	return w, nil
}

// bind applies the demo tenant with these CRMs alone.
func (w *world) bind(ctx context.Context) error {
	file, err := w.Tenant()
	if err != nil {
		return err
	}
	local.Unbind(file, func(name string) bool { return slices.Contains(w.crms, name) })
	event, err := json.Marshal(map[string]any{"action": "apply", "file": file})
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	answer, failed, err := w.Invoke(ctx, "ApplyTenant", event)
	if err != nil || failed != "" || bytes.Contains(answer, []byte(`"problems"`)) {
		return errors.Join(fmt.Errorf("bench: the tenant was not applied: %s %s", failed, answer), err)
	}
	return nil
}

// deliveries returns the queues of deliveries that are in use.
func (w *world) deliveries() []string {
	var out []string
	for _, id := range w.Queues() {
		name := strings.TrimSuffix(w.Queue(id).Options().Name, ".fifo")
		if slices.ContainsFunc(w.crms, func(crm string) bool { return strings.HasSuffix(name, "-deliver-"+crm) }) {
			out = append(out, id)
		}
	}
	return out
}

// text is what every message says.
const text = "Is the blue one still available in size M, and do you deliver on Saturdays?"

// message returns the next message of a person.
func (w *world) message(person int) samples.Sample {
	return w.client.New(samples.Load{
		Kind: samples.Message, Number: fmt.Sprintf("%032x", w.number()), Person: samples.Phone(person),
		Text: text,
	})
}

// outreach returns something that a sales tool has just sent to a person.
func (w *world) outreach(person int) samples.Sample {
	return w.client.New(samples.Load{Kind: samples.Outreach, Number: fmt.Sprintf("out-%d", w.number()), Person: samples.Phone(person), Sent: time.Now()})
}

// number returns the next number of a message.
func (w *world) number() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	return w.next
}

// send sends a message and returns how long it took to be acknowledged.
func (w *world) send(ctx context.Context, m samples.Sample) (time.Duration, error) {
	request, err := w.client.Request(ctx, m)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	response, err := w.http.Do(request)
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if response.StatusCode/100 != 2 {
		return 0, fmt.Errorf("bench: a webhook was answered %s; the log is %s", response.Status, w.LogPath)
	}
	return time.Since(began), nil
}

// rest waits until no queue holds a message.
func (w *world) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return until(ctx, w.atRest)
}

func (w *world) atRest() bool {
	for _, id := range w.Queues() {
		if n := w.Queue(id).Counters(); n.Visible+n.InFlight > 0 {
			return false
		}
	}
	return true
}

// restBehind waits until no queue holds a message, with gates closed: a receive that one caught before the message came is let through.
func (w *world) restBehind(ctx context.Context, queues []string) error {
	return until(ctx, func() bool {
		for _, q := range queues {
			if w.Queue(q).Counters().Visible > 0 && w.gates[q].holds() {
				w.openGate(q)
				w.closeGate(q)
			}
		}
		return w.atRest()
	})
}

// until looks every millisecond.
func until(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("bench: it does not come to rest: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// know lets so many people write, so that every CRM knows them.
func (w *world) know(ctx context.Context, people int) error {
	for person := range people {
		if _, err := w.send(ctx, w.message(person)); err != nil {
			return err
		}
	}
	return w.rest(ctx)
}

// gate holds receives up. The one under way when it closes is not held.
type gate struct {
	mu   sync.Mutex
	open chan struct{}
	held int // receives
}

// holds reports whether a receive is held up.
func (g *gate) holds() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held > 0
}

func (w *world) closeGate(queue string) {
	g := w.gates[queue]
	if g == nil {
		g = &gate{}
		w.gates[queue] = g
		w.Queue(queue).Inject(func(c memqueue.Call) memqueue.Fault {
			if c.Operation == memqueue.OperationReceive {
				g.mu.Lock()
				open := g.open
				g.held++
				g.mu.Unlock()
				select {
				case <-open:
				case <-w.meter.over:
				}
				g.mu.Lock()
				g.held--
				g.mu.Unlock()
			}
			return memqueue.Fault{}
		})
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
}

func (w *world) openGate(queue string) { close(w.gates[queue].open) }

// stop ends the cloud, gates open.
func (w *world) stop() {
	close(w.meter.over)
	w.Stop()
}

// meter counts what happens.
type meter struct {
	over chan struct{}
	logs logCounter

	mu          sync.Mutex
	calls       map[cloud.Call]int // callers without the numbers of their processes
	invocations map[string]int
	seconds     map[string]float64 // GB-seconds
}

func newMeter() *meter {
	return &meter{over: make(chan struct{}), calls: map[cloud.Call]int{}, invocations: map[string]int{}, seconds: map[string]float64{}}
}

// Pass counts a call.
func (m *meter) Pass(c cloud.Call, effect func()) bool {
	c.Caller = c.Function()
	if method, _, isPath := strings.Cut(c.Operation, " "); isPath {
		c.Operation = method
	}
	m.mu.Lock()
	m.calls[c]++
	m.mu.Unlock()
	effect()
	return true
}

func (m *meter) invoked(i local.Invocation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.invocations[i.Function]++
	m.seconds[i.Function] += float64(i.MemoryMB) / 1024 * i.Took.Seconds()
}

// logCounter counts what functions write, without the names that the local log adds.
type logCounter struct {
	mu    sync.Mutex
	bytes int
}

func (l *logCounter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(p) {
		name, text, found := bytes.Cut(line, []byte(" | "))
		if found && string(name) != "local" && !bytes.HasSuffix(name, []byte("-simulate")) {
			l.bytes += len(text)
		}
	}
	return len(p), nil
}

func (l *logCounter) total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}
