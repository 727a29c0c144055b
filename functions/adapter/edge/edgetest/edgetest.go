// Package edgetest is the door for canonical events with everything behind it in memory: what tests of its clients talk to.
package edgetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/edge"
	"signalbox/shared/canonical"
	"signalbox/shared/deadletter"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/secret"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

// What the door knows: an account and its lines.
const (
	Account = "acme-site"
	Chat    = "chat.acme.example" // of web
	Support = "help.acme.example" // of web, too
	Phone   = "+15557654321"      // of rcs and sms
	Apple   = "support@acme.example"
)

// Secret is the account's key at first.
const Secret = secret.Value("whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=")

// Door is an account's door. It is an http.Handler.
type Door struct {
	State   *memstore.Store
	adapter *adapter.Adapter
	ring    *keyring.Ring
	spool   *memstore.Store
	output  bytes.Buffer

	mu      sync.Mutex
	spoiled bool
	keys    secret.Versions
	status  []int // of the next answers, in place of the door's own
	events  []canonical.Event
}

// New returns a door that is signed at with keys, Secret if there are none.
func New(keys ...secret.Value) *Door {
	ring := keyring.New(keyring.Options{Keys: memkeys.New(), Tenants: memstore.New(), Random: rand.Reader})
	d := &Door{State: memstore.New(), spool: memstore.New(), ring: ring, keys: keys}
	if len(keys) == 0 {
		d.keys = secret.Versions{Secret}
	}
	id := telemetry.Identity{Function: "edgeReceive", Version: "1"}
	d.adapter = adapter.New(d.ring, adapter.Parts{
		Channel: &edge.Channel{}, Directory: d, Peppers: d, Sinks: adapter.Sinks(d, adapter.NewSpool(d.spool)),
		DeadLetters: adapter.NewDeadLetters(d.ring, d.spool, d.State, id.Version),
		Requests:    adapter.NewRequests(d.State), Outbox: adapter.NewOutbox(d.State, d.ring),
		Logger: telemetry.NewLogger(&d.output, id), Meter: telemetry.NewMeter(&d.output, id),
	})
	return d
}

// Fail makes the next answers these statuses, in place of the door's own: 0 is no answer at all.
func (d *Door) Fail(statuses ...int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status = append(d.status, statuses...)
}

// Spoil makes the door fail at what it accepts, or mends it.
func (d *Door) Spoil(spoiled bool) { d.spoiled = spoiled }

// Redrive parses what was given up again, and returns what became of each.
func (d *Door) Redrive(ctx context.Context) (redrive.Result, error) {
	q := redrive.Common{Action: redrive.Redrive, Tenant: "acme", By: "ops", Reason: "mended"}
	for r := range d.State.All() {
		if letter, ok := deadletter.Read(r); ok && strings.HasPrefix(r.Sort, "dead/") {
			q.IDs = append(q.IDs, letter.ID)
		}
	}
	return adapter.NewReparser(d.adapter, d.State, d.spool).Reparse(ctx, q)
}

// Events returns what was accepted, each event once, in order.
func (d *Door) Events() []canonical.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.events)
}

// Output returns the log and the metrics.
func (d *Door) Output() string { return d.output.String() }

// Receive handles one request.
func (d *Door) Receive(ctx context.Context, r webhook.Request) webhook.Response {
	return d.adapter.Receive(ctx, r)
}

// ServeHTTP serves one request as the gateway would.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	status := -1
	if r.Method != http.MethodOptions && len(d.status) > 0 {
		status, d.status = d.status[0], d.status[1:]
	}
	d.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil || status == 0:
		panic(http.ErrAbortHandler)
	case status > 0:
		w.WriteHeader(status)
		return
	}
	answer := d.adapter.Receive(r.Context(), webhook.Request{
		Method: r.Method, Path: r.URL.Path, RawQuery: r.URL.RawQuery, Header: r.Header, Body: body, Received: time.Now(),
	})
	for name, value := range answer.Header {
		w.Header().Set(name, value)
	}
	if answer.ContentType != "" {
		w.Header().Set("Content-Type", answer.ContentType)
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body)
}

// Account implements adapter.Directory.
func (d *Door) Account(_ context.Context, id string) (tenant.Account, error) {
	if id != Account {
		return tenant.Account{}, tenant.ErrUnknown
	}
	return tenant.Account{ID: Account, TenantID: "acme", Provider: edge.Provider, ProviderAccount: Account, AuthTokens: d.keys}, nil
}

// Line implements adapter.Directory.
func (d *Door) Line(_ context.Context, account, address string, channel canonical.Channel) (tenant.Line, error) {
	if d.spoiled {
		panic("a defect")
	}
	for _, line := range []tenant.Line{
		{ID: "chat", Address: "web:" + Chat, Channels: []canonical.Channel{canonical.Web}},
		{ID: "help", Address: "web:" + Support, Channels: []canonical.Channel{canonical.Web}},
		{ID: "phone", Address: Phone, Channels: []canonical.Channel{canonical.RCS, canonical.SMS}},
		{ID: "apple", Address: Apple, Channels: []canonical.Channel{canonical.IMessage}},
	} {
		if account != Account || address != line.Address {
			continue
		}
		if channel != "" && !line.Serves(channel) {
			return tenant.Line{}, tenant.ErrUnserved
		}
		line.TenantID, line.AccountID, line.RawVendor = "acme", account, tenant.RawVendorFull
		return line, nil
	}
	return tenant.Line{}, tenant.ErrUnknown
}

// Pepper implements adapter.Peppers.
func (*Door) Pepper(_ context.Context, tenant string) (canonical.Pepper, error) {
	return canonical.NewPepper("pepper-for-tests", tenant), nil
}

// Publish implements queue.Publisher: it opens what it gets, and drops what it had.
func (d *Door) Publish(ctx context.Context, messages ...queue.Message) error {
	for _, m := range messages {
		plain, _, err := envelope.Open(ctx, d.ring, m.Body)
		if err != nil {
			return err
		}
		var e canonical.Event
		if err := json.Unmarshal(plain, &e); err != nil {
			return fault.New(fault.Permanent, "event", err)
		}
		d.mu.Lock()
		if !slices.ContainsFunc(d.events, func(held canonical.Event) bool { return held.EventID == e.EventID }) {
			d.events = append(d.events, e)
		}
		d.mu.Unlock()
	}
	return nil
}
