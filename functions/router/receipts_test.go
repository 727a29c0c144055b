package router_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/rules"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"
)

// lane returns the receipts' router of a world.
func (w *world) lane() *router.Receipts {
	return router.NewReceipts(w.ring, router.ReceiptParts{Store: w.store, Tenants: w, Engine: rules.Ordered{}, Outbox: w.outbox(), Events: w})
}

// receiptOf returns the receipt that message sid reached a state.
func receiptOf(sid, state string) canonical.Event {
	return event("", func(e *canonical.Event) {
		e.EventID = canonical.NewEventID("demo", "twilio", "demo-twilio", "receipt", sid+"|"+state)
		e.Type, e.Direction, e.ProviderMessageID, e.Message, e.Actor = canonical.TypeReceipt, canonical.Status, sid, nil, nil
		e.Sender, e.Recipient = e.Recipient, e.Sender
		e.RelatesTo = &canonical.Relation{Kind: "receipt", ProviderMessageID: sid}
		e.Receipt = &canonical.Receipt{State: state, At: at}
		if state == "failed" {
			e.Receipt.Error = "30003"
		}
	})
}

func (w *world) receive(t *testing.T, events ...canonical.Event) []error {
	t.Helper()
	heads := make([]queue.Received, len(events))
	for i, e := range events {
		body, err := canonical.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		heads[i] = queue.Received{Message: queue.Message{ID: "sqs", Group: e.TenantID, Body: body}, Attempt: 1, FirstSent: time.Now()}
	}
	return w.lane().Handle(t.Context(), heads)
}

// told returns what the CRMs were told, as "crm message state".
func (w *world) told(t *testing.T) []string {
	t.Helper()
	names := map[string]string{}
	for _, sid := range []string{"SM1", "SM2"} {
		names[canonical.MessageKey("demo", "twilio", "demo-twilio", sid)] = sid
	}
	var told []string
	for _, m := range w.sent {
		var u receipt.Update
		if err := json.Unmarshal(m.Body, &u); err != nil || m.Group != "demo" || u.TenantID != "demo" {
			t.Errorf("%s in group %s, %v", m.Body, m.Group, err)
		}
		told = append(told, strings.TrimSpace(u.CRM+" "+names[u.Key]+" "+u.State+" "+u.Error))
	}
	slices.Sort(told)
	return told
}

func TestReceiptsOfOneMessageBecomeOneUpdate(t *testing.T) {
	cases := map[string]struct {
		before, come []string // "message state"
		told         []string
	}{
		"one":                           {nil, []string{"SM1 sent"}, []string{"hubspot SM1 sent"}},
		"several of one message":        {nil, []string{"SM1 queued", "SM1 read", "SM1 sent", "SM1 delivered"}, []string{"hubspot SM1 read"}},
		"several of two messages":       {nil, []string{"SM1 sent", "SM2 sent", "SM2 delivered", "SM1 sent"}, []string{"hubspot SM1 sent", "hubspot SM2 delivered"}},
		"one behind what is held":       {[]string{"SM1 read"}, []string{"SM1 sent"}, nil},
		"one that is held already":      {[]string{"SM1 sent"}, []string{"SM1 sent"}, []string{"hubspot SM1 sent"}},
		"another end than the one held": {[]string{"SM1 failed"}, []string{"SM1 canceled"}, []string{"hubspot SM1 failed 30003"}},
		"a failure with its code":       {[]string{"SM1 sent"}, []string{"SM1 failed"}, []string{"hubspot SM1 failed 30003"}},
	}
	read := func(texts []string) (events []canonical.Event) {
		for _, text := range texts {
			sid, state, _ := strings.Cut(text, " ")
			events = append(events, receiptOf(sid, state))
		}
		return events
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			if len(c.before) > 0 {
				w.receive(t, read(c.before)...)
			}
			w.sent = nil
			for i, err := range w.receive(t, read(c.come)...) {
				if err != nil {
					t.Errorf("receipt %d: %v", i, err)
				}
			}
			if diff := cmp.Diff(c.told, w.told(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRulesDecideWhichCRMIsToldOfReceipts(t *testing.T) {
	only := rules.Set{Rules: []rules.Rule{{
		ID: "receipt", When: rules.When{Types: []canonical.Type{canonical.TypeReceipt}}, Then: []rules.Action{{CRM: "salesforce", Kind: delivery.RaiseStatus}},
	}}}
	cases := map[string]struct {
		rules rules.Set
		crms  []tenant.CRM
		told  []string
	}{
		"every one":           {rules.Default(), []tenant.CRM{{Name: "hubspot", Kind: "hubspot"}, {Name: "sales", Kind: "salesforce"}}, []string{"hubspot SM1 read", "sales SM1 read"}},
		"the one of the rule": {only, []tenant.CRM{{Name: "hubspot", Kind: "hubspot"}, {Name: "salesforce", Kind: "salesforce"}}, []string{"salesforce SM1 read"}},
		"none without a rule": {rules.Set{}, []tenant.CRM{{Name: "hubspot", Kind: "hubspot"}}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.tenant.Rules, w.tenant.CRMs = c.rules, c.crms
			if err := w.receive(t, receiptOf("SM1", "read"))[0]; err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(c.told, w.told(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReceiptsThatCannotBeRouted(t *testing.T) {
	good := receiptOf("SM1", "read")
	stranger := receiptOf("SM2", "read")
	stranger.TenantID = "stranger"
	w := newWorld()
	errs := w.receive(t, good, event("hello", nil), stranger)
	if errs[0] != nil {
		t.Errorf("the good one: %v", errs[0])
	}
	if f := fault.Of(errs[1]); errs[1] == nil || f.Kind != fault.Permanent || f.Code != router.CodeNoReceipt {
		t.Errorf("a message: %v", errs[1])
	}
	if f := fault.Of(errs[2]); errs[2] == nil || f.Kind != fault.Blocked {
		t.Errorf("a stranger: %v", errs[2])
	}
	if diff := cmp.Diff([]string{"hubspot SM1 read"}, w.told(t)); diff != "" {
		t.Error(diff)
	}
	if said := w.log.String(); strings.Contains(said, "+1555") {
		t.Errorf("the log holds an address: %s", said)
	}
	broken := w.lane().Handle(t.Context(), []queue.Received{{Message: queue.Message{Body: []byte("{")}}})[0]
	if f := fault.Of(broken); broken == nil || f.Kind != fault.Permanent {
		t.Errorf("no JSON: %v", broken)
	}
}

// TestAReceiptIsNotDoneBeforeItsUpdateIsSent fails each call of the lane once, before and after its effect.
func TestAReceiptIsNotDoneBeforeItsUpdateIsSent(t *testing.T) {
	for _, does := range []memstore.Fault{memstore.Before, memstore.After, memstore.Throttled} {
		for call := range 2 {
			w := newWorld()
			w.fault = func(n int) memstore.Fault {
				if n == call {
					return does
				}
				return memstore.None
			}
			if does == memstore.Throttled && call == 1 {
				continue // the publisher has no such fault
			}
			first := w.receive(t, receiptOf("SM1", "sent"), receiptOf("SM1", "read"))
			if first[0] == nil || first[1] == nil {
				t.Errorf("fault %d at call %d: %v", does, call, first)
			}
			for _, err := range w.receive(t, receiptOf("SM1", "sent"), receiptOf("SM1", "read")) {
				if err != nil {
					t.Errorf("fault %d at call %d, again: %v", does, call, err)
				}
			}
			if told := slices.Compact(w.told(t)); !slices.Equal(told, []string{"hubspot SM1 read"}) {
				t.Errorf("fault %d at call %d: told %q", does, call, told)
			}
		}
	}
}

func TestOneRefusedUpdateIsItsOwnMessages(t *testing.T) {
	w := newWorld()
	refused := errors.New("refused")
	w.fail = func(m queue.Message) error {
		if strings.Contains(string(m.Body), canonical.MessageKey("demo", "twilio", "demo-twilio", "SM1")) {
			return refused
		}
		return nil
	}
	errs := w.receive(t, receiptOf("SM1", "sent"), receiptOf("SM2", "sent"), receiptOf("SM1", "read"))
	if !errors.Is(errs[0], refused) || errs[1] != nil || !errors.Is(errs[2], refused) {
		t.Errorf("%v", errs)
	}
}

func TestReceiptsGoBackUnbegunWhenTheTimeIsOver(t *testing.T) {
	w := newWorld()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body, err := canonical.Encode(receiptOf("SM1", "read"))
	if err != nil {
		t.Fatal(err)
	}
	errs := w.lane().Handle(ctx, []queue.Received{{Message: queue.Message{Body: body}}})
	if !errors.Is(errs[0], queue.ErrNotStarted) || len(w.calls) != 0 {
		t.Errorf("%v after %v", errs, w.calls)
	}
}

func TestATenantWhoseLookUpHangsHoldsUpNobodysReceipts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		lane := router.NewReceipts(w.ring, router.ReceiptParts{Store: w.store, Tenants: hanging{w}, Engine: rules.Ordered{}, Outbox: w.outbox(), Events: w})
		lane.Deliveries = map[string]queue.Publisher{"hubspot": publisher(func(ctx context.Context) error { return ctx.Err() })}
		var heads []queue.Received
		for _, tenant := range []string{"slow", "demo"} {
			e := receiptOf("SM1", "read")
			e.TenantID = tenant
			heads = append(heads, message(t, e))
		}
		if errs := lane.Handle(ctx, heads); fault.Of(errs[0]) == nil || errs[1] != nil {
			t.Errorf("%v", errs)
		}
	})
}
