// Package maptest is a dry run of a tenant's file: what each of its CRMs would be sent for an event, which mapped field gets what or is
// left out why, and which work is left undone. The router and the connectors are the real ones; what they would call is a simulator in this process. There is no network,
// and nothing is kept.
package maptest

import (
	"cmp"
	"context"
	cryptorand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"signalbox/functions"
	"signalbox/functions/connector"
	"signalbox/functions/connector/simulatortest"
	"signalbox/functions/console"
	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/claimcheck"
	"signalbox/shared/delivery"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/hosts"
	"signalbox/shared/idempotency"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/mapping"
	"signalbox/shared/objects/memobjects"
	"signalbox/shared/queue"
	"signalbox/shared/rules"
	"signalbox/shared/secret"
	"signalbox/shared/secret/memsecret"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/tenant/tenantfile"
)

// Usage says how it is asked.
const Usage = `make map-test EVENT=<file> TENANT=<file> [CRM=<name>]
    EVENT    a canonical event in JSON, such as events/canonical-sms.json
    TENANT   a tenant file, in YAML or JSON, which need not be applied
    CRM      the name of one of its CRMs; all if it is left out`

// errRefused is a file that make apply would refuse, too.
var errRefused = errors.New("the tenant file is refused")

// dry is a deployment in memory.
type dry struct {
	out       io.Writer
	config    *memstore.Store
	state     *memstore.Store
	box       *keyring.Box
	sealer    *claimcheck.Sealer
	peppers   *tenant.Peppers
	directory *tenant.Directory
	logger    *slog.Logger
	meter     *telemetry.Meter
	mappings  *connector.Mappings
	tenant    tenant.Tenant
	account   tenant.AccountContent[secret.Value] // of the event's line, where the file has it
	crms      map[string]*simulated               // by the names of bindings
}

// Run writes to out what the CRMs of a tenant's file would be sent for an event: once of a person whom none of them holds, yesterday,
// and once more of the same person, who says it again now.
func Run(ctx context.Context, out io.Writer, event, file, crm string) error {
	if event == "" || file == "" {
		return errors.New(Usage)
	}
	d := newDry(out)
	if err := d.apply(ctx, file); err != nil {
		return err
	}
	if crm != "" && !slices.Contains(d.tenant.CRMNames(), crm) {
		return fmt.Errorf("CRM=%s is none of the tenant's, which are %s", crm, strings.Join(d.tenant.CRMNames(), ", "))
	}
	e, err := d.event(ctx, event)
	if err != nil {
		return err
	}
	if err := d.simulate(ctx, crm); err != nil {
		return err
	}
	for i, about := range []string{"of a person whom the CRM does not hold", "of a person whom the CRM holds"} {
		said := e
		said.EventID = canonical.NewEventID(e.TenantID, e.Provider, e.AccountID, "message", fmt.Sprint("map-test ", i))
		if i > 0 && e.ProviderMessageID != "" {
			said.ProviderMessageID += "-again"
		}
		said.Timestamp = said.Timestamp.Add(time.Duration(i-1) * 24 * time.Hour)
		said.ReceivedAt = said.Timestamp
		if err := d.deliver(ctx, said, about, crm); err != nil {
			return err
		}
	}
	return nil
}

func newDry(out io.Writer) *dry {
	master := memkeys.New()
	d := &dry{
		out: out, config: memstore.New(), state: memstore.New(), box: keyring.NewBox(master, cryptorand.Reader),
		peppers: tenant.NewPeppers(memsecret.New(map[string]secret.Versions{"pepper": {"map-test"}}), "pepper"),
		logger:  slog.New(slog.DiscardHandler), meter: telemetry.NewMeter(io.Discard, telemetry.Identity{}), crms: map[string]*simulated{},
	}
	ring := keyring.New(keyring.Options{Keys: master, Tenants: d.config, Persons: memstore.New(), Random: cryptorand.Reader})
	d.sealer = claimcheck.New(ring, memobjects.New())
	d.directory = tenant.NewDirectory(d.config, d.box, d.logger, d.meter)
	d.mappings = connector.NewMappings(d.directory)
	return d
}

// apply applies a tenant's file, by which everything is checked that make apply checks.
func (d *dry) apply(ctx context.Context, name string) error {
	file, err := tenantfile.Read(name)
	if err != nil {
		return err
	}
	schemas, err := fs.Glob(functions.Schemas(), "adapter/*/account.schema.json")
	if err != nil {
		return err
	}
	var providers []string
	for _, schema := range schemas {
		providers = append(providers, path.Base(path.Dir(schema)))
	}
	tenants, err := console.NewTenants(d.config, d.box, d.peppers, console.Deployment{
		CRMs: slices.Sorted(maps.Keys(plugins.CRMs())), Providers: providers, Schemas: functions.Schemas(), Hosts: hosts.Any,
	}, d.logger, d.meter)
	if err != nil {
		return err
	}
	result, err := tenants.Apply(ctx, console.Request{Action: console.ActionApply, File: file.JSON})
	if err != nil {
		return err
	}
	if len(result.Problems) > 0 {
		lines := make([]string, len(result.Problems))
		for i, p := range result.Problems {
			lines[i] = file.Locate(p)
		}
		return fmt.Errorf("%s\n%w", strings.Join(lines, "\n"), errRefused)
	}
	content, err := tenant.Decode(file.JSON)
	if err != nil {
		return err
	}
	d.tenant, err = d.directory.Tenant(ctx, content.Tenant.ID)
	if len(content.Accounts) > 0 {
		d.account = content.Accounts[0]
	}
	return err
}

// event reads an event and makes it one of the tenant's, said now.
func (d *dry) event(ctx context.Context, name string) (canonical.Event, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return canonical.Event{}, fmt.Errorf("EVENT: %w", err)
	}
	e, err := canonical.Decode(data)
	if err != nil {
		return e, fmt.Errorf("EVENT: %s is no canonical event: %w", name, err)
	}
	if len(d.tenant.Lines) == 0 {
		return e, errors.New("TENANT: the file has no line that the event could have come to")
	}
	line, ok := d.tenant.Line(e.LineID)
	if !ok {
		at := slices.IndexFunc(d.tenant.Lines, func(l tenant.Line) bool { return l.Serves(e.Channel) })
		line = d.tenant.Lines[max(at, 0)]
	}
	pepper, err := d.peppers.Pepper(ctx, d.tenant.ID)
	if err != nil {
		return e, err
	}
	them := e.Customer()
	e.TenantID, e.LineID, e.SchemaVersion = d.tenant.ID, line.ID, canonical.SchemaVersion
	e.AccountID, e.Provider = line.AccountID, cmp.Or(e.Provider, d.account.Provider)
	e.ThreadID = canonical.NewThreadID(pepper, cmp.Or(them.Phone, them.ID, them.ChannelAddress, them.HashedEmail))
	e.Timestamp = time.Now().UTC().Truncate(time.Millisecond)
	return e, nil
}

// sent keeps what is published.
type sent struct{ messages []queue.Message }

// Publish implements queue.Publisher.
func (s *sent) Publish(_ context.Context, messages ...queue.Message) error {
	s.messages = append(s.messages, messages...)
	return nil
}

// route returns what the tenant's rules ask of its CRMs, in the clear.
func (d *dry) route(ctx context.Context, e canonical.Event) ([][]byte, error) {
	body, err := canonical.Encode(e)
	if err != nil {
		return nil, fmt.Errorf("EVENT: %w", err)
	}
	to := &sent{}
	deliveries := map[string]queue.Publisher{}
	for kind := range plugins.CRMs() {
		deliveries[kind] = to
	}
	r := router.New(d.sealer, router.Parts{
		Store: d.state, Log: d.state, Tenants: d.directory, Peppers: d.peppers, Engine: rules.Ordered{},
		Events: &sent{}, Claims: idempotency.New(d.state, time.Minute),
		Outbox: router.Outbox{Deliveries: deliveries, DeadLetters: &sent{}, Version: "1", Logger: d.logger, Meter: d.meter},
	})
	head := queue.Received{Message: queue.Message{ID: string(e.EventID), Group: string(e.ThreadID), Body: body}, Attempt: 1, FirstSent: time.Now()}
	if err := r.Handle(ctx, []queue.Received{head})[0]; err != nil {
		return nil, fmt.Errorf("the router: %w", err)
	}
	bodies := make([][]byte, len(to.messages))
	for i, m := range to.messages {
		if bodies[i], _, err = envelope.Open(ctx, d.sealer, m.Body); err != nil {
			return nil, err
		}
	}
	return bodies, nil
}

// furnish gives a simulator what the tenant's CRM is to have: the fields that its mapping fills, and the flows that rules start, where a CRM has
// such.
func furnish(simulator any, m *mapping.Mapping, work []delivery.Action) {
	if definer, ok := simulator.(interface {
		DefineMapped(o mapping.Object, f mapping.Described)
	}); ok {
		for _, o := range mapping.Objects() {
			for _, f := range m.Wanted(o) {
				definer.DefineMapped(o, f)
			}
		}
	}
	flows := map[string][]string{}
	for _, a := range work {
		if a.Kind != delivery.StartAutomation {
			continue
		}
		inputs := flows[a.Value[delivery.Name]]
		for name := range a.Value {
			if input, ok := strings.CutPrefix(name, delivery.Input); ok {
				inputs = append(inputs, input)
			}
		}
		flows[a.Value[delivery.Name]] = inputs
	}
	if starter, ok := simulator.(interface {
		AddFlow(name string, inputs ...string)
	}); ok {
		for name, inputs := range flows {
			starter.AddFlow(name, inputs...)
		}
	}
}

// simulate makes a CRM of each binding.
func (d *dry) simulate(ctx context.Context, only string) error {
	for _, bound := range d.tenant.CRMs {
		if only != "" && bound.Name != only {
			continue
		}
		var settings struct {
			Fields json.RawMessage `json:"fields"`
		}
		if len(bound.Settings) > 0 {
			if err := json.Unmarshal(bound.Settings, &settings); err != nil {
				return err
			}
		}
		m, _ := mapping.Parse(settings.Fields) // checked when it was applied
		crm, simulator := plugins.CRMs()[bound.Kind], plugins.CRMs()[bound.Kind].Simulator(0)
		furnish(simulator, m, d.tenant.Rules.Work(bound.Name))
		s := &simulated{name: bound.Name, token: string(bound.Token), to: simulatortest.Transport(simulator)}
		if len(settings.Fields) > 0 {
			if err := json.Unmarshal(settings.Fields, &s.content); err != nil {
				return err
			}
		}
		parts := simulatortest.Parts{Tenants: d.directory, Client: &http.Client{Transport: s}, Store: d.state, Box: d.box, Logger: d.logger, Meter: d.meter}
		if crm.Connect != nil { // where the tenant's names are not those of the package
			if _, err := crm.Connect(parts).Connect(ctx, connector.BindingKey{Tenant: d.tenant.ID, CRM: bound.Name}, true, ""); err != nil {
				return fmt.Errorf("%s: %w", bound.Name, err)
			}
		}
		s.handler = crm.Deliver(parts, connector.Options{
			Claims: idempotency.New(d.state, time.Minute), Store: d.state, Opener: d.sealer, Links: connector.ThreadLinks{Store: d.state},
			Width: 1, Attempt: time.Minute, Logger: d.logger, Meter: d.meter, Mappings: d.mappings, Explain: s.explain,
		})
		d.crms[bound.Name] = s
	}
	return nil
}

// deliver carries an event into the CRMs and writes what each was sent.
func (d *dry) deliver(ctx context.Context, e canonical.Event, about, only string) error {
	bodies, err := d.route(ctx, e)
	if err != nil {
		return err
	}
	for _, name := range d.tenant.CRMNames() {
		s := d.crms[name]
		if s == nil {
			continue
		}
		_, _ = fmt.Fprintf(d.out, "== %s, %s\n", name, about)
		asked := false
		for _, body := range bodies {
			var to struct{ CRM string }
			if err := json.Unmarshal(body, &to); err != nil {
				return err
			}
			if to.CRM != name {
				continue
			}
			asked = true
			if err := d.carry(ctx, s, e, body); err != nil {
				return err
			}
		}
		if !asked {
			_, _ = fmt.Fprintln(d.out, "nothing: no rule asks this CRM for anything")
		}
		_, _ = fmt.Fprintln(d.out)
	}
	return nil
}

// carry carries one delivery.
func (d *dry) carry(ctx context.Context, s *simulated, e canonical.Event, body []byte) error {
	s.begin()
	head := queue.Received{Message: queue.Message{Group: string(e.ThreadID), Body: body}, Attempt: 1, FirstSent: time.Now()}
	err := s.handler.Handle(ctx, []queue.Received{head})[0]
	progress, _, unread := d.achieved(ctx, e, s.name)
	if unread != nil {
		return unread
	}
	s.write(d.out, progress)
	if f := fault.Of(err); err != nil {
		_, _ = fmt.Fprintf(d.out, "it ends with %s (%s)\n", f.Code, f.Kind)
	}
	return nil
}

func (d *dry) achieved(ctx context.Context, e canonical.Event, crm string) (map[string]map[string]string, bool, error) {
	key := router.Key(e.TenantID, e.EventID)
	key.Sort = idempotency.DeliveryClaims + crm
	held, err := d.state.Get(ctx, key)
	if err != nil {
		return nil, false, err
	}
	return idempotency.Achieved(held[0])
}
