// Package wire makes the functions of the adapters from their environment. A main says which channel it is for, and which of the
// functions.
package wire

import (
	"context"
	"net/http"

	"signalbox/functions/adapter"
	"signalbox/shared/aws/dynamostore"
	"signalbox/shared/aws/function"
	"signalbox/shared/canonical"
	"signalbox/shared/claimcheck"
	"signalbox/shared/hosts"
	"signalbox/shared/keyring"
	"signalbox/shared/tenant"
)

// Parts are what the functions of a channel are made of, whatever the channel.
type Parts struct {
	parts        adapter.Parts
	ring         *keyring.Ring
	sealer       *claimcheck.Sealer
	state, bytes *dynamostore.Store
	config       *dynamostore.Store
	tenants      *tenant.Directory
}

// An Option is what not every channel has.
type Option func(f *function.Function, p *Parts, spool *adapter.Spool)

// New returns the parts of f.
func New(f *function.Function, options ...Option) Parts {
	p := Parts{
		ring:  f.Ring(f.String("DATA_KEY"), f.String("CONFIG_TABLE"), ""),
		state: f.Table(f.String("STATE_TABLE")), bytes: f.Table(f.String("SPOOL_TABLE")),
		config: f.Table(f.String("CONFIG_TABLE")), tenants: f.Tenants(),
	}
	p.sealer = claimcheck.New(p.ring, f.Objects(f.String("OBJECTS_BUCKET")))
	spool := adapter.NewSpool(p.bytes)
	p.parts = adapter.Parts{
		Directory: p.tenants, Peppers: f.Peppers(),
		Sinks:       adapter.Sinks(f.Queue(f.String("EVENTS_QUEUE_URL")), spool),
		DeadLetters: adapter.NewDeadLetters(p.sealer, p.bytes, p.state, f.Identity.Version),
		Aliases:     p.state,
		Logger:      f.Logger, Meter: f.Meter,
	}
	for _, add := range options {
		add(f, &p, spool)
	}
	return p
}

// Receipts is for a channel that tells what became of sent messages: that goes to a queue of its own, RECEIPTS_QUEUE_URL.
func Receipts(f *function.Function, p *Parts, spool *adapter.Spool) {
	queue := f.Queue(f.String("RECEIPTS_QUEUE_URL"))
	p.parts.Lanes = map[canonical.Type][]adapter.Sink{canonical.TypeReceipt: adapter.ReceiptSinks(queue, spool)}
}

// Later is for a channel whose provider tells an event by a second webhook.
func Later(f *function.Function, p *Parts, spool *adapter.Spool) {
	p.parts.Later = adapter.LaterSinks(f.Queue(f.String("EVENTS_QUEUE_URL")), spool)
}

// Requests is for a channel whose senders give each request an id and get the first answer again when they repeat it.
func Requests(_ *function.Function, p *Parts, _ *adapter.Spool) {
	p.parts.Requests = adapter.NewRequests(p.state)
}

// Outbox is for a channel by which people's own pages poll for what was sent to them.
func Outbox(_ *function.Function, p *Parts, _ *adapter.Spool) {
	p.parts.Outbox = adapter.NewOutbox(p.state, p.ring)
}

// Adapter returns what receives the webhooks of a channel.
func (p Parts) Adapter(channel adapter.Channel) *adapter.Adapter {
	p.parts.Channel = channel
	return adapter.New(p.sealer, p.parts)
}

// Client returns what providers are called with. It reaches what CRM_HOSTS allows, as what calls CRMs does.
func Client(f *function.Function) *http.Client {
	return hosts.NewClient(hosts.Policy(f.String("CRM_HOSTS")))
}

// Asking returns what parses the dead letters of a channel again, and asks its provider for what never came.
func (p Parts) Asking(channel adapter.Channel, fetcher adapter.Fetcher) *adapter.Reparser {
	return p.Reparser(channel).Asks(fetcher, accounts{p.tenants, p.config})
}

// accounts are those of this deployment.
type accounts struct {
	*tenant.Directory
	records tenant.Lister
}

// Accounts implements adapter.Accounts.
func (a accounts) Accounts(ctx context.Context, provider string) ([]tenant.Account, error) {
	return a.Directory.Accounts(ctx, a.records, provider)
}

// Reparser returns what parses the dead letters of a channel again.
func (p Parts) Reparser(channel adapter.Channel) *adapter.Reparser {
	return adapter.NewReparser(p.Adapter(channel), p.state, p.bytes)
}
