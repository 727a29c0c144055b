package connector_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// quota is a CRM that counts requests, and tells so if it has a limit.
type quota struct {
	mu          sync.Mutex
	daily, used int64
	span        time.Duration
	window      map[time.Time]int64 // requests by when they were made
}

func (q *quota) RoundTrip(*http.Request) (*http.Response, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used++
	if q.span > 0 {
		q.window[time.Now().Truncate(q.span)]++
	}
	header := http.Header{"Used": {fmt.Sprint(q.used)}, "Daily": {fmt.Sprint(q.daily)}}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

func (q *quota) spend(n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used += n
}

// quotaOf reads what quota tells.
func quotaOf(h http.Header) (u connector.Usage) {
	_, _ = fmt.Sscan(h.Get("Used"), &u.Used)
	_, _ = fmt.Sscan(h.Get("Daily"), &u.Daily)
	return u
}

// office is a deployment whose one tenant's file limits the requests.
type office struct {
	t      *testing.T
	store  *memstore.Store
	crm    *quota
	limits tenant.Limits
	writes atomic.Int64
	out    bytes.Buffer
}

func newOffice(t *testing.T, daily int64, limits tenant.Limits) *office {
	o := &office{t: t, crm: &quota{daily: daily, window: map[time.Time]int64{}}, limits: limits}
	o.store = memstore.New(memstore.Faulty(func(memstore.Call) memstore.Fault {
		o.writes.Add(1)
		return memstore.None
	}))
	return o
}

func (o *office) Tenant(context.Context, string) (tenant.Tenant, error) {
	return tenant.Tenant{ID: "t", Zone: "America/New_York", CRMs: []tenant.CRM{{Name: "crm", Limits: o.limits}}}, nil
}

// clerk is a process.
type clerk struct {
	*office
	budget *connector.Budget
	api    *connector.API
}

func (o *office) clerk() *clerk {
	out := &lockedWriter{w: &o.out}
	return &clerk{o, connector.NewBudget(connector.BudgetOptions{
		Kind: "crm", Store: o.store, Tenants: o, Concurrency: 10, Logger: telemetry.NewLogger(out, telemetry.Identity{}), Meter: telemetry.NewMeter(out, telemetry.Identity{}),
	}), connector.NewAPI("crm", &http.Client{Transport: o.crm}, quotaOf)}
}

// of is whose the requests are.
func (*office) of() connector.BindingKey { return connector.BindingKey{Tenant: "t", CRM: "crm"} }

// works makes a request if the budget allows it.
func (c *clerk) works(p connector.Priority) error {
	c.t.Helper()
	if err := c.budget.Admit(c.t.Context(), c.of(), p, 1); err != nil {
		return err
	}
	if _, err := c.api.Send(c.budget.Spending(c.t.Context(), c.of()), http.MethodGet, "http://crm.invalid/", http.Header{}, nil); err != nil {
		c.t.Fatal(err)
	}
	return nil
}

// until works until the budget refuses, at most so often, and returns how often it was let.
func (c *clerk) until(p connector.Priority, most int) (n int) {
	for ; n < most && c.works(p) == nil; n++ {
	}
	return n
}

func TestWhatMattersLessStopsFirst(t *testing.T) {
	for name, o := range map[string]func(t *testing.T) *office{
		"by the tenant's file": func(t *testing.T) *office { return newOffice(t, 0, tenant.Limits{Daily: 1000}) },
		"as the CRM tells":     func(t *testing.T) *office { return newOffice(t, 1000, tenant.Limits{}) },
		"the file is the less": func(t *testing.T) *office { return newOffice(t, 5000, tenant.Limits{Daily: 1000}) },
		"the CRM is the less":  func(t *testing.T) *office { return newOffice(t, 1000, tenant.Limits{Daily: 5000}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := o(t).clerk()
				for _, want := range []struct {
					connector.Priority
					sum  int64
					code string
				}{{connector.ForReceipts, 800, "crm_budget_low"}, {connector.ForFiles, 900, "crm_budget_low"}, {connector.ForMessages, 950, "crm_budget_spent"}, {connector.ForOptOuts, 1000, "crm_budget_spent"}} {
					c.until(want.Priority, 2000)
					f := fault.Of(c.works(want.Priority))
					if c.crm.used < want.sum-2 || c.crm.used > want.sum || f.Code != want.code || f.Kind != fault.Blocked || f.Wait <= 0 {
						t.Errorf("priority %d ends after %d requests with %v, want %d", want.Priority, c.crm.used, f, want.sum)
					}
				}
			})
		})
	}
}

func TestTenProcessesNeverMakeMoreThanTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 0, tenant.Limits{Daily: 3000})
		var running sync.WaitGroup
		for range 10 {
			running.Go(func() { o.clerk().until(connector.ForMessages, 3000) })
		}
		running.Wait()
		if o.crm.used > 2850 || o.crm.used < 2700 {
			t.Errorf("%d requests of 2850", o.crm.used)
		}
	})
}

func TestTheNextDayBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is midnight UTC, five hours before that in New York
		c := newOffice(t, 0, tenant.Limits{Daily: 200}).clerk()
		c.until(connector.ForMessages, 1000)
		f := fault.Of(c.works(connector.ForMessages))
		if f.Wait != 5*time.Hour {
			t.Fatalf("it waits for %s", f.Wait)
		}
		time.Sleep(f.Wait)
		if n := c.until(connector.ForMessages, 1000); n < 185 {
			t.Errorf("%d requests on the next day", n)
		}
	})
}

func TestALimitThatAnotherClientSpendsIsSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 100_000, tenant.Limits{})
		c, other := o.clerk(), o.clerk()
		c.until(connector.ForMessages, 500)
		other.until(connector.ForMessages, 100)
		o.crm.spend(96_000)
		if n := c.until(connector.ForMessages, 1000); n != 1 {
			t.Errorf("%d requests after the CRM told that its limit is spent", n)
		}
		if n := other.until(connector.ForMessages, 1000); n > 100 {
			t.Errorf("%d requests by a process that was told nothing", n)
		}
		time.Sleep(time.Hour)
		if n := c.until(connector.ForMessages, 1000); n != 1 {
			t.Errorf("%d requests after an hour, one is to look", n)
		}
		time.Sleep(time.Hour)
		o.crm.spend(-90_000) // the CRM's own day began
		if n := c.until(connector.ForMessages, 1000); n != 1000 {
			t.Errorf("%d requests after the CRM told that its day began anew", n)
		}
	})
}

func TestWhatProcessesTookAlongIsFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 20_000, tenant.Limits{})
		for range 4000 { // each is killed after a request, and loses what it leased
			o.clerk().until(connector.ForMessages, 2)
		}
		if n := o.clerk().until(connector.ForMessages, 4000); n != 4000 {
			t.Errorf("%d requests, although the CRM told that there are %d left", n, 20_000-o.crm.used)
		}
	})
}

func TestAllIsLeasedInBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 1_000_000, tenant.Limits{})
		c := o.clerk()
		c.until(connector.ForMessages, 20_000)
		if n := o.writes.Load(); n > 20 {
			t.Errorf("%d calls to the store for 20,000 requests", n)
		}
		o.writes.Store(0)
		newOffice(t, 0, tenant.Limits{}).clerk().until(connector.ForMessages, 1000)
		if n := o.writes.Load(); n > 0 {
			t.Errorf("%d calls to the store for a CRM without limits", n)
		}
	})
}

func TestOneProcessWarnsOnceThatADayDoesNotLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 100_000, tenant.Limits{})
		all := []*clerk{o.clerk(), o.clerk(), o.clerk()}
		for range 60 { // 600 a minute: 36,000 in the first hour, and all of it is gone after less than three
			for _, c := range all {
				c.until(connector.ForMessages, 200)
			}
			time.Sleep(time.Minute)
		}
		if n := strings.Count(o.out.String(), "the requests of the day run out"); n != 1 {
			t.Fatalf("told %d times\n%s", n, &o.out)
		}
		state, err := connector.Budgets(t.Context(), o.store, o.of())
		if err != nil || len(state) != 1 {
			t.Fatal(state, err)
		}
		until := time.Until(state[0].RunsOut)
		if until < 90*time.Minute || until > 2*time.Hour || state[0].Limit != 100_000 || state[0].State != "low" || state[0].Ours < 36_000 {
			t.Errorf("%+v, it runs out in %s", state[0], until)
		}
	})
}

func TestASlowDayWarnsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, 100_000, tenant.Limits{})
		c := o.clerk()
		for range 5 * 60 {
			c.until(connector.ForMessages, 200)
			time.Sleep(time.Minute)
		}
		if o.out.Len() > 0 {
			t.Errorf("of 60,000 requests in 5 hours of which the day has no more was told\n%s", &o.out)
		}
	})
}

// TestAnOptOutIsLetInAShortTimeThatMessagesHaveSpent, also while a message waits for the end of it.
func TestAnOptOutIsLetInAShortTimeThatMessagesHaveSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limits tenant.Limits
		limits.Window.Requests, limits.Window.Seconds = 100, 10
		o := newOffice(t, 0, limits)
		first, waits := o.clerk(), connector.NewBudget(connector.BudgetOptions{
			Kind: "crm", Store: o.store, Tenants: o, Concurrency: 10, Waits: true, Logger: slog.New(slog.DiscardHandler), Meter: telemetry.NewMeter(io.Discard, telemetry.Identity{}),
		})
		first.until(connector.ForReceipts, 200)
		if f := fault.Of(first.works(connector.ForReceipts)); f == nil || f.Code != "crm_rate_spent" {
			t.Errorf("receipts end with %v", f)
		}
		if n := first.until(connector.ForMessages, 200); n == 0 {
			t.Error("receipts have spent what was for messages")
		}
		began := time.Now()
		go func() { _ = waits.Admit(t.Context(), o.of(), connector.ForMessages, 20) }()
		synctest.Wait()
		if err := waits.Admit(t.Context(), o.of(), connector.ForOptOuts, 6); err != nil || time.Since(began) > 0 {
			t.Errorf("an opt-out is let after %v: %v", time.Since(began), err)
		}
	})
}

func TestAShortTimeIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limits tenant.Limits
		limits.Window.Requests, limits.Window.Seconds = 100, 10
		o := newOffice(t, 0, limits)
		o.crm.span = 10 * time.Second
		var running sync.WaitGroup
		for range 10 {
			running.Go(func() {
				c := o.clerk()
				for range 6 {
					for range 50 {
						if f := fault.Of(c.works(connector.ForMessages)); f != nil && (f.Kind != fault.Throttled || f.Code != "crm_rate_spent" || f.Wait > 10*time.Second) {
							t.Error(f)
						}
					}
					time.Sleep(10 * time.Second)
				}
			})
		}
		running.Wait()
		for at, n := range o.crm.window {
			if n > 100 || n < 90 {
				t.Errorf("%d requests from %s", n, at)
			}
		}
		o.writes.Store(0)
		for c := o.clerk(); o.crm.used < 700; time.Sleep(3 * time.Second) {
			c.until(connector.ForMessages, 1)
		}
		if n := o.writes.Load(); n > 0 {
			t.Errorf("%d calls to the store of a process with little to do", n)
		}
	})
}

// TestAShortTimeOfYearsIsNone: what something in between makes of a header holds up nobody.
func TestAShortTimeOfYearsIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newOffice(t, 0, tenant.Limits{}).clerk()
		c.api = connector.NewAPI("crm", &http.Client{Transport: c.crm}, func(http.Header) connector.Usage {
			return connector.Usage{Window: 10, Span: 10 * 365 * 24 * time.Hour}
		})
		if n := c.until(connector.ForMessages, 50); n < 50 {
			t.Errorf("refused after %d requests", n)
		}
	})
}
