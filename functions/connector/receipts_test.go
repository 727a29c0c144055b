package connector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
)

// statuses is a CRM that shows statuses, and does to a write what do says.
type statuses struct {
	do func(ctx context.Context, updates []receipt.Update) []error

	mu    sync.Mutex
	calls []int // rows
	times []time.Time
}

func (s *statuses) WriteStatuses(ctx context.Context, updates []receipt.Update) []error {
	s.mu.Lock()
	s.calls, s.times = append(s.calls, len(updates)), append(s.times, time.Now())
	s.mu.Unlock()
	if s.do != nil {
		return s.do(ctx, updates)
	}
	return make([]error, len(updates))
}

func refuseAll(err error) func(context.Context, []receipt.Update) []error {
	return func(_ context.Context, updates []receipt.Update) []error {
		errs := make([]error, len(updates))
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
}

func receiptsLane(crm *statuses, pause time.Duration) (*connector.Receipts, *bytes.Buffer) {
	return receiptsOver(memstore.New(), crm, pause)
}

func receiptsOver(s *memstore.Store, crm connector.StatusWriter, pause time.Duration) (*connector.Receipts, *bytes.Buffer) {
	var out bytes.Buffer
	locked := &lockedWriter{w: &out}
	logger, meter := telemetry.NewLogger(locked, telemetry.Identity{}), telemetry.NewMeter(locked, telemetry.Identity{})
	return connector.NewReceipts(connector.ReceiptOptions{
		CRM: crm, Store: s, Width: 100, Attempt: 10 * time.Second, Pause: pause, Logger: logger, Meter: meter,
	}), &out
}

func updatesOf(t *testing.T, tenants ...string) []queue.Received {
	t.Helper()
	heads := make([]queue.Received, len(tenants))
	for i, tenant := range tenants {
		body, err := json.Marshal(receipt.Update{TenantID: tenant, CRM: "crm", Key: fmt.Sprint("k", i), Status: receipt.Status{State: "sent"}})
		if err != nil {
			t.Fatal(err)
		}
		heads[i].Body = body
	}
	return heads
}

func repeated(tenant string, n int) []string {
	return strings.Split(strings.TrimSuffix(strings.Repeat(tenant+" ", n), " "), " ")
}

func TestAFailedWriteIsNotRepeatedForTheRestOfItsBinding(t *testing.T) {
	cases := map[string]struct {
		err   error
		calls int
		kind  fault.Kind
	}{
		"throttled": {&fault.Error{Kind: fault.Throttled, Code: "slow", Wait: time.Minute}, 1, fault.Throttled},
		"down":      {fault.New(fault.Retryable, "down", nil), 1, fault.Retryable},
		"blocked":   {fault.New(fault.Blocked, "token", nil), 1, fault.Blocked},
		"refused for good, all with one code: the configuration": {fault.New(fault.Permanent, "field", nil), 1, fault.Blocked},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			crm := &statuses{do: refuseAll(c.err)}
			lane, _ := receiptsLane(crm, 0)
			for i, err := range lane.Handle(t.Context(), updatesOf(t, repeated("demo", 450)...)) {
				if f := fault.Of(err); err == nil || f.Kind != c.kind || f.Code != fault.Of(c.err).Code {
					t.Fatalf("update %d: %v", i, err)
				}
			}
			if len(crm.calls) != c.calls {
				t.Errorf("%d calls, want %d", len(crm.calls), c.calls)
			}
		})
	}
}

func TestOneTenantsHangingCRMHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var healthy time.Duration
		crm := &statuses{}
		crm.do = func(ctx context.Context, updates []receipt.Update) []error {
			if updates[0].TenantID == "ill" {
				<-ctx.Done()
				return refuseAll(fault.New(fault.Retryable, "timeout", ctx.Err()))(ctx, updates)
			}
			healthy = time.Since(began)
			return make([]error, len(updates))
		}
		lane, _ := receiptsLane(crm, 0)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		errs := lane.Handle(ctx, updatesOf(t, append(repeated("ill", 300), "well")...))
		if errs[0] == nil || errs[300] != nil || healthy > time.Second {
			t.Errorf("ill: %v, well: %v after %v", errs[0], errs[300], healthy)
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("the batch took %v", took)
		}
	})
}

func TestWritesToOneBindingPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crm := &statuses{}
		lane, _ := receiptsLane(crm, time.Second)
		for range 2 { // the pause holds between two batches, too
			for _, err := range lane.Handle(t.Context(), updatesOf(t, repeated("demo", 250)...)) {
				if err != nil {
					t.Error(err)
				}
			}
		}
		if len(crm.times) != 6 {
			t.Fatalf("%d calls", len(crm.times))
		}
		for i := 1; i < len(crm.times); i++ {
			if gap := crm.times[i].Sub(crm.times[i-1]); gap < time.Second {
				t.Errorf("call %d came %v after the one before", i, gap)
			}
		}
	})
}

func TestWhatHasNoTimeLeftGoesBackUnbegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lane, _ := receiptsLane(&statuses{}, 4*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		done, unbegun := 0, 0
		for _, err := range lane.Handle(ctx, updatesOf(t, repeated("demo", 1000)...)) {
			switch {
			case err == nil:
				done++
			case errors.Is(err, queue.ErrNotStarted):
				unbegun++
			}
		}
		if done != 300 || unbegun != 700 {
			t.Errorf("%d done, %d not begun", done, unbegun)
		}
	})
}

func TestAPanicOverStatusesIsThatBindingsOwn(t *testing.T) {
	crm := &statuses{}
	crm.do = func(_ context.Context, updates []receipt.Update) []error {
		if updates[0].TenantID == "ill" {
			panic("secret words")
		}
		return make([]error, len(updates))
	}
	lane, out := receiptsLane(crm, 0)
	errs := lane.Handle(t.Context(), updatesOf(t, "ill", "well"))
	if f := fault.Of(errs[0]); errs[0] == nil || f.Code != queue.CodePanic || errs[1] != nil {
		t.Errorf("%v", errs)
	}
	if strings.Contains(out.String(), "secret words") {
		t.Error("the log holds what was thrown")
	}
}

func TestACRMThatAnswersTooFewIsAsked(t *testing.T) {
	lane, _ := receiptsLane(&statuses{do: func(context.Context, []receipt.Update) []error { return nil }}, 0)
	if err := lane.Handle(t.Context(), updatesOf(t, "demo"))[0]; err == nil || fault.Of(err).Code != connector.CodeAnswers {
		t.Errorf("%v", err)
	}
}

// TestTheLastWordIsWhatIsHeld raises the record while writes are under way, as other processes do, and lets writes fail.
func TestTheLastWordIsWhatIsHeld(t *testing.T) {
	slow := &fault.Error{Kind: fault.Throttled, Code: "slow", Wait: time.Minute}
	type write struct {
		rises string // while it is under way
		fails bool   // after its effect
	}
	cases := map[string]struct {
		writes  []write
		receive int // how often the update comes until it is done
		wrote   string
	}{
		"nothing rises":                           {nil, 1, "sent"},
		"it rises while it is written":            {[]write{{"read", false}}, 1, "sent read"},
		"it rises again, while that is written":   {[]write{{"failed", false}, {"delivered", false}}, 1, "sent failed delivered"},
		"what makes it good fails":                {[]write{{"read", false}, {"", true}}, 2, "sent read read"},
		"it rises, and nobody knows of the write": {[]write{{"read", true}}, 2, "sent read"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, crm := memstore.New(), &statuses{}
			raise := func(state string) {
				if _, err := receipt.Raise(t.Context(), s, "demo", "k0", receipt.Status{State: state}); err != nil {
					t.Fatal(err)
				}
			}
			raise("sent")
			var wrote []string
			crm.do = func(ctx context.Context, updates []receipt.Update) []error {
				n := len(wrote)
				wrote = append(wrote, updates[0].State)
				if n >= len(c.writes) {
					return make([]error, len(updates))
				}
				if c.writes[n].rises != "" {
					raise(c.writes[n].rises)
				}
				if c.writes[n].fails {
					return refuseAll(slow)(ctx, updates)
				}
				return make([]error, len(updates))
			}
			heads := updatesOf(t, "demo")
			received := 0
			for err := error(slow); err != nil && received < 5; {
				received++
				heads[0].Attempt = received
				lane, _ := receiptsOver(s, crm, 0) // another process each time
				err = lane.Handle(t.Context(), heads)[0]
			}
			if got := strings.Join(wrote, " "); got != c.wrote || received != c.receive {
				t.Errorf("wrote %q in %d receives, want %q in %d", got, received, c.wrote, c.receive)
			}
		})
	}
}

func TestAnUpdateBehindWhatIsHeldIsNotWritten(t *testing.T) {
	s, crm := memstore.New(), &statuses{}
	if _, err := receipt.Raise(t.Context(), s, "demo", "k0", receipt.Status{State: "read"}); err != nil {
		t.Fatal(err)
	}
	lane, _ := receiptsOver(s, crm, 0)
	heads := updatesOf(t, "demo")
	heads[0].Attempt = 1
	if err := lane.Handle(t.Context(), heads)[0]; err != nil || len(crm.calls) != 0 {
		t.Errorf("%v after %d calls", err, len(crm.calls))
	}
	heads[0].Body = bytes.Replace(heads[0].Body, []byte("{"), []byte(`{"generation":1,`), 1) // unless it was redriven
	if err := lane.Handle(t.Context(), heads)[0]; err != nil || len(crm.calls) != 1 {
		t.Errorf("redriven: %v after %d calls", err, len(crm.calls))
	}
}
