package ring1

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	cryptorand "crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/twilio"
	"signalbox/functions/connector"
	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/functions/deadletter"
	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/envelope"
	"signalbox/shared/idempotency"
	"signalbox/shared/keyring"
	"signalbox/shared/keys"
	"signalbox/shared/keys/memkeys"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/rules"
	"signalbox/shared/secret"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

const (
	base    = "https://hooks.signalbox.example"
	account = "demo-twilio"
	line    = "+15557654321"
)

// The times of a deployment: TestTheTimesAreTheTemplates compares.
const (
	functionTime = 30 * time.Second
	lease        = 35 * time.Second
	visibility   = 42 * time.Second
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

// pipeline is everything between a webhook and HubSpot.
type pipeline struct {
	t                      testing.TB
	config, state, spool   *memstore.Store
	events, eventsDead     *memqueue.Queue
	deliver, deliverDead   *memqueue.Queue
	portal                 *simulator.Simulator
	outage                 outage
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
	box                    *keys.Box
	persons                *memstore.Store
	ring                   *keyring.Ring
	accountSID, authToken  string
	stop                   context.CancelFunc
	running                sync.WaitGroup
	concurrency            int
}

// outage stands between the connector and the portal and answers in its place until an instant.
type outage struct {
	portal http.RoundTripper
	mu     sync.Mutex
	prefix string
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
	if !time.Now().Before(until) || !strings.HasPrefix(r.URL.Path, prefix) {
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

// options change a pipeline before it runs.
type options struct {
	stateFault, spoolFault func(memstore.Call) memstore.Fault
	concurrency            int           // mappings' pollers, 4 when zero
	visibility             time.Duration // of the queues, as a deployment's when zero
	quiet                  bool
}

func newPipeline(t testing.TB, o options) *pipeline {
	t.Helper()
	p := &pipeline{t: t, logs: &output{}, concurrency: max(o.concurrency, 1)}
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
	p.eventsDead, p.deliverDead = fifo("events-dead", nil), fifo("deliver-hubspot-dead", nil)
	p.events, p.deliver = fifo("events", p.eventsDead), fifo("deliver-hubspot", p.deliverDead)
	p.portal = simulator.New(simulator.Options{})
	p.outage.portal = simulator.Transport(p.portal)

	var sink interface{ Write([]byte) (int, error) } = p.logs
	if o.quiet {
		sink = discard{}
	}
	id := telemetry.Identity{Function: "ring1", Version: "1"}
	logger, meter := telemetry.NewLogger(sink, id), telemetry.NewMeter(sink, id)
	p.logger, p.meter, p.identity = logger, meter, id
	p.wire()
	p.load("../../../events/tenants/demo.json")
	return p
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func (p *pipeline) wire() {
	logger, meter := p.logger, p.meter
	master := memkeys.New()
	p.box = keys.NewBox(master, rand.NewChaCha8([32]byte{}))
	p.ring = keyring.New(keyring.Options{Keys: master, Tenants: p.config, Persons: p.persons, Random: cryptorand.Reader})
	p.directory = tenant.NewDirectory(p.config, p.box, logger, meter)
	p.peppers = tenant.NewPeppers(pepper{}, "pepper")
	p.adapter = p.newAdapter(p.events)
	p.drain = &adapter.Drain{Records: p.spool, Events: p.events, Margin: time.Second, Logger: logger, Meter: meter}
	p.route = p.newRoute(p.state, p.deliver)
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

// newAdapter returns an adapter that sends to events.
func (p *pipeline) newAdapter(events queue.Publisher) *adapter.Adapter {
	channel, err := twilio.New(base)
	if err != nil {
		p.t.Fatal(err)
	}
	return adapter.New(p.ring, adapter.Parts{
		Channel: channel, Directory: p.directory, Peppers: p.peppers,
		Sinks:       adapter.Sinks(events, adapter.NewSpool(p.spool)),
		DeadLetters: adapter.NewDeadLetters(p.ring, p.spool, p.state, "1"),
		Logger:      p.logger, Meter: p.meter,
	})
}

// opening opens what a handler gets.
func (p *pipeline) opening(h queue.Handler) queue.Handler {
	return &envelope.Opening{Handler: h, Opener: p.ring, Logger: p.logger, Meter: p.meter}
}

// stateTable is what a router needs of it.
type stateTable interface {
	router.Store
	router.Log
}

// newRoute returns the worker of a router's process.
func (p *pipeline) newRoute(s stateTable, deliver queue.Publisher) *queue.Worker {
	return p.worker("route", p.opening(router.New(p.ring, router.Parts{
		Store: s, Log: s, Tenants: p.directory, Peppers: p.peppers, Engine: rules.Ordered{},
		Claims: idempotency.New(s, lease), Outbox: p.outbox("hubspot", deliver, p.eventsDead),
	})), p.eventsDead)
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
	return p.worker("deliver-hubspot", p.opening(connector.New(p.crm(portal), connector.Options{
		Claims: idempotency.New(s, lease), Store: s, Links: connector.ThreadLinks{Store: s}, Width: connector.Width,
		Attempt: 10 * time.Second, Logger: p.logger, Meter: p.meter,
	})), p.deliverDead)
}

// crm returns HubSpot behind portal.
func (p *pipeline) crm(portal http.RoundTripper) *hubspot.CRM {
	return hubspot.New(hubspot.Options{
		Bindings: hubspot.NewTenantBindings(p.directory), Client: &http.Client{Transport: portal}, Logger: p.logger, Meter: p.meter,
	})
}

type pepper struct{}

func (pepper) Secret(context.Context, string) (secret.Versions, error) {
	return secret.Versions{"ring 1 pepper"}, nil
}

// load publishes a tenant file.
func (p *pipeline) load(name string) {
	p.t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		p.t.Fatal(err)
	}
	var plain struct {
		Accounts []struct{ ProviderAccount, AuthToken string }
	}
	if err := json.Unmarshal(data, &plain); err != nil {
		p.t.Fatal(err)
	}
	p.accountSID, p.authToken = plain.Accounts[0].ProviderAccount, plain.Accounts[0].AuthToken
	p.file, err = tenant.Decode(data)
	if err != nil {
		p.t.Fatal(err)
	}
	p.file.Tenant.CRMs = slices.DeleteFunc(p.file.Tenant.CRMs, func(c tenant.CRMContent[secret.Value]) bool {
		return c.Kind != hubspot.Kind // the one connector here
	})
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

// settled waits, in virtual time, until nothing is queued, and fails after limit.
func (p *pipeline) settled(limit time.Duration) {
	p.t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		busy := 0
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

// message is a form as Twilio sends it.
type message struct {
	account, sid, from, to, text string // account and to are the demo tenant's when empty
	more                         map[string]string
}

func (p *pipeline) form(m message) url.Values {
	form := url.Values{
		"MessageSid": {m.sid}, "SmsSid": {m.sid}, "AccountSid": {p.accountSID}, "From": {m.from}, "To": {m.to}, "Body": {m.text},
		"NumMedia": {"0"}, "NumSegments": {"1"}, "SmsStatus": {"received"}, "ApiVersion": {"2010-04-01"}, "FromCity": {""},
	}
	if m.to == "" {
		form.Set("To", line)
	}
	for k, v := range m.more {
		form.Set(k, v)
	}
	return form
}

// send posts a message, signed as Twilio signs, and returns the status.
func (p *pipeline) send(m message) int {
	p.t.Helper()
	form := p.form(m)
	if m.account == "" {
		m.account = account
	} else {
		form.Set("AccountSid", "AC"+strings.Repeat("5", 32))
	}
	return p.post("/v1/accounts/"+m.account+"/twilio/messages", form, p.authToken)
}

func (p *pipeline) post(path string, form url.Values, token string) int {
	return p.receive(p.sign(path, form, token))
}

// posted is a signed request.
type posted struct {
	path   string
	header http.Header
	body   []byte
}

// sign signs as Twilio does.
func (p *pipeline) sign(path string, form url.Values, token string) posted {
	signed := base + path
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for k := range form {
			if !yield(k) {
				return
			}
		}
	}) {
		signed += name + form.Get(name)
	}
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(signed))
	header := http.Header{}
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return posted{path, header, []byte(form.Encode())}
}

// receive gives a request to the adapter and returns the status.
func (p *pipeline) receive(r posted) int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return p.adapter.Receive(ctx, webhook.Request{
		Method: http.MethodPost, Path: r.path, Header: r.header, Body: r.body, Received: time.Now(),
	}).Status
}

// sid returns the n-th message id.
func sid(n int) string { return fmt.Sprintf("SM%032x", n) }

// key returns the external id of a message's record.
func key(n int) string { return canonical.MessageKey("demo", "twilio", account, sid(n)) }

// held returns the records of an object type.
func (p *pipeline) held(object string) []simulator.Record {
	p.t.Helper()
	records, ok := p.portal.Records(object)
	if !ok {
		p.t.Fatalf("the simulator has no %s", object)
	}
	return records
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

// check fails unless the portal holds exactly one communication for each message, associated with one contact, each thread's
// in the order of its numbers, and nothing was given up. The sender of message n is sender(n).
func (p *pipeline) check(count int, sender func(n int) string) {
	p.t.Helper()
	if dead := p.dead(); len(dead) > 0 {
		p.t.Errorf("dead letters: %v\n%s", dead, p.logs.text())
	}
	number := map[string]int{}
	for n := range count {
		number[key(n)] = n
	}
	seen := map[int]int{}
	last := map[string]int{}
	contactOf := map[string]string{}
	for _, c := range p.held("communications") { // oldest first
		n, ok := number[c.Properties["msg_event_key"]]
		if !ok {
			p.t.Errorf("communication %s is of no message that was sent", c.ID)
			continue
		}
		seen[n]++
		who := sender(n)
		if before, ok := last[who]; ok && before > n {
			p.t.Errorf("message %d was written after message %d of its thread", n, before)
		}
		last[who] = n
		contacts := c.Associations["contacts"]
		if len(contacts) != 1 {
			p.t.Errorf("message %d is associated with %d contacts", n, len(contacts))
			continue
		}
		if other, ok := contactOf[who]; ok && other != contacts[0] {
			p.t.Errorf("one person has contacts %s and %s", other, contacts[0])
		}
		contactOf[who] = contacts[0]
	}
	for n := range count {
		if seen[n] != 1 {
			p.t.Errorf("message %d is in the CRM %d times", n, seen[n])
		}
	}
	if contacts, leads := len(p.held("contacts")), len(p.held("leads")); contacts != len(contactOf) || leads != len(contactOf) {
		p.t.Errorf("%d people became %d contacts and %d leads", len(contactOf), contacts, leads)
	}
}

// secondTenant publishes a tenant of its own account, whose CRM is at the path /second, and returns its line.
func (p *pipeline) secondTenant() string {
	p.t.Helper()
	const address = "+15557650002"
	f := p.file
	f.Tenant.ID, f.Tenant.Name = "second", "Second"
	f.Tenant.CRMs = slices.Clone(f.Tenant.CRMs)
	f.Tenant.CRMs[0].BaseURL = "http://127.0.0.1/second"
	f.Accounts = slices.Clone(f.Accounts[:1])
	f.Accounts[0].ID, f.Accounts[0].ProviderAccount = "second-twilio", "AC"+strings.Repeat("5", 32)
	f.Lines = slices.Clone(f.Lines[:1])
	f.Lines[0].ID, f.Lines[0].Account, f.Lines[0].Address = "second-line", "second-twilio", address
	if _, err := tenant.Publish(p.t.Context(), p.config, p.box, p.peppers, f); err != nil {
		p.t.Fatal(err)
	}
	return address
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
