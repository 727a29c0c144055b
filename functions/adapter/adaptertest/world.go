package adaptertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/deadletter"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/queue"
	"signalbox/shared/secret"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

// The words of the credentials of the suite's account, newest first, and of the one before the previous.
const (
	current  = secret.Value("current-token-for-tests")
	previous = secret.Value("previous-token-for-tests")
	older    = secret.Value("older-token-for-tests")
	pepper   = secret.Value("platform-pepper-for-tests")
)

// traceparent is the trace of every request of the suite that says nothing else.
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

var (
	errDown   = errors.New("adaptertest: down")
	errHidden = errors.New("adaptertest: cannot be reached")
)

// world is an adapter with everything around it in memory.
type world struct {
	provider Provider
	channel  adapter.Channel
	ring     *keyring.Ring
	spool    *memstore.Store
	events   *recorder
	state    *memstore.Store
	output   *bytes.Buffer
	lookups  []string
	received []byte // the body that was sent last

	policy     tenant.RawVendor
	spoolDown  bool
	stateDown  bool
	linesDown  bool
	noLines    bool
	noChannels bool
}

func newWorld(p Provider) *world {
	ring := keyring.New(keyring.Options{Keys: memkeys.New(), Tenants: memstore.New(), Random: rand.Reader})
	w := &world{
		provider: p, channel: p.Channel, ring: ring, events: &recorder{ring: ring}, output: &bytes.Buffer{}, policy: tenant.RawVendorRedacted,
	}
	failing := func(down *bool) memstore.Option {
		return memstore.Faulty(func(memstore.Call) memstore.Fault {
			if *down {
				return memstore.Before
			}
			return memstore.None
		})
	}
	w.spool, w.state = memstore.New(failing(&w.spoolDown)), memstore.New(failing(&w.stateDown))
	return w
}

func (w *world) adapter() *adapter.Adapter {
	id := telemetry.Identity{Function: "Receive", Version: "7"}
	return adapter.New(w.ring, adapter.Parts{
		Channel: w.channel, Directory: w, Peppers: w,
		Sinks:       adapter.Sinks(w.events, adapter.NewSpool(w.spool)),
		DeadLetters: adapter.NewDeadLetters(w.ring, w.spool, w.state, id.Version), Requests: adapter.NewRequests(w.state), Outbox: adapter.NewOutbox(w.state, w.ring),
		Logger: telemetry.NewLogger(w.output, id), Meter: telemetry.NewMeter(w.output, id),
	})
}

// send signs a request and gives it to the adapter.
func (w *world) send(t *testing.T, r webhook.Request) webhook.Response {
	t.Helper()
	return w.deliver(t, w.provider.Sign(r, w.provider.token(current)))
}

func (w *world) deliver(t *testing.T, r webhook.Request) webhook.Response {
	t.Helper()
	w.received = r.Body
	return w.adapter().Receive(telemetry.WithTrace(t.Context(), traceparent), r)
}

// drain sends what was spooled.
func (w *world) drain(t *testing.T) error {
	t.Helper()
	id := telemetry.Identity{Function: "SpoolDrain", Version: "7"}
	d := adapter.Drain{Records: w.spool, Events: w.events, Logger: telemetry.NewLogger(w.output, id), Meter: telemetry.NewMeter(w.output, id)}
	return d.Run(t.Context())
}

// held returns how many records the spool table holds below a prefix of their partition.
func (w *world) held(prefix string) int {
	n := 0
	for r := range w.spool.All() {
		if strings.HasPrefix(r.Partition, prefix) {
			n++
		}
	}
	return n
}

// bytes returns the received bytes that a dead letter points to.
func (w *world) bytes(t *testing.T, letter deadletter.Record) []byte {
	t.Helper()
	var body []byte
	for n := range letter.Parts {
		key := deadletter.PartKey(letter, n)
		records, err := w.spool.Get(t.Context(), key)
		if err != nil || records[0].Version == 0 {
			t.Fatalf("part %d: %v", n, err)
		}
		part, err := w.ring.Open(t.Context(), keyring.Place{Tenant: letter.Tenant, Purpose: "received", Name: letter.ID + " " + key.Sort}, records[0].Data)
		if err != nil {
			t.Fatalf("part %d: %v", n, err)
		}
		body = append(body, part...)
	}
	return body
}

// letters returns the dead letters that were written.
func (w *world) letters() []deadletter.Record {
	var letters []deadletter.Record
	for r := range w.state.All() {
		if strings.HasPrefix(r.Sort, "dead/") {
			if letter, ok := deadletter.Read(r); ok {
				letters = append(letters, letter)
			}
		}
	}
	return letters
}

// Account implements adapter.Directory.
func (w *world) Account(_ context.Context, id string) (tenant.Account, error) {
	w.lookups = append(w.lookups, "account")
	switch id {
	case w.provider.Account.ID:
		account := w.provider.Account
		account.AuthTokens = secret.Versions{w.provider.token(current), w.provider.token(previous)}
		account.HandshakeTokens = account.AuthTokens
		return account, nil
	case "another-providers":
		return tenant.Account{ID: id, Provider: "another"}, nil
	case "unreachable":
		return tenant.Account{}, errHidden
	default:
		return tenant.Account{}, tenant.ErrUnknown
	}
}

// Line implements adapter.Directory.
func (w *world) Line(_ context.Context, account, address string, channel canonical.Channel) (tenant.Line, error) {
	w.lookups = append(w.lookups, "line")
	if w.linesDown {
		return tenant.Line{}, errHidden
	}
	for _, line := range w.provider.Lines {
		if !w.noLines && line.AccountID == account && line.Address == address {
			if w.noChannels {
				line.Channels = nil
			}
			if channel != "" && !line.Serves(channel) {
				return tenant.Line{}, tenant.ErrUnserved
			}
			line.RawVendor = w.policy
			return line, nil
		}
	}
	return tenant.Line{}, tenant.ErrUnknown
}

// Pepper implements adapter.Peppers.
func (*world) Pepper(_ context.Context, tenant string) (canonical.Pepper, error) {
	return canonical.NewPepper(pepper, tenant), nil
}

// recorder is a queue that only remembers. It refuses the first calls, all calls, or never answers.
type recorder struct {
	ring     *keyring.Ring
	messages []queue.Message // as they were before they were sealed
	calls    int
	refuse   int // so many calls from the first
	down     bool
	silent   bool
}

// Publish implements queue.Publisher.
func (r *recorder) Publish(ctx context.Context, messages ...queue.Message) error {
	r.calls++
	if r.silent {
		<-ctx.Done()
		return ctx.Err()
	}
	if r.down || r.calls <= r.refuse {
		return fault.New(fault.Retryable, "queue_down", errDown)
	}
	for _, m := range messages {
		if slices.ContainsFunc(r.messages, func(held queue.Message) bool { return held.ID == m.ID }) {
			continue
		}
		plain, unsealed, err := envelope.Open(ctx, r.ring, m.Body)
		if err != nil || unsealed {
			return fault.New(fault.Permanent, "not_sealed", err)
		}
		m.Body = plain
		r.messages = append(r.messages, m)
	}
	return nil
}

// discard returns a logger and a meter that say nothing, for benchmarks.
func discard() (*slog.Logger, *telemetry.Meter) {
	return slog.New(slog.DiscardHandler), telemetry.NewMeter(&bytes.Buffer{}, telemetry.Identity{})
}
