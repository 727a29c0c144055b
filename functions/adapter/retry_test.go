package adapter

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/deadletter"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/spool"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

// faultyDirectory is a directory of which the look-ups of some addresses fail at present.
type faultyDirectory struct {
	directory
	down, gone map[string]bool
}

func (m *faultyDirectory) Account(ctx context.Context, id string) (tenant.Account, error) {
	account, err := m.directory.Account(ctx, "shared")
	account.ID, account.TenantID = id, strings.TrimPrefix(id, "of-") // one account a tenant
	return account, err
}

func (m *faultyDirectory) Line(ctx context.Context, account, address string, channel canonical.Channel) (tenant.Line, error) {
	if m.down[address] {
		return tenant.Line{}, errors.New("down")
	}
	if m.gone[address] {
		return tenant.Line{}, tenant.ErrUnknown
	}
	return m.directory.Line(ctx, account, address, channel)
}

// fixture is an adapter and what parses its dead letters again, in memory.
type fixture struct {
	*testing.T
	known        *faultyDirectory
	spool, state *memstore.Store
	sent         []string // "address generation", of all events
	output       bytes.Buffer
	fault        func(memstore.Call) memstore.Fault
	adapter      *Adapter
	again        *Reparser
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	ring := keyring.New(keyring.Options{Keys: memkeys.New(), Tenants: memstore.New(), Random: rand.Reader})
	o := &fixture{T: t, known: &faultyDirectory{down: map[string]bool{}, gone: map[string]bool{}}}
	faulty := memstore.Faulty(func(c memstore.Call) memstore.Fault {
		if o.fault == nil {
			return memstore.None
		}
		return o.fault(c)
	})
	o.spool, o.state = memstore.New(faulty), memstore.New(faulty)
	id := telemetry.Identity{Function: "BatchReparse", Version: "1"}
	events := publisher(func(all []queue.Message) error {
		for _, m := range all {
			var e canonical.Event
			if err := json.Unmarshal(opened(t, ring, m), &e); err != nil {
				t.Fatal(err)
			}
			_, generation, _ := strings.Cut(m.ID, ":")
			o.sent = append(o.sent, e.LineID+" "+generation+" "+e.ReceivedAt.Format(time.TimeOnly))
		}
		return nil
	})
	o.adapter = New(ring, Parts{
		Channel: batch{}, Directory: o.known, Peppers: o.known, Sinks: Sinks(events, NewSpool(o.spool)),
		DeadLetters: NewDeadLetters(ring, o.spool, o.state, "1"),
		Logger:      telemetry.NewLogger(&o.output, id), Meter: telemetry.NewMeter(&o.output, id),
	})
	o.again = NewReparser(o.adapter, o.state, o.spool)
	return o
}

// receive takes a webhook of a tenant's account in.
func (o *fixture) receive(owner, body string) {
	o.Helper()
	answer := o.adapter.Receive(o.Context(), webhook.Request{
		Method: http.MethodPost, Path: "/v1/accounts/of-" + owner + "/batch/events", Header: http.Header{"Token": {"token"}}, Body: []byte(body),
	})
	if answer.Status != http.StatusAccepted {
		o.Fatalf("answered %d", answer.Status)
	}
}

// run is the schedule's.
func (o *fixture) run() {
	o.Helper()
	answer, err := o.again.Reparse(o.Context(), redrive.Common{Action: redrive.Again})
	if err != nil || len(answer.Problems) > 0 {
		o.Fatalf("%v, %v", answer, err)
	}
}

// waiting returns how many webhooks are to be parsed again by themselves.
func (o *fixture) waiting() (n int) {
	for r := range o.spool.All() {
		if strings.HasPrefix(r.Partition, "again/") {
			n++
		}
	}
	return n
}

// letters returns the dead letters, as their state, kind and code.
func (o *fixture) letters() (all []string) {
	for r := range o.state.All() {
		if l, ok := deadletter.Read(r); ok && strings.HasPrefix(r.Sort, "dead/") {
			all = append(all, strings.TrimSpace(string(l.State)+" "+l.Kind+" "+l.Code))
		}
	}
	return all
}

func (o *fixture) check(waiting int, letters, sent []string) {
	o.Helper()
	if got := o.waiting(); got != waiting {
		o.Errorf("%d webhooks wait, want %d", got, waiting)
	}
	if diff := cmp.Diff(letters, o.letters()); diff != "" {
		o.Errorf("dead letters: %s", diff)
	}
	if diff := cmp.Diff(sent, o.sent); diff != "" {
		o.Errorf("sent: %s", diff)
	}
}

// TestAWebhookThatATransientFaultMadeADeadLetterComesBackByItself is what only a person put back: a look-up failed after the
// signature was checked.
func TestAWebhookThatATransientFaultMadeADeadLetterComesBackByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFixture(t)
		o.known.down["one"] = true
		o.receive("first", `["one"]`)
		open := []string{"retryable line_unreadable"}
		o.check(1, open, nil)
		time.Sleep(5 * time.Minute)
		o.run()
		o.check(1, open, nil)
		o.known.down["one"] = false
		time.Sleep(5 * time.Minute)
		o.run()
		sent := []string{"one 1 00:00:00"} // as received
		o.check(0, []string{"redriven retryable line_unreadable"}, sent)
		o.run()
		o.check(0, []string{"redriven retryable line_unreadable"}, sent)
		if !strings.Contains(o.output.String(), `"Name":"Redriven"`) {
			t.Error("it is not counted")
		}
	})
}

// TestWhatIsParsedAgainByItselfKeepsItsOrder: a later webhook of a tenant waits for an earlier one, another tenant's for neither.
func TestWhatIsParsedAgainByItselfKeepsItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFixture(t)
		for _, address := range []string{"one", "large", "bulky", "two"} {
			o.known.down[address] = true
		}
		for _, address := range []string{"one", "bulky"} {
			o.receive("first", `["`+address+`"]`)
			time.Sleep(time.Second)
		}
		o.receive("second", `["two"]`)
		o.known.down = map[string]bool{"one": true}
		o.run()
		if diff := cmp.Diff([]string{"two 1 00:00:02"}, o.sent); diff != "" || o.waiting() != 2 {
			t.Errorf("%d wait, sent %s", o.waiting(), diff)
		}
		o.known.down = nil
		o.run()
		if diff := cmp.Diff([]string{"two 1 00:00:02", "one 1 00:00:00", "bulky 1 00:00:01"}, o.sent); diff != "" || o.waiting() != 0 {
			t.Errorf("%d wait, sent %s", o.waiting(), diff)
		}
	})
}

// TestWhatDoesNotComeBackByItselfIsLeftToAPerson and is counted, so that the alarm tells.
func TestWhatDoesNotComeBackByItselfIsLeftToAPerson(t *testing.T) {
	const counted = `"Name":"WebhookDeadLettered"`
	for name, c := range map[string]struct {
		change  func(o *fixture)
		letters string
		counted int // the first by the receiver
	}{
		"after a day":                   {func(*fixture) { time.Sleep(retryFor) }, "retryable line_unreadable", 2},
		"since its address is nobody's": {func(o *fixture) { o.known.down, o.known.gone = nil, map[string]bool{"one": true} }, "permanent unowned_address", 2},
		"since somebody was faster": {func(o *fixture) {
			o.known.down = nil
			var ids []string
			for r := range o.spool.All() {
				if id, ok := strings.CutPrefix(r.Partition, "bytes/"); ok && r.Sort == headSort {
					ids = append(ids, id)
				}
			}
			answer, err := o.again.Reparse(o.Context(), redrive.Common{Action: redrive.Redrive, Tenant: "first", IDs: ids, By: "ops", Reason: "ticket 7"})
			if err != nil || answer.Counts[redrive.Redriven] != 1 {
				o.Fatal(answer, err)
			}
			o.sent = nil
		}, "redriven retryable line_unreadable", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newFixture(t)
				o.known.down["one"] = true
				o.receive("first", `["one"]`)
				time.Sleep(time.Minute)
				c.change(o)
				for range 3 {
					o.run()
				}
				o.check(0, []string{c.letters}, nil)
				if got := strings.Count(o.output.String(), counted); got != c.counted {
					t.Errorf("counted %d times, want %d", got, c.counted)
				}
			})
		})
	}
}

func TestOnlyWhatPassesByItselfWaits(t *testing.T) {
	o := newFixture(t)
	for _, body := range []string{`{`, `["none"]`, `["huge"]`, `["lost"]`} {
		o.receive("first", body)
	}
	if o.waiting() != 0 || len(o.letters()) != 4 {
		t.Errorf("%d wait of %v", o.waiting(), o.letters())
	}
}

// TestARunThatFailsAtAnyCallIsMadeGoodByTheNext, and nothing is sent under an id that the router would take for another event's.
func TestARunThatFailsAtAnyCallIsMadeGoodByTheNext(t *testing.T) {
	for _, how := range []memstore.Fault{memstore.Before, memstore.After} {
		for failing, met := 0, true; met; failing++ {
			synctest.Test(t, func(t *testing.T) {
				o, calls := newFixture(t), 0
				o.known.down["one"] = true
				o.receive("first", `["one"]`)
				o.known.down = nil
				o.fault = func(memstore.Call) memstore.Fault {
					if calls++; calls == failing+1 {
						return how
					}
					return memstore.None
				}
				_, _ = o.again.Reparse(t.Context(), redrive.Common{Action: redrive.Again})
				o.fault = nil
				met = calls > failing
				if failing == 0 && !met {
					t.Fatal("no call was made")
				}
				o.run()
				if o.waiting() != 0 || len(o.sent) == 0 || len(o.sent) > 2 || o.letters()[0] != "redriven retryable line_unreadable" {
					t.Errorf("fault %d at call %d: %d wait, sent %v, %v", how, failing, o.waiting(), o.sent, o.letters())
				}
			})
		}
	}
}

func TestARunEndsBeforeItsInvocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFixture(t)
		o.known.down["one"] = true
		o.receive("first", `["one"]`)
		o.known.down = nil
		ctx, cancel := context.WithTimeout(t.Context(), retryMargin-time.Millisecond)
		defer cancel()
		if _, err := o.again.Reparse(ctx, redrive.Common{Action: redrive.Again}); err != nil || len(o.sent) > 0 || o.waiting() != 1 {
			t.Errorf("%v, sent %v", err, o.sent)
		}
	})
}

// TestAPointerThatCannotBeReadHoldsNothingUp: neither what waits behind it nor the partitions after its own.
func TestAPointerThatCannotBeReadHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFixture(t)
		for n := range spool.Shards {
			unreadable := store.Record{Data: []byte("{"), Key: store.Key{Partition: retryPartition(o.adapter.description.Provider, n), Sort: "1999"}}
			if err := o.spool.Note(t.Context(), unreadable); err != nil {
				t.Fatal(err)
			}
		}
		o.known.down["one"] = true
		o.receive("first", `["one"]`)
		o.known.down = nil
		o.run()
		o.check(spool.Shards, []string{"redriven retryable line_unreadable"}, []string{"one 1 00:00:00"})
		if got := strings.Count(o.output.String(), `"Name":"SpoolUnreadable"`); got != spool.Shards {
			t.Errorf("counted %d times", got)
		}
	})
}

// TestAWebhookWithoutItsDeadLetterIsNotDroppedInSilence: its bytes were kept, and the record that says why was not written.
func TestAWebhookWithoutItsDeadLetterIsNotDroppedInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFixture(t)
		lost := deadletter.Record{ID: "w1", Tenant: "first", Provider: o.adapter.description.Provider, First: time.Now()}
		if err := o.spool.Note(t.Context(), retryPointer(lost)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pointerGrace - time.Second)
		o.run()
		o.check(1, nil, nil)
		if o.output.Len() > 0 {
			t.Errorf("before its time: %s", &o.output)
		}
		time.Sleep(time.Second)
		o.run()
		o.check(0, nil, nil)
		for _, want := range []string{`"level":"ERROR"`, `"w1"`, `"Name":"WebhookDeadLettered"`} {
			if !strings.Contains(o.output.String(), want) {
				t.Errorf("no %s in %s", want, &o.output)
			}
		}
	})
}

// TestAWebhookOfVeryManyEventsIsKeptWholeAndParsedLater: before, what could not be published in time was answered 503, and as often as it came.
func TestAWebhookOfVeryManyEventsIsKeptWholeAndParsedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newFixture(t)
		o.adapter.Channel = batch{redelivers: []int{http.StatusServiceUnavailable}}
		o.adapter.description = o.adapter.Channel.Describe()
		const n = 10_000
		body := "[" + strings.TrimSuffix(strings.Repeat(`"one",`, n), ",") + "]"
		o.receive("first", body)
		o.check(1, []string{"retryable many_events"}, nil)
		if count := bytes.Count(o.output.Bytes(), []byte("WebhookDeadLettered")) + bytes.Count(o.output.Bytes(), []byte(telemetry.Failures)); count > 0 {
			t.Errorf("what waits is counted as a failure")
		}
		o.run()
		if len(o.sent) != n || o.waiting() > 0 || !slices.Equal(o.letters(), []string{"redriven retryable many_events"}) {
			t.Errorf("%d were sent, %d wait, letters %v", len(o.sent), o.waiting(), o.letters())
		}
		o.sent = nil
		o.receive("first", "["+strings.TrimSuffix(strings.Repeat(`"one",`, maxAtOnce), ",")+"]")
		if len(o.sent) != maxAtOnce || o.waiting() > 0 {
			t.Errorf("of %d %d were sent at once", maxAtOnce, len(o.sent))
		}
	})
}
