package connector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/eventrecord"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/keyring"
	"signalbox/shared/mapping"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// mapped is a tenant with a mapping.
type mapped tenant.Tenant

// Tenant implements connector.Tenants.
func (c mapped) Tenant(context.Context, string) (tenant.Tenant, error) {
	return tenant.Tenant(c), nil
}

// maps has the tenant of a place map fields of activities.
func (p *place) maps(fields string, change func(*tenant.Tenant)) {
	t := tenant.Tenant{ID: "demo", CRMs: []tenant.CRM{{Name: "toy", Settings: json.RawMessage(`{"fields": ` + fields + `}`)}}, Timeline: tenant.DefaultTimeline()}
	if change != nil {
		change(&t)
	}
	p.mappings = connector.NewMappings(mapped(t))
}

// record keeps the record of an event as the router does, sealed or not.
func (p *place) record(t *testing.T, id, decision string, sealed bool) {
	t.Helper()
	var encoder eventrecord.Encoder
	data, err := encoder.Encode(map[string]any{
		"format": 1, "event": map[string]any{"metadata": map[string]any{canonical.RawVendor: map[string]string{"Body": "[redacted]"}}}, "decision": json.RawMessage(decision),
	})
	if err != nil {
		t.Fatal(err)
	}
	for first := 0; sealed && !keyring.Sealed(data); first++ {
		data = append([]byte{byte(first)}, data...)
	}
	key := delivery.RecordKey("demo", canonical.EventID(id))
	if _, err := p.store.Write(t.Context(), store.Change{Kind: store.Put, Record: store.Record{Key: key, Data: data, Expires: time.Now().Add(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
}

// achieved returns what a delivery's progress says of fields.
func (p *place) achieved(t *testing.T, id string) connector.Result {
	t.Helper()
	held, err := p.store.Get(t.Context(), store.Key{Partition: "demo/event/" + id, Sort: idempotency.DeliveryClaims + "toy"})
	if err != nil {
		t.Fatal(err)
	}
	progress, _, err := idempotency.Achieved(held[0])
	if err != nil {
		t.Fatal(err)
	}
	return progress[connector.StepFields]
}

const (
	mapsRaw  = `{"version": 1, "activity": [{"to": "audit", "from": "metadata.rawVendor"}]}`
	mapsText = `{"version": 1, "activity": [{"to": "said", "from": "event.message.text"}]}`
)

// TestWhatAStepGetsOfAMapping is what becomes of a delivery whose tenant maps fields: what its step gets, how it ends and what its progress
// says.
func TestWhatAStepGetsOfAMapping(t *testing.T) {
	t.Parallel()
	refuse := func(f *fault.Error, always bool) func(context.Context, string, step) outcome {
		return func(_ context.Context, _ string, s step) outcome {
			if always || len(s.Fields) > 0 {
				return outcome{Err: f}
			}
			return outcome{}
		}
	}
	for name, tt := range map[string]struct {
		fields   string
		change   func(*tenant.Tenant)
		decision string // of the event's record; "" for none
		failing  bool   // the record cannot be read
		erased   bool   // it does not open any more
		do       func(context.Context, string, step) outcome
		got      string // by each step
		ends     string
		left     connector.Result
	}{
		"a path":                        {fields: mapsText, got: "said=Secret words", ends: "done"},
		"what a provider sent":          {fields: mapsRaw, decision: `{}`, got: `audit={"Body":"[redacted]"}`, ends: "done"},
		"no record":                     {fields: mapsRaw, got: "", ends: "done", left: connector.Result{"activity.audit": connector.CodeRawMissing}},
		"a record that is not read now": {fields: mapsRaw, decision: `{}`, failing: true, ends: "throttled store_throttled"},
		"a person who was erased": {
			fields: mapsRaw, decision: `{}`, erased: true, ends: "done", left: connector.Result{"activity.audit": keyring.CodeErased},
		},
		"a tenant that keeps it in full": {
			fields: mapsRaw, decision: `{}`, change: func(t *tenant.Tenant) { t.RawVendor = tenant.RawVendorFull },
			ends: "done", left: connector.Result{"activity.audit": connector.CodeRawPolicy},
		},
		"a tenant that shows no words": {
			fields: mapsRaw, decision: `{}`, change: func(t *tenant.Tenant) { t.Timeline.Words = tenant.WordsDigest },
			ends: "done", left: connector.Result{"activity.audit": connector.CodeRawWithheld},
		},
		"a message that was to show no words": {
			fields: mapsRaw, decision: `{"withheld": true}`, ends: "done", left: connector.Result{"activity.audit": connector.CodeRawWithheld},
		},
		"a mapping of a later release": {fields: `{"version": 2}`, ends: "done", left: connector.Result{connector.ResultRefused: "fields_unreadable"}},
		"a CRM that refuses the fields": {
			fields: mapsText, do: refuse(fault.New(fault.Permanent, "toy_option", nil), false),
			got: "said=Secret words, ", ends: "done", left: connector.Result{connector.ResultRefused: "toy_option"},
		},
		"a CRM that refuses the message": {
			fields: mapsText, do: refuse(fault.New(fault.Permanent, "toy_invalid", nil), true), got: "said=Secret words, ", ends: "permanent toy_invalid",
		},
		"a CRM that lacks a field": {
			fields: mapsText, do: refuse(fault.New(fault.Blocked, "toy_field_missing", nil), false), got: "said=Secret words", ends: "blocked toy_field_missing",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(step{Name: "write"})
				var got []string
				p.crm.do = func(ctx context.Context, id string, s step) outcome {
					var all []string
					for _, f := range s.Fields[mapping.Activity] {
						all = append(all, f.Name+"="+f.Text())
					}
					got = append(got, strings.Join(all, " "))
					if tt.do == nil {
						return outcome{}
					}
					return tt.do(ctx, id, s)
				}
				p.maps(tt.fields, tt.change)
				if tt.decision != "" {
					p.record(t, "1", tt.decision, tt.erased)
				}
				if tt.erased {
					p.opener = plain{err: fault.New(fault.Permanent, keyring.CodeErased, nil)}
				}
				p.fault = func(c memstore.Call) memstore.Fault {
					if tt.failing && c.Keys[0].Sort == "event" {
						return memstore.Throttled
					}
					return memstore.None
				}
				ends := words(p.connector().Handle(t.Context(), heads(deliveryOf("1"))))
				p.fault = nil
				if ends != tt.ends || strings.Join(got, ", ") != tt.got {
					t.Errorf("it ends with %s after %q, want %s after %q", ends, got, tt.ends, tt.got)
				}
				if diff := cmp.Diff(tt.left, p.achieved(t, "1")); diff != "" {
					t.Error(diff)
				}
				if out := p.out.String(); strings.Contains(out, "Secret words") || strings.Contains(out, "redacted") {
					t.Errorf("what was said is logged: %s", out)
				}
			})
		})
	}
}

// TestWhatProvidersSentIsReadTogether: the records of a batch are read by one Get, and without a mapping that asks none is.
func TestWhatProvidersSentIsReadTogether(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]int{mapsRaw: 1, mapsText: 0} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlace(step{Name: "write"})
			p.width = connector.Width
			p.maps(fields, nil)
			var ds []delivery.Delivery
			for n := range connector.Width {
				p.record(t, fmt.Sprint(n), `{}`, false)
				ds = append(ds, deliveryOf(fmt.Sprint(n)))
			}
			reads := 0
			p.fault = func(c memstore.Call) memstore.Fault {
				if slices.ContainsFunc(c.Keys, func(k store.Key) bool { return k.Sort == "event" }) {
					reads++
				}
				return memstore.None
			}
			if got := words(p.connector().Handle(t.Context(), heads(ds...))); strings.Count(got, "done") != connector.Width {
				t.Error(got)
			}
			if reads != want {
				t.Errorf("%d reads of events' records, want %d", reads, want)
			}
		})
	}
}
