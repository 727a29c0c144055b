package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"text/template"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// Peer is another product with an endpoint that takes one event by POST, and that may deliver it to a sink of ours.
type Peer struct {
	address   string
	body      *template.Template
	token     secret.Value
	http      *http.Client
	sink      sink
	listen    string   // where the sink listens; nothing is delivered to nowhere
	processes []string // whose processor time is the peer's; none if that is not known
	taken     atomic.Int64
}

// event is what a body's template is filled with.
type event struct{ ID, From, Text string }

// defaultBody is an event of a tenant and a topic. The sink finds the ID wherever in what is delivered it is.
const defaultBody = `{"id":"{{.ID}}","tenant_id":"bench","topic":"message","data":{"id":"{{.ID}}","from":"{{.From}}","text":"{{.Text}}"}}`

// NewPeer returns the peer that variables name, or nil when PEER is empty: PEER is its base URL, PEER_PATH the path below it (/publish),
// PEER_BODY a text/template of the JSON body with .ID, .From and .Text, and PEER_TOKEN what is sent as a bearer token. PEER_SINK is the
// address to listen on for what the peer delivers, in which the ID must be; without it, only acknowledgements are measured. PEER_PIDS
// are the processes whose processor time is the peer's, each with its children.
func NewPeer(lookup func(string) string) (*Peer, error) {
	base := lookup("PEER")
	if base == "" {
		return nil, nil //nolint:nilnil // no peer is no error
	}
	address := strings.TrimRight(base, "/") + cmp.Or(lookup("PEER_PATH"), "/publish")
	if parsed, err := url.Parse(address); err != nil || parsed.Host == "" {
		return nil, fmt.Errorf("bench: PEER and PEER_PATH make no URL: %s", address)
	}
	body, err := template.New("PEER_BODY").Option("missingkey=error").Parse(cmp.Or(lookup("PEER_BODY"), defaultBody))
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	p := &Peer{
		address: address, body: body, token: secret.Value(lookup("PEER_TOKEN")), listen: lookup("PEER_SINK"), processes: strings.Fields(lookup("PEER_PIDS")),
		http: &http.Client{Transport: &http.Transport{MaxIdleConns: 1000, MaxIdleConnsPerHost: 1000}},
	}
	p.sink.arrived = map[string]time.Time{}
	if _, first, err := p.event(0); err != nil || !json.Valid(first) {
		return nil, fmt.Errorf("bench: PEER_BODY makes no JSON: %s (%w)", first, err)
	}
	return p, nil
}

// event returns the nth event and its ID: of the same people, and as long a text, as our own load.
func (p *Peer) event(n int) (id string, body []byte, err error) {
	id = fmt.Sprintf("bench-%d-%d", time.Now().UnixNano(), n)
	var filled bytes.Buffer
	if err := p.body.Execute(&filled, event{id, samples.Phone(n % people), text}); err != nil {
		return "", nil, fmt.Errorf("bench: %w", err)
	}
	return id, filled.Bytes(), nil
}

// publish sends the nth event and returns how long it took to be acknowledged.
func (p *Peer) publish(ctx context.Context, n int) (time.Duration, error) {
	_, body, err := p.event(n)
	if err != nil {
		return 0, err
	}
	return p.send(ctx, body)
}

// send sends an event and returns how long it took to be acknowledged.
func (p *Peer) send(ctx context.Context, body []byte) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.address, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	if p.token != "" {
		request.Header.Set("Authorization", "Bearer "+string(p.token))
	}
	began := time.Now()
	response, err := p.http.Do(request)
	if err != nil {
		return 0, fmt.Errorf("bench: the peer: %w", err)
	}
	said, _ := io.ReadAll(io.LimitReader(response.Body, 300))
	_ = response.Body.Close()
	if response.StatusCode/100 != 2 {
		return 0, fmt.Errorf("bench: the peer returned %s for %s: %s", response.Status, p.address, said)
	}
	p.taken.Add(1)
	return time.Since(began), nil
}

// rows drives the peer with the load of our own rows, and returns its rows and the ratios of ours to them. No peer has no rows.
func (p *Peer) rows(ctx context.Context, length time.Duration, ours []Row) ([]Row, error) {
	if p == nil {
		return nil, nil
	}
	if p.listen != "" {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.listen)
		if err != nil {
			return nil, fmt.Errorf("bench: PEER_SINK: %w", err)
		}
		server := &http.Server{Handler: &p.sink, ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(listener) }()
		defer func() { _ = server.Close() }()
	}
	for n := range people { // connections, caches
		if _, err := p.publish(ctx, n); err != nil {
			return nil, err
		}
	}
	rows, err := p.bursts(ctx, length)
	if err != nil {
		return nil, err
	}
	if p.listen != "" {
		paths, err := openLoops(func(perSecond int) (window, error) { return p.open(ctx, perSecond, length) })
		if err != nil {
			return nil, err
		}
		rows = append(rows, paths...)
	}
	compared := ratios(ours, rows)
	for i, row := range rows {
		rows[i] = row.bar(0).note("")
		rows[i].Name = "the peer's " + row.Name
	}
	rows[0].Note = p.address
	return append(rows, compared...), nil
}

// ratios returns our rows as shares of the peer's of the same name. What drains to one CRM alone is compared with what drains to the sink.
func ratios(ours, peers []Row) []Row {
	bars := map[string]float64{rowAckAlone: 0.85, rowDrain: 0.8, fmt.Sprintf(rowPath, 150) + ", p95": 0.15, fmt.Sprintf(rowPath, 300) + ", p95": 0.5}
	var rows []Row
	for _, peer := range peers {
		for _, own := range ours {
			if own.Name == peer.Name || strings.HasPrefix(own.Name, peer.Name+", ") && strings.HasSuffix(own.Name, " alone") {
				rows = append(rows, Row{Name: "of the peer's: " + own.Name, Ring: "3", Value: own.Value / peer.Value, More: own.More, Bar: bars[peer.Name]})
			}
		}
	}
	return rows
}

// bursts measures acknowledgements while the sink holds up what is delivered, and then how fast what was held up drains.
func (p *Peer) bursts(ctx context.Context, length time.Duration) ([]Row, error) {
	var alone []window
	var drained, cost []float64
	for range windows {
		if err := p.rest(ctx); err != nil {
			return nil, err
		}
		p.sink.gate.Lock()
		one, err := closed(ctx, length, p.publish)
		before, known := processor(p.processes...)
		arrived, began := p.sink.count(), time.Now()
		p.sink.gate.Unlock()
		if err == nil {
			err = p.rest(ctx)
		}
		if err != nil {
			return nil, err
		}
		alone = append(alone, one)
		n := float64(p.sink.count() - arrived)
		drained = append(drained, n/time.Since(began).Seconds())
		if used := p.settle(ctx); known {
			cost = append(cost, (used-before)/n)
		}
	}
	rows := []Row{rate(rowAckAlone, alone), quantile("ack alone, p50", alone, 50), quantile("ack alone, p95", alone, 95)}
	if p.listen != "" {
		rows = append(rows, sampled(rowDrain, "messages/s", drained).more())
	}
	if p.listen != "" && len(cost) > 0 {
		rows = append(rows, sampled(rowCost, "ms", cost))
	}
	return rows, nil
}

// open publishes so many events a second, and returns how long each took from when it was due until it arrived.
func (p *Peer) open(ctx context.Context, perSecond int, length time.Duration) (window, error) {
	due := map[string]time.Time{} // by ID
	err := paced(ctx, perSecond, length, func(n int, at time.Time) (func() error, error) {
		id, body, err := p.event(n)
		due[id] = at
		return func() error {
			_, err := p.send(ctx, body)
			return err
		}, err
	})
	if err == nil {
		err = p.rest(ctx)
	}
	if err != nil {
		return window{}, err
	}
	out := window{perSecond: float64(perSecond)}
	p.sink.mu.Lock()
	defer p.sink.mu.Unlock()
	for id, at := range due {
		out.latencies = append(out.latencies, milliseconds(p.sink.arrived[id].Sub(at)))
	}
	return out, nil
}

// rest waits until everything that was acknowledged has arrived.
func (p *Peer) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := until(ctx, func() bool { return p.listen == "" || p.sink.count() >= int(p.taken.Load()) })
	if err != nil {
		return fmt.Errorf("%w: %d of the peer's %d events have arrived", err, p.sink.count(), p.taken.Load())
	}
	return nil
}

// settle waits until the peer's processes hardly work, for at most ten seconds, and returns their processor time: what an event costs
// does not end with its arrival.
func (p *Peer) settle(ctx context.Context) float64 {
	const interval, idle = 250 * time.Millisecond, 25 // ms of processor time
	before, busy := processor(p.processes...)
	for end := time.Now().Add(10 * time.Second); busy && time.Now().Before(end); {
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return before
		}
		now, _ := processor(p.processes...)
		busy, before = now-before >= idle, now
	}
	return before
}

// sink takes what a peer delivers.
type sink struct {
	gate    sync.RWMutex // locked while what is delivered is held up
	mu      sync.Mutex
	arrived map[string]time.Time
}

// eventID is an ID of ours.
var eventID = regexp.MustCompile(`bench-\d+-\d+`)

func (s *sink) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is cut off has no ID
	s.gate.RLock()
	s.gate.RUnlock() //nolint:staticcheck // it has only waited
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := eventID.FindString(string(body)); id != "" && s.arrived[id].IsZero() {
		s.arrived[id] = time.Now()
	}
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.arrived)
}

// ceiling measures a receiver that does nothing, through the same gateway and the same processes as ours.
func ceiling(ctx context.Context, o Options, length time.Duration) ([]Row, error) {
	receiver := filepath.Join(o.Root, ".build", "local", "bench-noop")
	build := exec.CommandContext(ctx, "go", "build", "-o", receiver, "./shared/dev/bench/cmd/bench-noop") //nolint:gosec // of the repository
	build.Dir, build.Stdout, build.Stderr, build.Env = o.Root, o.Log, o.Log, os.Environ()
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("bench: build the receiver that does nothing: %w", err)
	}
	w, err := newWorldWith(ctx, local.Options{Root: o.Root, Receiver: receiver}, false)
	if err != nil {
		return nil, err
	}
	defer w.stop()
	for n := range people {
		if _, err := w.webhook(ctx, n); err != nil {
			return nil, err
		}
	}
	all, err := repeat(ctx, length, w.webhook)
	if err != nil {
		return nil, err
	}
	const note = "what the runner allows, whatever a receiver does"
	return []Row{rate("ack of a receiver that does nothing, closed loop of 16", all).note(note), quantile("ack of a receiver that does nothing, p95", all, 95)}, nil
}
