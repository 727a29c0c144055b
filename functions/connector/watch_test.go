package connector_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/receipt"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"

	"github.com/google/go-cmp/cmp"
)

// journal writes down what a Watcher is told.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (w *journal) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf(format, args...))
}

func (w *journal) Called(of connector.BindingKey, took time.Duration, errs []error) {
	w.say("called %s/%s %v %s", of.Tenant, of.CRM, took, words(errs))
}

func (w *journal) Shown(of connector.BindingKey, lag time.Duration) {
	w.say("shown %s/%s %v", of.Tenant, of.CRM, lag)
}
func (w *journal) Ended(context.Context) { w.say("ended") }

func TestAWatcherIsToldOfEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := newPlace(step{Name: "a"}, step{Name: "b", Last: true}), &journal{}
		p.width, p.watcher = 10, w
		p.crm.do = func(_ context.Context, id string, s step) outcome {
			time.Sleep(time.Second)
			if id == "e2" && s.Name == "b" {
				return outcome{Err: fault.New(fault.Blocked, "toy_scope", nil)}
			}
			return outcome{}
		}
		p.connector().Handle(t.Context(), heads(deliveryOf("e1"), deliveryOf("e2")))
		want := []string{"called demo/toy 2s done, done", "called demo/toy 2s done, blocked toy_scope", "shown demo/toy 5.5s", "ended"}
		if diff := cmp.Diff(want, w.lines); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAWatcherIsToldOfStatusesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &journal{}
		crm := &statuses{do: func(_ context.Context, updates []receipt.Update) []error {
			time.Sleep(time.Second)
			errs := make([]error, len(updates))
			errs[0] = fault.New(fault.Permanent, "toy_invalid", nil)
			return errs
		}}
		lane := connector.NewReceipts(connector.ReceiptOptions{CRM: crm, Store: memstore.New(), Width: 2, Attempt: 10 * time.Second, Watcher: w, Logger: slog.New(slog.DiscardHandler), Meter: telemetry.NewMeter(io.Discard, telemetry.Identity{})})
		lane.Handle(t.Context(), updatesOf(t, "demo", "demo", "demo", "acme"))
		slices.Sort(w.lines)
		want := []string{
			"called acme/crm 1s permanent toy_invalid", "called demo/crm 1s permanent toy_invalid", "called demo/crm 1s permanent toy_invalid, done", "ended",
		}
		if diff := cmp.Diff(want, w.lines); diff != "" {
			t.Error(diff)
		}
	})
}
