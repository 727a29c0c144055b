package connector

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/eventrecord"
	"signalbox/shared/fault"
	"signalbox/shared/mapping"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// StepFields is under what a delivery's progress says which mapped fields were left out of what the CRM was sent: by "object.field" the code
// why, and by ResultRefused the code of the refusal after which all were. It is no step's name.
const StepFields = "fields"

// ResultRefused is the code for which a record was written without its mapped fields.
const ResultRefused = "refused"

// ResultUnwritten is under what the result of a step names an object whose mapped fields were to be written and are not: the CRM does not
// write that record for a message of a person whom it holds, and a mapping causes no write of its own.
const ResultUnwritten = "unwritten"

// ResultWithout is under what the result of a step names, with commas between, fields of a CRM's own that it may not write and wrote without.
const ResultWithout = "without"

// The codes for which what a provider sent is not to be had for a mapping.
const (
	CodeRawPolicy   = "raw_vendor_policy"   // the tenant does not keep its redacted form alone
	CodeRawWithheld = "raw_vendor_withheld" // CRMs get no words of the message
	CodeRawMissing  = "raw_vendor_missing"  // the event's record is not there, or does not open
)

// codeUnreadable is that of a mapping which this release does not read.
const codeUnreadable = "fields_unreadable"

// Mappings tells which fields of its own a tenant fills in a CRM.
type Mappings struct {
	tenants Tenants
	mu      sync.Mutex
	held    map[BindingKey]parsed
}

// parsed is what was read of a binding's settings.
type parsed struct {
	settings string
	mapping  *mapping.Mapping
	readable bool
}

// NewMappings returns those that tenants have configured.
func NewMappings(tenants Tenants) *Mappings {
	return &Mappings{tenants: tenants, held: map[BindingKey]parsed{}}
}

// of returns the mapping of a binding, nil for none, and its tenant. Unreadable reports that there is one which this release cannot read.
func (m *Mappings) of(ctx context.Context, key BindingKey) (found *mapping.Mapping, of tenant.Tenant, unreadable bool, err error) {
	of, err = m.tenants.Tenant(ctx, key.Tenant)
	if errors.Is(err, tenant.ErrUnknown) { // the CRM tells
		return nil, of, false, nil
	}
	crm, _ := of.CRM(key.CRM)
	if err != nil || len(crm.Settings) == 0 {
		return nil, of, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p, known := m.held[key]
	if !known || p.settings != string(crm.Settings) {
		p = parse(crm.Settings)
		m.held[key] = p
	}
	return p.mapping, of, !p.readable, nil
}

func parse(settings json.RawMessage) parsed {
	found, problems := mapping.Parse(mappingIn(settings))
	return parsed{string(settings), found, len(problems) == 0}
}

// mappingIn returns what the settings of a CRM have as its mapping, nil for none.
func mappingIn(settings json.RawMessage) json.RawMessage {
	var s struct {
		Fields json.RawMessage `json:"fields"`
	}
	_ = json.Unmarshal(settings, &s) // the CRM tells of settings that it cannot read
	return s.Fields
}

// mapFields evaluates the mappings of items that are claimed, and returns the chunks of those that go on. Only where a mapping asks for what
// a provider sent is anything read for it.
func (c *Connector[R]) mapFields(ctx context.Context, chunks [][]*item) (mapped [][]*item) {
	if c.options.Mappings == nil {
		return chunks
	}
	for _, chunk := range chunks {
		if left := c.mapChunk(ctx, chunk); len(left) > 0 {
			mapped = append(mapped, left)
		}
	}
	return mapped
}

// mapChunk evaluates the mapping of the binding that items are of.
func (c *Connector[R]) mapChunk(ctx context.Context, items []*item) []*item {
	defer c.recovered(ctx, items)
	m, of, unreadable, err := c.options.Mappings.of(ctx, KeyOf(items[0].delivery))
	var raw map[store.Key]rawVendor
	if err == nil && m.AsksRaw() {
		raw, err = c.readRaw(ctx, items, of)
	}
	if err != nil {
		for _, it := range items {
			c.fail(ctx, it, err)
		}
		return nil
	}
	for _, it := range items {
		switch {
		case it.file != nil || it.done[StepFields][ResultRefused] != "":
		case unreadable:
			c.leftOut(ctx, it, Result{ResultRefused: codeUnreadable})
		case m != nil:
			c.evaluate(ctx, it, m, of, raw)
		}
	}
	return items
}

// evaluate makes what a mapping fills the item's, and keeps what does not fit.
func (c *Connector[R]) evaluate(ctx context.Context, it *item, m *mapping.Mapping, of tenant.Tenant, raw map[store.Key]rawVendor) {
	own, newest := &it.delivery.Event, it.newest()
	first := sourceOf(&it.delivery, own, of, raw)
	last := first
	if newest.EventID != own.EventID {
		last = sourceOf(&it.delivery, newest, of, raw)
	}
	fields, left := m.Evaluate(first, last, Cut)
	if it.fields = fields; c.options.Explain != nil {
		c.options.Explain(it.delivery, fields, left)
	}
	misfits := Result{}
	for _, l := range left {
		if l.Misfit() {
			misfits[string(l.Object)+"."+l.Name] = l.Code
		}
	}
	if len(misfits) > 0 && len(it.done[StepFields]) == 0 {
		c.leftOut(ctx, it, misfits)
	}
}

// newest returns the event that is written last by time of those that an item's activity shows: its own where that stands alone.
func (it *item) newest() *canonical.Event {
	if it.show == nil || len(it.show.record.Entries) == 0 {
		return &it.delivery.Event
	}
	last := it.show.record.Entries[len(it.show.record.Entries)-1].Event
	if own := &it.delivery.Event; last.EventID == own.EventID {
		return own
	}
	last.TenantID, last.LineID, last.ThreadID = it.delivery.Event.TenantID, it.delivery.Event.LineID, it.delivery.Event.ThreadID
	return &last
}

func sourceOf(d *delivery.Delivery, e *canonical.Event, of tenant.Tenant, raw map[store.Key]rawVendor) *mapping.Source {
	line, _ := of.Line(e.LineID)
	zone, err := time.LoadLocation(of.Zone)
	if err != nil {
		zone = time.UTC
	}
	found := raw[delivery.RecordKey(d.Event.TenantID, e.EventID)]
	return &mapping.Source{
		Event: e, Zone: zone, Raw: found.document, RawCode: found.code,
		Person: mapping.Someone{Key: d.Person.Key, Name: d.Person.Name, Email: d.Person.Email, Phone: d.Person.Phone, Region: d.Person.Region},
		Line:   mapping.Place{ID: cmp.Or(line.ID, e.LineID), Address: line.Address},
		Tenant: mapping.Owner{ID: of.ID, Name: of.Name},
	}
}

// rawVendor is what a provider sent, or why it is not to be had.
type rawVendor struct {
	document json.RawMessage
	code     string
}

// readRaw reads what providers sent, of the records of items' events, in as few calls as there can be.
func (c *Connector[R]) readRaw(ctx context.Context, items []*item, of tenant.Tenant) (map[store.Key]rawVendor, error) {
	all := map[store.Key]rawVendor{}
	var keys []store.Key
	for _, it := range items {
		for _, e := range []*canonical.Event{&it.delivery.Event, it.newest()} {
			key := delivery.RecordKey(it.delivery.Event.TenantID, e.EventID)
			if _, asked := all[key]; asked || it.file != nil {
				continue
			}
			switch {
			case cmp.Or(of.RawVendor, tenant.RawVendorRedacted) != tenant.RawVendorRedacted:
				all[key] = rawVendor{code: CodeRawPolicy}
			case of.TimelineOf(e.LineID).Withholds():
				all[key] = rawVendor{code: CodeRawWithheld}
			default:
				all[key], keys = rawVendor{}, append(keys, key)
			}
		}
	}
	for chunk := range slices.Chunk(keys, store.MaxGet) {
		held, err := c.options.Store.Get(ctx, chunk...)
		if err != nil {
			return nil, err
		}
		for i, key := range chunk {
			if all[key], err = c.openRaw(ctx, key, held[i]); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// openRaw reads what a provider sent in a record. Only what is to be tried again is an error.
func (c *Connector[R]) openRaw(ctx context.Context, key store.Key, held store.Record) (rawVendor, error) {
	var record struct {
		Event struct {
			Metadata map[string]json.RawMessage `json:"metadata"`
		} `json:"event"`
		Decision struct {
			Withheld bool `json:"withheld"`
		} `json:"decision"`
	}
	if held.Version == 0 {
		return rawVendor{code: CodeRawMissing}, nil
	}
	if f := fault.Of(eventrecord.Open(ctx, c.options.Opener, key, held.Data, &record)); f != nil {
		return unopened(f)
	}
	if record.Decision.Withheld {
		return rawVendor{code: CodeRawWithheld}, nil
	}
	return rawVendor{document: record.Event.Metadata[canonical.RawVendor]}, nil
}

// unopened returns what is left of a record that does not open: the reason, or an error if it may open later. Of somebody who was erased it
// never does.
func unopened(f *fault.Error) (rawVendor, error) {
	if f.Kind == fault.Permanent {
		return rawVendor{code: f.Code}, nil
	}
	return rawVendor{}, f
}

// withoutFields reports whether an item whose write was refused goes on without the fields that its tenant maps. Whatever became of the
// options and rules of a CRM since the mapping was applied, it costs no message. What is refused without them, too, is not refused for them.
// A field that is gone, of another type or read-only blocks, and the binding's gate closes: left out of every record, what the tenant asked
// for would be lost for good.
func (c *Connector[R]) withoutFields(ctx context.Context, it *item, step Step[R], err error) bool {
	f := fault.Of(err)
	switch {
	case f.Kind != fault.Permanent:
		return false
	case len(step.Fields) > 0:
		it.fields = nil
		c.leftOut(ctx, it, Result{ResultRefused: f.Code})
		return true
	case it.done[StepFields][ResultRefused] != "":
		delete(it.claim.Progress, StepFields)
		delete(it.done, StepFields)
	}
	return false
}

// leftOut keeps in an item's progress what was left out, and tells of it.
func (c *Connector[R]) leftOut(ctx context.Context, it *item, codes Result) {
	it.achieve(StepFields, codes)
	for _, code := range codes {
		c.options.Meter.Count("FieldLeftOut", 1, append(labels(it), telemetry.Label{Name: "code", Value: code})...)
	}
	d := &it.delivery
	c.options.Logger.WarnContext(it.context(ctx), "mapped fields were left out", slog.String("tenant", d.Event.TenantID),
		slog.String("crm", d.CRM), slog.String("fields", strconv.Itoa(len(codes))), slog.Any("codes", codes))
}
