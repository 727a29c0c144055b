package adapter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"signalbox/shared/canonical"
	"signalbox/shared/queue"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
)

func TestATypeWithALaneGoesToItsQueueInItsTenantsGroup(t *testing.T) {
	queues := map[string]struct {
		eventsDown, receiptsDown bool
		events, receipts         int // accepted by the queues
		spooled                  int
	}{
		"both work":         {false, false, 1, 2, 0},
		"receipts are down": {false, true, 1, 0, 2},
		"events are down":   {true, false, 0, 2, 1},
		"both are down":     {true, true, 0, 0, 3},
	}
	for name, c := range queues {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				events, receipts, table := &gate{shut: c.eventsDown}, &gate{shut: c.receiptsDown}, memstore.New()
				spool := NewSpool(table)
				var output bytes.Buffer
				id := telemetry.Identity{}
				a := New(nil, Parts{
					Channel: batch{}, Sinks: Sinks(events, spool), Lanes: map[canonical.Type][]Sink{canonical.TypeReceipt: ReceiptSinks(receipts, spool)},
					Logger: telemetry.NewLogger(&output, id), Meter: telemetry.NewMeter(&output, id),
				})
				var work Batch
				for i, kind := range []canonical.Type{canonical.TypeReceipt, canonical.TypeMessage, canonical.TypeReceipt} {
					message := queue.Message{ID: fmt.Sprint("e", i), Group: "thread", Body: []byte("{}")}
					work.add(message, &canonical.Event{Type: kind, TenantID: "demo"}, a.Lanes)
				}
				spooled, err := a.publishAll(t.Context(), work, defaultBudget)
				if err != nil || spooled != c.spooled || work.count() != 3 {
					t.Fatalf("%d spooled of %d, %v", spooled, work.count(), err)
				}
				if len(events.got) != c.events || len(receipts.got) != c.receipts {
					t.Errorf("%d events and %d receipts were sent, want %d and %d", len(events.got), len(receipts.got), c.events, c.receipts)
				}
				events.shut, receipts.shut = false, false
				drain, _ := newDrain(table, events)
				drain.Receipts = receipts
				if err := drain.Run(t.Context()); err != nil || left(table) != 0 {
					t.Errorf("drained: %v, %d left", err, left(table))
				}
				for _, m := range events.got {
					if m.ID != "e1" || m.Group != "thread" {
						t.Errorf("the events queue has %s of group %s", m.ID, m.Group)
					}
				}
				for _, m := range receipts.got {
					if m.ID == "e1" || m.Group != "demo" {
						t.Errorf("the receipts queue has %s of group %s", m.ID, m.Group)
					}
				}
				if len(events.got) != 1 || len(receipts.got) != 2 {
					t.Errorf("%d events and %d receipts arrived", len(events.got), len(receipts.got))
				}
			})
		})
	}
}

// gate is a queue that takes everything, or nothing while it is shut.
type gate struct {
	shut  bool
	calls int
	got   []queue.Message
}

func (g *gate) Publish(_ context.Context, all ...queue.Message) error {
	g.calls++
	if g.shut {
		return errors.New("shut")
	}
	g.got = append(g.got, all...)
	return nil
}

func TestReceiptsThatAreNotAcceptedHoldUpNoEvents(t *testing.T) {
	table := memstore.New()
	spool := NewSpool(table)
	receipts := spool.lane(receiptsLane)
	for i := range 100 {
		if err := receipts.Publish(t.Context(), queue.Message{ID: fmt.Sprint("r", i), Group: "demo", Body: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
		if err := spool.Publish(t.Context(), queue.Message{ID: fmt.Sprint("e", i), Group: fmt.Sprint("thread", i), Body: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	events, shut := &gate{}, &gate{shut: true}
	drain, _ := newDrain(table, events)
	drain.Receipts = shut
	if err := drain.Run(t.Context()); err == nil {
		t.Error("a run that left receipts behind says nothing")
	}
	if len(events.got) != 100 || left(table) != 100 || shut.calls != 1 {
		t.Errorf("%d events sent, %d records left, the receipts queue was tried %d times", len(events.got), left(table), shut.calls)
	}
}

func TestARecordOfAnotherReleaseIsDrained(t *testing.T) {
	table := memstore.New()
	if err := NewSpool(table).Publish(t.Context(), queue.Message{ID: "e", Group: "g", Body: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	for record := range table.All() { // the release before wrote no queue, and must be able to read what this one writes
		if strings.Contains(string(record.Data), "queue") {
			t.Errorf("an event's record is %s", record.Data)
		}
	}
	if err := NewSpool(table).lane("of a later release").Publish(t.Context(), queue.Message{ID: "x", Group: "g", Body: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	events := &gate{}
	drain, output := newDrain(table, events)
	if err := drain.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]queue.Message{{ID: "e", Group: "g", Body: []byte("{}")}}, events.got); diff != "" || left(table) != 1 {
		t.Errorf("%d left\n%s", left(table), diff)
	}
	if !strings.Contains(output.String(), "SpoolUnreadable") {
		t.Error("what cannot be sent yet is not counted")
	}
}
