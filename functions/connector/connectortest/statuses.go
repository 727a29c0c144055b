package connectortest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
)

// Statuses says what is true of a connector.StatusWriter, so that the suite can hold it to the contract.
type Statuses struct {
	Width int // how many updates one WriteStatuses carries
	Calls int // the limit: requests for one batch of them
	// State returns a status as the CRM shows it: the state, the error code and the words of its reason, separated by spaces.
	State func(s receipt.Status) string
}

// statusCallsPerReceipt is the limit in batches.
const statusCallsPerReceipt = 0.05

// showsStatuses runs the cases of CRMs that show statuses.
func showsStatuses[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	t.Helper()
	if fresh(t).Statuses == nil {
		t.Skip("this CRM, or this binding of it, shows no statuses")
	}
	cases := map[string]func(*world[R]){
		"a message's status rises with its receipts":              statusRises[R],
		"a status never goes back, whatever the order":            statusStays[R],
		"a receipt of a message nobody registered writes nothing": statusOfNothing[R],
		"a receipt that overtakes its message is shown by it":     statusOvertakes[R],
		"a receipt that comes between two calls of its message":   statusBetween[R],
		"a message that failed says why, until it arrives":        statusFails[R],
		"a batch is one write a message, within the limit":        statusBatch[R],
		"a status that rises while one is written is written":     statusRace[R],
		"what the wire does to a write is made good by a copy":    statusTrouble[R],
		"what one message's neighbours are does not matter to it": statusMixed[R],
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(newWorld(t, fresh(t))) })
		})
	}
}

// sent returns the delivery of message m that we sent to person n.
func (w *world[R]) sent(n, m int) delivery.Delivery {
	d := w.unknown(n, m)
	d.Event.Direction = canonical.Outbound
	d.Event.Sender, d.Event.Recipient = d.Event.Recipient, d.Event.Sender
	return d
}

// update raises the status of a delivery's message, as the router does, and returns what it sends.
func (w *world[R]) update(d delivery.Delivery, state, code string) receipt.Update {
	w.t.Helper()
	s := receipt.Status{State: state, At: d.Event.Timestamp.Add(time.Minute), Error: code, Event: canonical.EventID(state)}
	if code != "" {
		s.Reason = receipt.Unreachable
	}
	if _, err := receipt.Raise(w.t.Context(), w.store, w.Tenant, messageKey(d), s); err != nil {
		w.t.Fatal(err)
	}
	return receipt.Update{TenantID: w.Tenant, CRM: w.Name, Key: messageKey(d), Channel: d.Event.Channel, Status: s}
}

// reached returns how far the message of a delivery got, nil if it is none of ours or no receipt came.
func (w *world[R]) reached(d delivery.Delivery) *receipt.Status {
	w.t.Helper()
	if w.Statuses == nil || d.Event.Direction != canonical.Outbound {
		return nil
	}
	held, err := receipt.Read(w.t.Context(), w.store, w.Tenant, []string{messageKey(d)})
	if err != nil {
		w.t.Fatal(err)
	}
	if held[0].Rank() < 0 {
		return nil
	}
	return &held[0]
}

// receipts returns the receipts lane of a process behind gates, nil for none.
func (w *world[R]) receipts(g *connector.Gates) *connector.Receipts {
	w.t.Helper()
	logger, meter := w.logs()
	p := &process{}
	writer, ok := w.New(w.wire.client(p), logger).(connector.StatusWriter)
	if !ok {
		w.t.Fatal("the CRM is no connector.StatusWriter")
	}
	width := w.Width
	if w.Statuses != nil {
		width = w.Statuses.Width
	}
	return connector.NewReceipts(connector.ReceiptOptions{
		CRM: writer, Store: storage{p, w.store}, Width: width, Attempt: attempt, Gates: g, Budget: w.budget, Logger: logger, Meter: meter,
	})
}

// write hands updates to a connector's receipts lane as one batch and returns an error each.
func (w *world[R]) write(updates ...receipt.Update) []error {
	return w.writeTo(w.receipts(nil), updates...)
}

func (w *world[R]) writeTo(lane *connector.Receipts, updates ...receipt.Update) []error {
	w.t.Helper()
	heads := make([]queue.Received, len(updates))
	for i, u := range updates {
		body, err := json.Marshal(u)
		if err != nil {
			w.t.Fatal(err)
		}
		heads[i] = queue.Received{Message: queue.Message{ID: fmt.Sprint(i), Group: u.TenantID, Body: body}, Attempt: 1, FirstSent: time.Now()}
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), message)
	defer cancel()
	errs := lane.Handle(ctx, heads)
	for _, err := range errs {
		if err != nil {
			w.said = append(w.said, err.Error())
		}
	}
	return errs
}

// shows writes updates as one batch and fails unless the message is shown to have reached a state then.
func (w *world[R]) shows(d delivery.Delivery, want receipt.Status, updates ...receipt.Update) {
	w.t.Helper()
	w.accepted(updates...)
	w.showing(d, want)
}

func (w *world[R]) showing(d delivery.Delivery, want receipt.Status) {
	w.t.Helper()
	var got []string
	for _, a := range w.Held().Activities {
		if a.ExternalID == messageKey(d) {
			got = append(got, a.Status)
		}
	}
	if !slices.Equal(got, []string{w.Statuses.State(want)}) {
		w.t.Errorf("the message is shown as %q, want once %q", got, w.Statuses.State(want))
	}
}

func statusRises[R any](w *world[R]) {
	d := w.sent(1, 1)
	w.finish(d)
	for _, state := range []string{"queued", "sending", "sent", "delivered", "read"} {
		w.wire.spoil(nil)
		w.shows(d, receipt.Status{State: state}, w.update(d, state, ""))
		if n := w.wire.count(); n > w.Statuses.Calls {
			w.t.Errorf("%d requests for a message that is there, the limit is %d", n, w.Statuses.Calls)
		}
	}
	w.holds(1, d)
}

func statusStays[R any](w *world[R]) {
	d := w.sent(1, 1)
	w.finish(d)
	sent := w.update(d, "sent", "")
	w.shows(d, receipt.Status{State: "read"}, w.update(d, "read", ""))
	w.shows(d, receipt.Status{State: "read"}, sent)
	w.shows(d, receipt.Status{State: "read"}, sent, w.update(d, "delivered", ""), sent)
	time.Sleep(40 * 24 * time.Hour) // the message comes again after its claim is forgotten
	w.finish(d)
	w.showing(d, receipt.Status{State: "read"})
	w.holds(1, d)
}

// accepted writes updates as one batch and fails unless all are done.
func (w *world[R]) accepted(updates ...receipt.Update) {
	w.t.Helper()
	for i, err := range w.write(updates...) {
		if err != nil {
			w.t.Errorf("update %d: %v", i, err)
		}
	}
}

func statusOfNothing[R any](w *world[R]) {
	for n := range w.Statuses.Width {
		w.accepted(w.update(w.sent(n, 1), "sent", ""), w.update(w.sent(n, 1), "delivered", ""))
	}
	w.holds(0)
}

func statusOvertakes[R any](w *world[R]) {
	d := w.sent(1, 1)
	w.accepted(w.update(d, "sent", ""))
	w.accepted(w.update(d, "delivered", ""))
	w.holds(0)
	w.finish(d)
	w.holds(1, d)
	w.showing(d, receipt.Status{State: "delivered"})
	w.shows(d, receipt.Status{State: "read"}, w.update(d, "read", ""))
	w.holds(1, d)
}

// statusBetween lets the receipts lane go by before each request of a message's delivery: what it finds no record for is shown by
// the message, whichever call made the record.
func statusBetween[R any](w *world[R]) {
	for at, met := 1, true; met && at < endless; at++ {
		met = false
		d := w.sent(at, 1)
		w.wire.spoil(&trouble{how: meanwhile, at: at, do: func() {
			met = true
			w.accepted(w.update(d, "delivered", ""))
		}})
		w.finish(d)
		if met {
			w.showing(d, receipt.Status{State: "delivered"})
		}
	}
}

func statusFails[R any](w *world[R]) {
	d := w.sent(1, 1)
	w.finish(d)
	w.shows(d, receipt.Status{State: "failed", Error: "30003", Reason: receipt.Unreachable}, w.update(d, "sent", ""), w.update(d, "failed", "30003"))
	w.shows(d, receipt.Status{State: "delivered"}, w.update(d, "delivered", "")) // after all: what it failed by is gone
	w.shows(d, receipt.Status{State: "delivered"}, w.update(d, "failed", "30003"))
}

func statusBatch[R any](w *world[R]) {
	var known, unknown []receipt.Update
	states := []string{"queued", "sent", "delivered"}
	var there []delivery.Delivery
	for n := range w.Statuses.Width {
		there = append(there, w.sent(n, 1))
	}
	w.width = w.Width
	w.finish(there...)
	for n := range w.Statuses.Width {
		for i := range states { // backwards, so that the furthest is not the last
			known = append(known, w.update(w.sent(n, 1), states[len(states)-1-i], ""))
			unknown = append(unknown, w.update(w.sent(n, 2), states[i], ""))
		}
	}
	for _, updates := range [][]receipt.Update{known, known, unknown} {
		w.wire.spoil(nil)
		for _, err := range w.write(updates...) {
			if err != nil {
				w.t.Error(err)
			}
		}
		if calls := float64(w.wire.count()) / float64(len(updates)); calls > statusCallsPerReceipt {
			w.t.Errorf("%.3f requests a receipt, the limit is %.2f", calls, statusCallsPerReceipt)
		}
	}
	for n := range w.Statuses.Width {
		w.showing(w.sent(n, 1), receipt.Status{State: "delivered"})
	}
	w.holds(len(there), there...)
}

// statusRace raises the record while a lower state is on its way to the CRM, as another process would.
func statusRace[R any](w *world[R]) {
	d := w.sent(1, 1)
	w.finish(d)
	update, once := w.update(d, "sent", ""), false
	w.wire.spoil(&trouble{match: func([]byte) bool {
		if !once {
			once = true
			w.update(d, "read", "")
		}
		return false
	}})
	w.shows(d, receipt.Status{State: "read"}, update)
}

func statusTrouble[R any](w *world[R]) {
	for how := range meanwhile {
		for at := 1; at <= 2; at++ {
			d := w.sent(int(how)*10+at, 1)
			w.finish(d)
			update := w.update(d, "delivered", "")
			w.wire.spoil(&trouble{how: how, at: at, status: 503})
			if err := w.write(update)[0]; err != nil && fault.Of(err).Kind == fault.Permanent {
				w.t.Errorf("trouble %d at request %d: %v", how, at, err)
			}
			w.wire.spoil(nil)
			w.shows(d, receipt.Status{State: "delivered"}, update)
		}
	}
}

func statusMixed[R any](w *world[R]) {
	there, absent, bad := w.sent(1, 1), w.sent(2, 1), receipt.Update{TenantID: w.Tenant, CRM: w.Name, Key: "k", Status: receipt.Status{State: "no state"}}
	w.finish(there)
	errs := w.write(w.update(there, "read", ""), bad, w.update(absent, "sent", ""))
	if errs[0] != nil || errs[2] != nil || fault.Of(errs[1]) == nil || fault.Of(errs[1]).Kind != fault.Permanent {
		w.t.Errorf("%v", errs)
	}
	w.showing(there, receipt.Status{State: "read"})
	w.holds(1, there)
}
