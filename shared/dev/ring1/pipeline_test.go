package ring1

import (
	"bytes"
	"cmp"
	"context"
	cryptorand "crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/connector"
	"signalbox/functions/connector/simulatortest"
	"signalbox/functions/deadletter"
	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/claimcheck"
	"signalbox/shared/conversation"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/envelope"
	"signalbox/shared/idempotency"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/objects/memobjects"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/rules"
	"signalbox/shared/secret"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

const (
	base = "https://hooks.signalbox.example"
	root = "../../.."
)

// The times of a deployment: TestTheTimesAreTheTemplates compares.
const (
	functionTime = 30 * time.Second
	drainTime    = 120 * time.Second // of what delivers what is parked
	lease        = 35 * time.Second
	visibility   = 42 * time.Second
	attempt      = 10 * time.Second
)

// How many connectors a mapping starts at most, and how many deliveries a drain puts into one call.
const (
	connectors = 20
	widest     = 100
)

// output collects what the functions would have written to standard output.
type output struct {
	mu sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Buffer.Write(p)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.String()
}

// pipeline is everything between a webhook of a channel and a CRM.
type pipeline struct {
	t                      testing.TB
	config, state, spool   *memstore.Store
	events, eventsDead     *memqueue.Queue
	deliver, deliverDead   *memqueue.Queue
	crm                    simulatortest.CRM
	kind                   string // the CRM's
	timeline               *tenant.TimelineContent
	about                  simulatortest.About
	api                    string       // below which all the CRM's paths are
	portal                 http.Handler // its simulator
	outage                 outage
	client                 *samples.Client // of the demo tenant's providers
	provider, account      string          // that people write to, of the demo tenant
	line                   string
	adapter                *adapter.Adapter
	route, connect, record *queue.Worker
	drain                  *adapter.Drain
	logs                   *output
	logger                 *slog.Logger
	meter                  *telemetry.Meter
	identity               telemetry.Identity
	directory              *tenant.Directory
	peppers                *tenant.Peppers
	file                   tenant.File
	box                    *keyring.Box
	persons                *memstore.Store
	ring                   *keyring.Ring
	objects                *memobjects.Store
	sealer                 *claimcheck.Sealer
	authToken              string
	stop                   context.CancelFunc
	running                sync.WaitGroup
	batches                atomic.Int64 // that mappings received
	concurrency            int
	registered             map[string]int // what was registered, by its key, and how often it is in the CRM
}

// outage stands between the connector and the portal and answers in its place until an instant.
type outage struct {
	portal http.RoundTripper
	mu     sync.Mutex
	prefix string // of paths, or a host
	status int
	body   string
	until  time.Time
}

func (o *outage) begin(prefix string, status int, body string, lasts time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.prefix, o.status, o.body, o.until = prefix, status, body, time.Now().Add(lasts)
}

// panics makes the connector's own client panic, as a defect in it would.
func (o *outage) panics(prefix string, lasts time.Duration) { o.begin(prefix, -1, "", lasts) }

func (o *outage) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	prefix, status, body, until := o.prefix, o.status, o.body, o.until
	o.mu.Unlock()
	if !time.Now().Before(until) || !strings.HasPrefix(r.URL.Path, prefix) && r.URL.Host != prefix {
		return o.portal.RoundTrip(r)
	}
	if status < 0 {
		panic("a defect, and the person's number " + r.URL.String())
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// refuse lets every request be refused as the portal does.
func (o *outage) refuse(f simulatortest.Fault, lasts time.Duration) {
	o.begin(f.Match, f.Status, string(f.Body), lasts)
}

// options change a pipeline before it runs.
type options struct {
	crm                    string // its kind, the first one's when empty
	stateFault, spoolFault func(memstore.Call) memstore.Fault
	concurrency            int           // mappings' pollers, 4 when zero
	visibility             time.Duration // of the queues, as a deployment's when zero
	quiet                  bool
	timeline               *tenant.TimelineContent // a record a message when nil
}

func newPipeline(t testing.TB, o options) *pipeline {
	t.Helper()
	p := &pipeline{
		t: t, logs: &output{}, concurrency: max(o.concurrency, 1), kind: o.crm, registered: map[string]int{}, timeline: o.timeline,
	}
	if p.kind == "" {
		p.kind = firstCRM(t)
	}
	p.crm = plugins.CRMs()[p.kind]
	if o.concurrency == 0 {
		p.concurrency = 4
	}
	p.config, p.state, p.spool, p.persons = memstore.New(), memstore.New(), memstore.New(), memstore.New()
	if o.stateFault != nil {
		p.state = memstore.New(memstore.Faulty(o.stateFault))
	}
	if o.spoolFault != nil {
		p.spool = memstore.New(memstore.Faulty(o.spoolFault))
	}
	retention := 14 * 24 * time.Hour
	fifo := func(name string, dead *memqueue.Queue) *memqueue.Queue {
		queueOptions := memqueue.Options{Name: name + ".fifo", Visibility: cmp.Or(o.visibility, visibility), Retention: retention, DeadLetters: dead}
		if dead != nil {
			queueOptions.MaxReceives = 1000
		}
		return memqueue.New(queueOptions)
	}
	p.eventsDead, p.deliverDead = fifo("events-dead", nil), fifo("deliver-dead", nil)
	p.events, p.deliver = fifo("events", p.eventsDead), fifo("deliver", p.deliverDead)
	p.connectTo(p.crm.Simulator(0))

	var sink interface{ Write([]byte) (int, error) } = p.logs
	if o.quiet {
		sink = discard{}
	}
	id := telemetry.Identity{Function: "ring1", Version: "1"}
	logger, meter := telemetry.NewLogger(sink, id), telemetry.NewMeter(sink, id)
	p.logger, p.meter, p.identity = logger, meter, id
	p.load()
	p.wire()
	p.publish()
	return p
}

// firstCRM returns the kind of CRM that stands for all: what is tested here is the same with each. It is the demo tenant's first.
func firstCRM(t testing.TB) string {
	t.Helper()
	demo, err := samples.ReadTenant(filepath.Join(root, samples.DemoTenant))
	if err != nil || len(demo.Tenant.CRMs) == 0 {
		t.Fatal("the demo tenant has no CRM", err)
	}
	return demo.Tenant.CRMs[0].Kind
}

// connectTo puts a simulator in the portal's place.
func (p *pipeline) connectTo(portal http.Handler) {
	p.portal, p.outage.portal = portal, simulatortest.Transport(portal)
	p.control(http.MethodGet, "", nil, &p.about)
	p.api = p.about.Failures[0].Match
}

// control asks the simulator what is for tests.
func (p *pipeline) control(method, path string, body, reply any) {
	p.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	p.portal.ServeHTTP(answer, httptest.NewRequestWithContext(context.Background(), method, "/_simulator"+path, bytes.NewReader(data)))
	if answer.Code >= http.StatusBadRequest || reply != nil && json.Unmarshal(answer.Body.Bytes(), reply) != nil {
		p.t.Fatalf("%s %s: %d %s", method, path, answer.Code, answer.Body)
	}
}

// spoil makes the next requests to the portal fail.
func (p *pipeline) spoil(f simulatortest.Fault) { p.control(http.MethodPost, "/faults", f, nil) }

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func (p *pipeline) wire() {
	logger, meter, master := p.logger, p.meter, memkeys.New()
	p.box, p.peppers = keyring.NewBox(master, rand.NewChaCha8([32]byte{})), tenant.NewPeppers(pepper{}, "pepper")
	p.ring = keyring.New(keyring.Options{Keys: master, Tenants: p.config, Persons: p.persons, Random: cryptorand.Reader})
	p.objects = memobjects.New()
	p.sealer = claimcheck.New(p.ring, p.objects)
	p.directory = tenant.NewDirectory(p.config, p.box, logger, meter)
	p.adapter = p.newAdapter(p.provider, p.events)
	p.drain = &adapter.Drain{Records: p.spool, Events: p.events, Margin: time.Second, Logger: logger, Meter: meter}
	p.route = p.newRoute(p.state, p.events, p.deliver)
	p.connect = p.newConnect(p.state, &p.outage)
	p.record = p.worker("dead-letters", deadletter.NewRecorder(p.state, logger, meter), nil)
}

// worker returns a worker with the times of a deployment.
func (p *pipeline) worker(stage string, h queue.Handler, dead queue.Publisher) *queue.Worker {
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	return &queue.Worker{
		Stage: stage, Handler: h, DeadLetters: dead, Patience: 24 * time.Hour, BlockedWait: 15 * time.Minute,
		BackoffMin: 2 * time.Second, BackoffMax: 15 * time.Minute, MessageTime: 20 * time.Second, SoftMargin: 3 * time.Second,
		Random: func() float64 { mu.Lock(); defer mu.Unlock(); return random.Float64() },
		Logger: p.logger, Meter: p.meter, Identity: p.identity,
	}
}

// newAdapter returns a provider's adapter that sends to events.
func (p *pipeline) newAdapter(provider string, events queue.Publisher) *adapter.Adapter {
	made, ok := plugins.Channels()[provider].(interface {
		Receiver(publicBaseURL string) (adapter.Channel, error)
	})
	if !ok {
		p.t.Fatalf("the samples of %s tell of no Receiver", provider)
	}
	channel, err := made.Receiver(base)
	if err != nil {
		p.t.Fatal(err)
	}
	return adapter.New(p.sealer, adapter.Parts{
		Channel: channel, Directory: p.directory, Peppers: p.peppers,
		Sinks:       adapter.Sinks(events, adapter.NewSpool(p.spool)),
		DeadLetters: adapter.NewDeadLetters(p.ring, p.spool, p.state, "1"),
		Aliases:     p.state,
		Requests:    adapter.NewRequests(p.state),
		Logger:      p.logger, Meter: p.meter,
	})
}

// opening returns a worker whose handler gets what was sealed.
func (p *pipeline) opening(stage string, h queue.Handler, dead queue.Publisher) *queue.Worker {
	w := p.worker(stage, nil, dead)
	envelope.OpenFor(w, p.sealer, h)
	return w
}

// stateTable is what a router needs of it.
type stateTable interface {
	router.Store
	router.Log
}

// newRoute returns the worker of a router's process.
func (p *pipeline) newRoute(s stateTable, events, deliver queue.Publisher) *queue.Worker {
	worker := p.opening("route", router.New(p.sealer, router.Parts{
		Store: s, Log: s, Tenants: p.directory, Peppers: p.peppers, Engine: rules.Ordered{},
		Events: events, Claims: idempotency.New(s, lease), Outbox: p.outbox(p.kind, deliver, p.eventsDead),
	}), p.eventsDead)
	worker.Runs = true
	return worker
}

// outbox returns where a router sends what a kind of CRM is to do, with one queue.
func (p *pipeline) outbox(kind string, to, dead queue.Publisher) router.Outbox {
	return router.Outbox{
		Deliveries: map[string]queue.Publisher{kind: to}, DeadLetters: dead, Version: "1", Logger: p.logger, Meter: p.meter,
	}
}

// claimTable is what a connector needs of it.
type claimTable interface {
	conversation.Store
	idempotency.Store
}

// newConnect returns the worker of a connector's process.
func (p *pipeline) newConnect(s claimTable, portal http.RoundTripper) *queue.Worker {
	gates := connector.NewGates(connector.GateOptions{Probe: 15 * time.Minute, Kind: p.kind, Store: s, Concurrency: connectors, Attempt: attempt, Logger: p.logger, Meter: p.meter})
	w := p.deliverer(s, portal, connector.Width, gates)
	w.Handler = gates.Before(w.Handler)
	return w
}

// deliverer returns a worker that delivers, width in a call.
func (p *pipeline) deliverer(s claimTable, portal http.RoundTripper, width int, gates *connector.Gates) *queue.Worker {
	return p.opening("deliver-"+p.kind, p.crm.Deliver(p.parts(portal), connector.Options{
		Claims: idempotency.New(s, lease), Store: s, Opener: p.sealer, Links: connector.ThreadLinks{Store: s}, AtOnce: gates == nil, Width: width, Gates: gates, Mappings: connector.NewMappings(p.directory),
		Attempt: attempt, Logger: p.logger, Meter: p.meter,
	}), p.deliverDead)
}

// drainTable is what a drain of parked deliveries needs of it.
type drainTable interface {
	claimTable
	connector.GateStore
}

// newDrain returns what drains what is parked, as a process has it.
func (p *pipeline) newDrain(s drainTable, portal http.RoundTripper) *connector.Drain {
	return connector.NewDrain(connector.DrainOptions{
		Probe: 15 * time.Minute, Lease: lease, Kind: p.kind, Store: s, Worker: p.deliverer(s, portal, widest, nil), Receipts: p.shower(portal, 0, nil, p.deliverDead),
		Logger: p.logger, Meter: p.meter,
	})
}

// shower returns a worker that shows how far messages got.
func (p *pipeline) shower(portal http.RoundTripper, pause time.Duration, gates *connector.Gates, dead queue.Publisher) *queue.Worker {
	return unordered(p.worker("receipts-"+p.kind, connector.NewReceipts(connector.ReceiptOptions{
		CRM: p.crm.Statuses(p.parts(portal)), Store: p.state, Width: p.crm.Width, Pause: pause, Attempt: attempt, Gates: gates, Logger: p.logger, Meter: p.meter,
	}), dead))
}

// drainGates runs drains as their schedule would, each by a process of its own.
func (p *pipeline) drainGates(ctx context.Context, run func(ctx context.Context)) {
	p.running.Go(func() {
		for connector.Wait(ctx, time.Minute) == nil {
			p.running.Go(func() {
				invocation, cancel := context.WithTimeout(ctx, drainTime)
				defer cancel()
				run(invocation)
			})
		}
	})
}

// parked returns what is parked of a tenant's.
func (p *pipeline) parked(tenant string) (all []store.Record) {
	for r := range p.state.All() {
		if strings.HasPrefix(r.Partition, tenant+"/pending/") {
			all = append(all, r)
		}
	}
	return all
}

// waitingIDs returns the ids of all messages that are parked.
func (p *pipeline) waitingIDs() (ids []string) {
	for r := range p.state.All() {
		if strings.Contains(r.Partition, "/pending/") {
			_, id, _ := strings.Cut(r.Sort, "/")
			ids = append(ids, id)
		}
	}
	return ids
}

// gates returns how many tenants have a gate that is closed.
func (p *pipeline) gates() int {
	closed, _ := p.state.Walk(store.Range{Partition: "gates:" + p.kind})
	return len(closed)
}

// parts returns what a process of the CRM's behind portal is made of.
func (p *pipeline) parts(portal http.RoundTripper) simulatortest.Parts {
	return simulatortest.Parts{
		Tenants: p.directory, Client: &http.Client{Transport: portal}, Store: p.state, Box: p.box, Logger: p.logger, Meter: p.meter,
	}
}

type pepper struct{}

func (pepper) Secret(context.Context, string) (secret.Versions, error) {
	return secret.Versions{"ring 1 pepper"}, nil
}

// load reads the demo tenant's file: the first account that people can write to, and the one CRM here.
func (p *pipeline) load() {
	p.t.Helper()
	path := filepath.Join(root, samples.DemoTenant)
	plain, err := samples.ReadTenant(path)
	if err != nil {
		p.t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	if p.file, err = tenant.Decode(data); err != nil {
		p.t.Fatal(err)
	}
	p.file.Tenant.Timeline = p.timeline
	if p.timeline == nil {
		p.file.Tenant.Timeline = &tenant.TimelineContent{Granularity: tenant.ByMessage, Conversations: new(false)}
	}
	p.file.Tenant.CRMs = slices.DeleteFunc(p.file.Tenant.CRMs, func(c tenant.CRM) bool { return c.Kind != p.kind })
	for _, seller := range p.file.Tenant.Leads.People {
		maps.DeleteFunc(seller.Users, func(crm, _ string) bool { return crm != p.file.Tenant.CRMs[0].Name })
	}
	for i, rule := range p.file.Tenant.Rules.Rules {
		p.file.Tenant.Rules.Rules[i].Then = slices.DeleteFunc(rule.Then, func(a rules.Action) bool { return a.CRM != "*" && a.CRM != p.file.Tenant.CRMs[0].Name })
	}
	p.client = samples.NewTenantClient(plugins.Channels(), samples.Target{PublicBaseURL: base}, plain)
	first := p.client.New(samples.Load{Kind: samples.Message})
	p.provider, p.account = first.Provider(), first.Account()
	for _, a := range plain.Accounts {
		if a.ID == p.account {
			p.authToken = string(a.AuthToken)
		}
	}
	for _, l := range p.file.Lines {
		if l.Account == p.account && slices.Contains(l.Channels, canonical.SMS) {
			p.line = cmp.Or(p.line, l.Address)
		}
	}
}

// publish puts the demo tenant's file in force.
func (p *pipeline) publish() {
	p.t.Helper()
	if _, err := tenant.Publish(p.t.Context(), p.config, p.box, p.peppers, p.file); err != nil {
		p.t.Fatal(err)
	}
}

// start runs what Lambda's event source mappings would: pollers that receive a batch, let a worker judge it, delete what is
// done and hide the rest as long as the worker says.
func (p *pipeline) start() {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	for range p.concurrency {
		p.poll(ctx, p.events, p.route)
		p.poll(ctx, p.deliver, p.connect)
	}
	p.drainGates(ctx, func(ctx context.Context) { _, _ = p.newDrain(p.state, &p.outage).Run(ctx) }) // an error leaves the rest to the next minute
	p.poll(ctx, p.eventsDead, p.record)
	p.poll(ctx, p.deliverDead, p.record)
}

func (p *pipeline) poll(ctx context.Context, q *memqueue.Queue, w *queue.Worker) {
	p.running.Go(func() {
		for ctx.Err() == nil {
			batch, err := q.Receive(ctx, memqueue.Request{Max: 10, Wait: memqueue.MaxWait})
			if err != nil {
				time.Sleep(time.Second) // as Lambda's pollers do not hammer either
			}
			if len(batch) == 0 {
				continue
			}
			p.work(ctx, q, w, batch)
		}
	})
}

func (p *pipeline) work(ctx context.Context, q *memqueue.Queue, w *queue.Worker, batch []memqueue.Delivery) {
	p.batches.Add(1)
	received := make([]queue.Received, len(batch))
	for i, d := range batch {
		received[i] = d.Received
	}
	invocation, cancel := context.WithTimeout(ctx, functionTime)
	defer cancel()
	p.settle(ctx, q, batch, w.Process(invocation, received))
}

// settle deletes what is done and hides the rest.
func (p *pipeline) settle(ctx context.Context, q *memqueue.Queue, batch []memqueue.Delivery, verdicts []queue.Verdict) {
	var done []string
	var waits []memqueue.Wait
	for i, v := range verdicts {
		if v.Done {
			done = append(done, batch[i].ReceiptHandle)
		} else {
			waits = append(waits, memqueue.Wait{ReceiptHandle: batch[i].ReceiptHandle, For: v.Wait})
		}
	}
	settle := context.WithoutCancel(ctx)
	if len(done) > 0 {
		_, _ = q.Delete(settle, done...)
	}
	if len(waits) > 0 {
		_, _ = q.ChangeVisibility(settle, waits...)
	}
}

// halt ends the pollers.
func (p *pipeline) halt() {
	p.stop()
	p.running.Wait()
}

// settled waits, in virtual time, until nothing is queued or parked, and fails after limit.
func (p *pipeline) settled(limit time.Duration) {
	p.t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		busy := p.gates()
		for _, q := range []*memqueue.Queue{p.events, p.deliver, p.eventsDead, p.deliverDead} {
			c := q.Counters()
			busy += c.Visible + c.InFlight
		}
		if busy == 0 {
			return
		}
		time.Sleep(time.Second) // virtual: every test of this package runs in a bubble
	}
	p.t.Fatalf("after %v messages still wait: events %+v, deliver %+v", limit, p.events.Counters(), p.deliver.Counters())
}

// message is what a person writes.
type message struct {
	to                              *samples.Client // of another tenant; nil is the demo tenant's
	number, from, text, name, media string
	line                            string // the account's first number when empty
	user                            string // what the channel knows the sender by, beside a number or in its place
	channel                         canonical.Channel
}

// sample returns a message as the provider sends it.
func (p *pipeline) sample(m message) samples.Sample {
	return cmp.Or(m.to, p.client).New(samples.Load{
		Kind: samples.Message, Number: m.number, Person: m.from, Line: m.line, Text: m.text, Name: m.name, Media: m.media, Channel: m.channel, User: m.user,
	})
}

// send posts a message, signed as its provider signs, and returns the status.
func (p *pipeline) send(m message) int {
	p.t.Helper()
	return p.receive(p.adapter, p.posted(cmp.Or(m.to, p.client), p.sample(m)))
}

// posted returns the signed request of a sample.
func (p *pipeline) posted(client *samples.Client, s samples.Sample) webhook.Request {
	p.t.Helper()
	request, err := client.Request(context.Background(), s)
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return webhook.Request{Method: request.Method, Path: s.Path, Header: request.Header, Body: body}
}

// postedBy is posted with another path and token than the sample's.
func (p *pipeline) postedBy(s samples.Sample, path string, token secret.Value) webhook.Request {
	p.t.Helper()
	r := p.posted(p.client, s)
	kind := r.Header.Get("Content-Type")
	r.Path, r.Header = path, plugins.Channels()[s.Provider()].Sign(base+path, r.Body, token, time.Now())
	r.Header.Set("Content-Type", kind)
	return r
}

// receive gives a request to an adapter and returns the status.
func (*pipeline) receive(a *adapter.Adapter, r webhook.Request) int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r.Received = time.Now()
	return a.Receive(ctx, r).Status
}

// number returns what the n-th message is called.
func number(n int) string { return fmt.Sprintf("%032x", n) }

// event returns the id of the n-th message's event.
func (p *pipeline) event(n int) canonical.EventID {
	return p.client.EventID(p.sample(message{number: number(n)}))
}

// key returns the external id of the n-th message's record.
func (p *pipeline) key(n int) string {
	return p.client.MessageKey(p.sample(message{number: number(n)}))
}

// held returns the records of an object type.
func (p *pipeline) held(object string) (records []simulatortest.Record) {
	p.t.Helper()
	p.control(http.MethodGet, "/records?object="+url.QueryEscape(object), nil, &records)
	return records
}

// messages returns the records of messages.
func (p *pipeline) messages() []simulatortest.Record { return p.held(p.about.Messages) }

// people returns the records of people, of the first object that there is one of for each.
func (p *pipeline) people() []simulatortest.Record { return p.held(p.about.People[0]) }

// has reports whether any property of a record has a value.
func has(r simulatortest.Record, value string) bool {
	return slices.Contains(slices.Collect(maps.Values(r.Properties)), value)
}

// dead returns the dead letters that were recorded.
func (p *pipeline) dead() []string {
	var found []string
	for record := range p.state.All() {
		if strings.Contains(record.Partition, "/dead/") {
			found = append(found, record.Partition+" "+record.Sort)
		}
	}
	return found
}

// check fails unless the portal holds exactly one record for each message, associated with one person, each thread's
// in the order of its numbers, at most one of whatever was registered, and nothing was given up. The sender of message n is sender(n).
func (p *pipeline) check(count int, sender func(n int) string) {
	p.t.Helper()
	if dead := p.dead(); len(dead) > 0 {
		p.t.Errorf("dead letters: %v\n%s", dead, p.logs.text())
	}
	numbers := map[string]int{}
	for n := range count {
		numbers[p.key(n)] = n
	}
	seen := map[int]int{}
	last := map[string]int{}
	record := map[string]string{}    // by person
	for _, c := range p.messages() { // oldest first
		n, ok := numbers[c.Properties[p.about.Key]]
		if times, told := p.registered[c.Properties[p.about.Key]]; told && times == 0 {
			p.registered[c.Properties[p.about.Key]]++
			continue
		}
		if !ok {
			p.t.Errorf("record %s is of no message that was sent, or one too many", c.ID)
			continue
		}
		seen[n]++
		who := sender(n)
		if before, ok := last[who]; ok && before > n {
			p.t.Errorf("message %d was written after message %d of its thread", n, before)
		}
		last[who] = n
		people := c.Associations[p.about.People[0]]
		if len(people) != 1 {
			p.t.Errorf("message %d is associated with %d people", n, len(people))
			continue
		}
		if other, ok := record[who]; ok && other != people[0] {
			p.t.Errorf("one person has records %s and %s", other, people[0])
		}
		record[who] = people[0]
	}
	for n := range count {
		if seen[n] != 1 {
			p.t.Errorf("message %d is in the CRM %d times", n, seen[n])
		}
	}
	for _, object := range p.about.People {
		if held := len(p.held(object)); held != len(record) {
			p.t.Errorf("%d people became %d %s", len(record), held, object)
		}
	}
}

// secondHost is where the CRM of the second tenant is.
const secondHost = "second.example"

// secondTenant publishes a tenant with an account and a CRM of its own, and returns its provider.
func (p *pipeline) secondTenant() *samples.Client {
	p.t.Helper()
	const address = "+15557650002"
	f := p.file
	f.Tenant.ID, f.Tenant.Name = "second", "Second"
	f.Tenant.CRMs = slices.Clone(f.Tenant.CRMs)
	crm, first := &f.Tenant.CRMs[0], f.Tenant.CRMs[0].BaseURL
	crm.BaseURL = "http://" + secondHost
	crm.Settings = bytes.ReplaceAll(crm.Settings, []byte(`"`+first+`"`), []byte(`"`+crm.BaseURL+`"`)) // where its tokens are given is there, too
	i := slices.IndexFunc(f.Accounts, func(a tenant.AccountContent[secret.Value]) bool { return a.ID == p.account })
	f.Accounts = slices.Clone(f.Accounts[i : i+1])
	own := &f.Accounts[0]
	own.ID, own.ProviderAccount = "second-account", own.ProviderAccount[:len(own.ProviderAccount)-1]+"5"
	i = slices.IndexFunc(f.Lines, func(l tenant.LineContent) bool { return l.Account == p.account && l.Address == p.line })
	f.Lines = slices.Clone(f.Lines[i : i+1])
	f.Lines[0].ID, f.Lines[0].Account, f.Lines[0].Address = "second-line", own.ID, address
	if _, err := tenant.Publish(p.t.Context(), p.config, p.box, p.peppers, f); err != nil {
		p.t.Fatal(err)
	}
	plain := samples.Tenant{Accounts: []samples.Account{{ID: own.ID, Provider: own.Provider, ProviderAccount: own.ProviderAccount, AuthToken: own.AuthToken}}}
	plain.Tenant.ID = f.Tenant.ID
	plain.Lines = append(plain.Lines, samples.Line{Account: own.ID, Address: address})
	return samples.NewTenantClient(plugins.Channels(), samples.Target{PublicBaseURL: base}, plain)
}

// drainUntilEmpty runs the spool's drain as its schedule would, until nothing is spooled.
func (p *pipeline) drainUntilEmpty() {
	p.t.Helper()
	for range 200 {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		_ = p.drain.Run(ctx) // an error leaves the rest to the next run
		cancel()
		left := 0
		for record := range p.spool.All() {
			if strings.HasPrefix(record.Partition, "spool/") {
				left++
			}
		}
		if left == 0 {
			return
		}
		time.Sleep(time.Minute)
	}
	p.t.Fatal("the spool is never empty")
}
