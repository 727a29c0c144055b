package connector_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/health"
	"signalbox/shared/canonical"
	"signalbox/shared/connect"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestClosedGatesAreWhatTheDrainTells, but for how old what is parked is.
func TestClosedGatesAreWhatTheDrainTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		for i := range 40 {
			l.park(fmt.Sprintf("tenant-%02d", i), 1+i%3, 2)
		}
		gates, err := connector.ClosedGates(t.Context(), l.store, "toy")
		if err != nil {
			t.Fatal(err)
		}
		want := l.run(l.drain()) // none is due
		if diff := cmp.Diff(want, gates, cmpopts.IgnoreFields(connect.Gate{}, "Oldest")); diff != "" || len(gates) != 40 {
			t.Errorf("%d gates (-drain +read): %s", len(gates), diff)
		}
		if others, err := connector.ClosedGates(t.Context(), l.store, "to"); err != nil || len(others) > 0 {
			t.Errorf("another kind has %v, %v", others, err)
		}
		if err := l.store.Note(t.Context(), store.Record{Key: store.Key{Partition: "gates:toy", Sort: "tenant"}, Data: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
		if again, err := connector.ClosedGates(t.Context(), l.store, "toy"); fault.Of(err) == nil || fault.Of(err).Kind != fault.Permanent || len(again) != 40 {
			t.Errorf("with one that is unreadable: %d gates, %v", len(again), err)
		}
	})
}

// TestHealthIsOfNoPerson: what is kept of deliveries that went well and badly, and what is told, has nothing of a message or of who wrote it.
func TestHealthIsOfNoPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t)
		_, o := l.logs()
		o.Watcher = health.NewRecorder(health.RecorderOptions{Kind: "toy", Process: "p", Identity: telemetry.Identity{Function: "Test", Version: "1"}, Store: l.store, Logger: o.Logger})
		worker := l.worker(o, l)
		l.says("acme", fault.New(fault.Permanent, "toy_invalid", fmt.Errorf("+14155550100 is wrong")))
		for i, tenant := range []string{"demo", "acme", "demo", "acme"} {
			d := deliveryOf(fmt.Sprint("event-", i))
			d.Event.TenantID, d.Event.ThreadID = tenant, canonical.ThreadID(fmt.Sprint("t1_thread-", i))
			d.Event.Sender.Phone, d.Event.Sender.DisplayName = "+14155550100", "Person 0"
			d.Person.Phone, d.Person.Key = "+14155550100", "person-key"
			body, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			if i > 1 {
				time.Sleep(time.Minute)
			}
			l.receive(worker, queue.Received{Message: queue.Message{ID: string(d.ID), Group: string(d.Event.ThreadID), Body: body}, Attempt: 1, FirstSent: time.Now()})
		}
		var said strings.Builder
		for r := range l.store.All() {
			if strings.HasPrefix(r.Partition, "health:") {
				fmt.Fprintf(&said, "%s %s %s\n", r.Partition, r.Sort, r.Data)
			}
		}
		r := &health.Reader{Store: l.store, Queues: map[string]map[string]health.Depth{"toy": {}}, Logger: slog.New(slog.DiscardHandler)}
		for _, form := range []string{"health", "metrics"} {
			answer := r.Serve(t.Context(), webhook.Request{Method: "GET", Path: health.Path + "toy/" + form})
			said.Write(answer.Body)
		}
		for _, word := range []string{"Secret words", "4155550100", "Person 0", "person-key", "event-", "thread-"} {
			if strings.Contains(said.String(), word) {
				t.Errorf("%q is told: %s", word, said.String())
			}
		}
		for _, word := range []string{`"permanent":1`, `"ok":1`, `tenant="demo",crm="toy"`, `tenant="acme"`} {
			if !strings.Contains(said.String(), word) {
				t.Errorf("%q is not told: %s", word, said.String())
			}
		}
	})
}
