package deadletter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	recorder "signalbox/functions/deadletter"
	"signalbox/shared/audit"
	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"

	"github.com/google/go-cmp/cmp"
)

// taken is a queue that keeps what it is sent, and refuses some of it.
type taken struct {
	messages []queue.Message
	refuses  string // ids that begin so
}

func (q *taken) Publish(_ context.Context, messages ...queue.Message) error {
	errs := make([]error, len(messages))
	refused := false
	for i, m := range messages {
		if q.refuses != "" && strings.HasPrefix(m.ID, q.refuses) {
			errs[i], refused = fault.New(fault.Retryable, "queue_down", nil), true
			continue
		}
		q.messages = append(q.messages, m)
	}
	if refused {
		return &queue.PartialError{Errs: errs}
	}
	return nil
}

// bench is a redriver with its store and queues.
type bench struct {
	*testing.T
	store    *memstore.Store
	queues   map[string]*taken
	kinds    kinds
	logs     bytes.Buffer
	redriver *recorder.Redriver
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, store: memstore.New(), kinds: kinds{"hubspot": "hubspot"}, queues: map[string]*taken{
		"route": {}, "deliver-hubspot": {}, "route-receipts": {}, "receipts-hubspot": {},
	}}
	id := telemetry.Identity{Function: "redrive", Version: "1"}
	b.redriver = recorder.NewRedriver(b.store, b.kinds, b.publishers(), 3*time.Second, telemetry.NewLogger(&b.logs, id), telemetry.NewMeter(&b.logs, id))
	return b
}

func (b *bench) publishers() map[string]queue.Publisher {
	all := map[string]queue.Publisher{}
	for stage, q := range b.queues {
		all[stage] = q
	}
	return all
}

// kinds are those of the CRMs of every tenant.
type kinds map[string]string

func (k kinds) Kinds(context.Context, string) (map[string]string, error) { return k, nil }

// letter is the n-th dead letter: its event arrived n minutes after the last hour before today, one was given up every minute.
func letter(n int) deadletter.Record {
	id := fmt.Sprintf("e%03d", n)
	arrived := time.Now().UTC().Truncate(24 * time.Hour).Add(time.Duration(n-60) * time.Minute)
	body := fmt.Sprintf(`{"deliveryId":"%s.hubspot","crm":"hubspot","generation":0,"event":{"eventId":"%s","receivedAt":"%s","message":{"text":"<private> words"}}}`,
		id, id, arrived.Format("2006-01-02T15:04:05.000Z"))
	return deadletter.Record{
		ID: id + ".hubspot", Tenant: "demo", Stage: "deliver-hubspot", Kind: "permanent", Code: "bad_row", Reason: "bad_row", Attempts: 1,
		First: arrived, Last: arrived.Add(time.Second), FunctionVersion: "7", EventID: id, Group: "t1_a", Trace: "00-a-b-01", Body: []byte(body),
	}
}

func (b *bench) write(recs ...deadletter.Record) {
	b.Helper()
	for _, rec := range recs {
		if err := deadletter.Write(b.Context(), b.store, rec); err != nil {
			b.Fatal(err)
		}
	}
}

func (b *bench) ask(q redrive.Request) redrive.Result {
	b.Helper()
	answer, err := b.redriver.Redrive(b.Context(), q)
	if err != nil || len(answer.Problems) > 0 {
		b.Fatal(err, answer.Problems)
	}
	return answer
}

func (b *bench) claim(sort, event string) (*idempotency.Claims, *idempotency.Claim) {
	b.Helper()
	claims := idempotency.New(b.store, 35*time.Second)
	claim, err := claims.Claim(b.Context(), store.Key{Partition: "demo/event/" + event, Sort: sort})
	if err != nil {
		b.Fatal(err)
	}
	return claims, claim
}

func request(action string) redrive.Common {
	return redrive.Common{Action: action, Tenant: "demo", By: "ops", Reason: "ticket 7"}
}

func ids(a redrive.Result) []string {
	var all []string
	for _, item := range a.Items {
		all = append(all, item.ID)
	}
	return all
}

func TestAFilterChooses(t *testing.T) {
	for name, c := range map[string]struct {
		filter redrive.Filter
		want   []string
	}{
		"everything that was not settled": {redrive.Filter{}, []string{"e000", "e001", "e002", "e003", "e004"}},
		"the settled, too":                {redrive.Filter{Settled: true}, []string{"e000", "e001", "e002", "e003", "e004", "e005"}},
		"a stage":                         {redrive.Filter{Stage: "route"}, []string{"e001"}},
		"a kind":                          {redrive.Filter{Kind: "exhausted"}, []string{"e002"}},
		"a code":                          {redrive.Filter{Code: "other"}, []string{"e003"}},
		"a version":                       {redrive.Filter{FunctionVersion: "8"}, []string{"e004"}},
		"a thread":                        {redrive.Filter{Thread: "t1_b"}, []string{"e000", "e002"}},
		"a thread and a kind":             {redrive.Filter{Thread: "t1_b", Kind: "exhausted"}, []string{"e002"}},
		"from a day on":                   {redrive.Filter{From: "1999-12-31"}, []string{"e000", "e001", "e002", "e003", "e004"}},
		"days on which nothing happened":  {redrive.Filter{From: "1999-12-01", To: "1999-12-30"}, nil},
		"one that is nowhere":             {redrive.Filter{Code: "nowhere"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				all := make([]deadletter.Record, 6)
				for n := range all {
					all[n] = letter(n)
				}
				all[0].Group, all[2].Group, all[1].Stage, all[2].Kind, all[3].Code, all[4].FunctionVersion = "t1_b", "t1_b", "route", "exhausted", "other", "8"
				b.write(all...)
				held, err := b.store.Get(t.Context(), deadletter.Key(all[5]))
				if err != nil {
					t.Fatal(err)
				}
				if err := deadletter.Settle(t.Context(), b.store, held[0], deadletter.Redriven, 1); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, ids(b.ask(redrive.Request{Common: request(redrive.Plan), Filter: &c.filter}))); diff != "" {
					t.Errorf("(-want +got): %s", diff)
				}
			})
		})
	}
}

func TestManyTakeSeveralRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, filter := range map[string]redrive.Filter{"a day's": {}, "a thread's": {Thread: "t1_a"}} {
			for _, limit := range []int{1, 7, 25, 100} {
				b := newBench(t)
				var want []string
				for n := range 130 { // on two days
					rec := letter(n)
					if filter.Thread == "" {
						rec.Last = rec.First
					} else {
						rec.Last = rec.First.Add(time.Duration(300-2*n) * time.Minute) // the last to come was the first to be given up
					}
					b.write(rec)
					want = append(want, rec.EventID)
				}
				q := redrive.Request{Common: request(redrive.Redrive), Filter: &filter, Limit: limit}
				var got []string
				for requests := 0; ; requests++ {
					answer := b.ask(q)
					if len(answer.Items) > limit || requests > 140 {
						t.Fatalf("%s by %d: %d items", name, limit, len(answer.Items))
					}
					if got = append(got, ids(answer)...); !answer.More {
						break
					}
					q.After = answer.Next
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s by %d (-want +got): %s", name, limit, diff)
				}
				for i, m := range b.queues["deliver-hubspot"].messages {
					if m.ID != want[i]+".hubspot:1" {
						t.Errorf("%s by %d: message %d is %s", name, limit, i, m.ID)
						break
					}
				}
			}
		}
	})
}

func TestWhatGoesBack(t *testing.T) {
	crm := func(text string) []byte { return []byte(strings.Replace(string(letter(0).Body), "hubspot", text, 2)) }
	for name, c := range map[string]struct {
		change func(*deadletter.Record)
		stage  string
		id     string
		body   string // what it begins with
	}{
		"a delivery, with its generation": {func(*deadletter.Record) {}, "deliver-hubspot", "e000.hubspot:1", `{"crm":"hubspot","deliveryId":"e000.hubspot","event":{"eventId":"e000",`},
		"a second time":                   {func(r *deadletter.Record) { r.ID, r.Generation = "e000.hubspot:4", 4 }, "deliver-hubspot", "e000.hubspot:5", `{"crm":"hubspot",`},
		"an event, as it came": {func(r *deadletter.Record) {
			r.ID, r.Stage, r.Body = "e000", "route", []byte(`{"tenantId":"demo", "eventId":"e000"}`)
		}, "route", "e000:1", `{"tenantId":"demo", "eventId":"e000"}`},
		"what nobody can read": {func(r *deadletter.Record) { r.ID, r.EventID, r.Stage, r.Body = "x", "", "route", []byte(`not JSON`) }, "route", "x:1", `not JSON`},
		"a receipt":            {func(r *deadletter.Record) { r.Stage = "route-receipts" }, "route-receipts", "e000.hubspot:1", `{"deliveryId"`},
		"a status, too":        {func(r *deadletter.Record) { r.Stage = "receipts-hubspot" }, "receipts-hubspot", "e000.hubspot:1", `{"crm":"hubspot",`},
		"a body in parts": {func(r *deadletter.Record) {
			r.Body = bytes.Replace(crm("hubspot"), []byte("<private> words"), bytes.Repeat([]byte("<b>"), 80_000), 1)
		}, "deliver-hubspot", "e000.hubspot:1", `{"crm":"hubspot",`},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			rec := letter(0)
			c.change(&rec)
			b.write(rec)
			var want []byte
			if want = rec.Body; strings.HasPrefix(c.stage, "deliver-") {
				claims, claim := b.claim("delivery/hubspot", "e000")
				claim.Progress["contact"] = map[string]string{"id": "1"}
				if err := claims.GiveUp(t.Context(), claim, fault.New(fault.Permanent, "bad_row", nil)); err != nil {
					t.Fatal(err)
				}
			}
			answer := b.ask(redrive.Request{Common: request(redrive.Redrive), Filter: &redrive.Filter{}})
			if answer.Counts[redrive.Redriven] != 1 || len(b.queues[c.stage].messages) != 1 {
				t.Fatalf("%+v", answer)
			}
			m := b.queues[c.stage].messages[0]
			if m.ID != c.id || m.Group != "t1_a" || m.Trace != rec.Trace || !bytes.HasPrefix(m.Body, []byte(c.body)) {
				t.Errorf("sent %s of %s: %.200s", m.ID, m.Group, m.Body)
			}
			if strings.HasPrefix(c.stage, "route") {
				if !bytes.Equal(m.Body, want) {
					t.Errorf("the body was changed: %s", m.Body)
				}
				return
			}
			if grown := len(m.Body) - len(want); grown > 40 {
				t.Errorf("the body grew by %d bytes", grown)
			}
			var sent, was map[string]any
			if err := errors.Join(json.Unmarshal(m.Body, &sent), json.Unmarshal(want, &was)); err != nil {
				t.Fatal(err)
			}
			was["generation"] = float64(answer.Items[0].Generation)
			if diff := cmp.Diff(was, sent); diff != "" {
				t.Errorf("the body (-want +got): %.500s", diff)
			}
			if strings.HasPrefix(c.stage, "receipts-") { // they take no claim
				return
			}
			if _, claim := b.claim("delivery/hubspot", "e000"); claim.Progress["contact"] == nil || claim.Generation != answer.Items[0].Generation {
				t.Errorf("the claim is %+v", claim)
			}
			if strings.Contains(b.logs.String(), "private") || !strings.Contains(b.logs.String(), "ticket 7") {
				t.Error("the log: ", b.logs.String())
			}
		})
	}
}

func TestWhatStaysWhereItIs(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(b *bench, rec *deadletter.Record)
		outcome redrive.Outcome
		code    string
		state   deadletter.State
	}{
		"what was completed in the meantime": {func(b *bench, _ *deadletter.Record) {
			claims, claim := b.claim("delivery/hubspot", "e000")
			if err := claims.Complete(b.Context(), claim); err != nil {
				b.Fatal(err)
			}
		}, redrive.Completed, "", deadletter.Completed},
		"what is being worked on":      {func(b *bench, _ *deadletter.Record) { b.claim("delivery/hubspot", "e000") }, redrive.Busy, "claim_held", deadletter.Open},
		"what its queue refuses":       {func(b *bench, _ *deadletter.Record) { b.queues["deliver-hubspot"].refuses = "e000" }, redrive.Failed, "queue_down", deadletter.Open},
		"a stage nobody knows":         {func(_ *bench, r *deadletter.Record) { r.Stage = "unknown" }, redrive.Failed, recorder.CodeStage, deadletter.Open},
		"a CRM that is gone":           {func(_ *bench, r *deadletter.Record) { r.Stage, r.Body = "deliver-gone", nil }, redrive.Failed, deadletter.CodeUnbound, deadletter.Open},
		"a stage that nothing serves":  {func(_ *bench, r *deadletter.Record) { r.Stage = "x.fifo?" }, redrive.Failed, recorder.CodeQueue, deadletter.Open},
		"a webhook":                    {func(_ *bench, r *deadletter.Record) { r.Stage, r.Provider = "receive", "twilio" }, redrive.Parse, "bad_row", deadletter.Open},
		"an id that leaves no room":    {func(_ *bench, r *deadletter.Record) { r.ID = strings.Repeat("x", 127) }, redrive.Failed, recorder.CodeID, deadletter.Open},
		"a body that is not all there": {func(_ *bench, r *deadletter.Record) { r.Parts = 2 }, redrive.Failed, recorder.CodeBody, deadletter.Open},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, rec := newBench(t), letter(0)
				c.prepare(b, &rec)
				b.write(rec)
				answer := b.ask(redrive.Request{Common: request(redrive.Redrive), Filter: &redrive.Filter{}})
				if len(answer.Items) != 1 || answer.Items[0].Outcome != c.outcome || answer.Items[0].Code != c.code {
					t.Fatalf("%+v", answer)
				}
				if n := len(b.queues["deliver-hubspot"].messages); n > 0 {
					t.Errorf("%d messages were sent", n)
				}
				if got := records(t, b.store); got[0].State != c.state {
					t.Errorf("the dead letter is %q", got[0].State)
				}
				if want := map[string][]string{"twilio": {"e000"}}; c.outcome == redrive.Parse && cmp.Diff(want, answer.Parse) != "" {
					t.Errorf("to parse: %v", answer.Parse)
				}
			})
		})
	}
}

func TestWhatFailedAgainIsChosenOnce(t *testing.T) {
	b := newBench(t)
	first, again := letter(0), letter(0)
	again.ID, again.Generation, again.Last = first.ID+":1", 1, first.Last.Add(30*time.Hour)
	b.write(first, again)
	q := redrive.Request{Common: request(redrive.Redrive), Filter: &redrive.Filter{From: time.Now().AddDate(0, 0, -3).Format(time.DateOnly)}}
	q.Filter.To = time.Now().AddDate(0, 0, 3).Format(time.DateOnly)
	if answer := b.ask(q); len(answer.Items) != 1 || answer.Items[0].Generation != 2 {
		t.Errorf("%+v", answer)
	}
}

func TestAPlanChangesNothing(t *testing.T) {
	b := newBench(t)
	for n := range 3 {
		b.write(letter(n))
	}
	before := slices.Collect(b.store.All())
	q := redrive.Request{Common: redrive.Common{Action: redrive.Plan, Tenant: "demo"}, Filter: &redrive.Filter{}}
	if answer := b.ask(q); answer.Counts[redrive.Ready] != 3 || answer.Items[0].Code != "bad_row" {
		t.Errorf("%+v", answer)
	}
	if diff := cmp.Diff(before, slices.Collect(b.store.All())); diff != "" {
		t.Errorf("the store (-before +after): %s", diff)
	}
}

func TestWhatIsNamedIsRedrivenWhateverItsState(t *testing.T) {
	b := newBench(t)
	b.write(letter(1), letter(0))
	q := redrive.Request{Common: request(redrive.Redrive)}
	q.IDs = []string{"nowhere", "e001", "e000", "e001"}
	for generation := 1; generation <= 2; generation++ {
		answer := b.ask(q)
		if diff := cmp.Diff(map[redrive.Outcome]int{redrive.Redriven: 2, redrive.Missing: 1}, answer.Counts); diff != "" {
			t.Fatalf("(-want +got): %s", diff)
		}
		if diff := cmp.Diff([]string{"nowhere", "e000", "e001"}, ids(answer)); diff != "" {
			t.Errorf("the order (-want +got): %s", diff)
		}
		if answer.Items[1].Generation != generation {
			t.Errorf("generation %d, not %d", answer.Items[1].Generation, generation)
		}
	}
	entries, err := audit.Of(b.store, "demo", redrive.AuditChain).Entries(t.Context())
	if err != nil || len(entries) != 2 || entries[0].By != "ops" || entries[0].Reason != "ticket 7" {
		t.Fatalf("%v %+v", err, entries)
	}
	if diff := cmp.Diff([]string{"deliver-hubspot e000", "deliver-hubspot e001"}, entries[1].Subjects); diff != "" {
		t.Errorf("the audit entry (-want +got): %s", diff)
	}
}

func TestARequestThatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*redrive.Request){
		"no action":              func(q *redrive.Request) { q.Action = "" },
		"another one's action":   func(q *redrive.Request) { q.Action = redrive.Replay },
		"no tenant":              func(q *redrive.Request) { q.Tenant = "" },
		"a tenant that is a key": func(q *redrive.Request) { q.Tenant = "demo/event" },
		"nobody":                 func(q *redrive.Request) { q.By = "" },
		"no reason":              func(q *redrive.Request) { q.Reason = "" },
		"a customer's number":    func(q *redrive.Request) { q.Reason = "for +1 555 201 0001" },
		"no choice":              func(q *redrive.Request) { q.Filter = nil },
		"two choices":            func(q *redrive.Request) { q.IDs = []string{"e000"} },
		"too many ids":           func(q *redrive.Request) { q.Filter, q.IDs = nil, slices.Repeat([]string{"e000"}, 101) },
		"an empty id":            func(q *redrive.Request) { q.Filter, q.IDs = nil, []string{""} },
		"too large a limit":      func(q *redrive.Request) { q.Limit = 101 },
		"a day that is none":     func(q *redrive.Request) { q.Filter.From = "2026-02-30" },
		"days the wrong way":     func(q *redrive.Request) { q.Filter.From, q.Filter.To = "2026-02-03", "2026-02-02" },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write(letter(0))
			q := redrive.Request{Common: request(redrive.Redrive), Filter: &redrive.Filter{}}
			change(&q)
			answer, err := b.redriver.Redrive(t.Context(), q)
			if err != nil || len(answer.Problems) == 0 || len(answer.Items) > 0 || len(b.queues["deliver-hubspot"].messages) > 0 {
				t.Errorf("%v %+v", err, answer)
			}
		})
	}
}

// TestNothingOfATenantThatIsNot: a typing error is not the same as nothing to do.
func TestNothingOfATenantThatIsNot(t *testing.T) {
	for name, c := range map[string]struct {
		kinds  kinds
		change func(*redrive.Request)
		want   []string
	}{
		"nothing is there to do":            {kinds{}, func(*redrive.Request) {}, nil},
		"of no tenant there may be nothing": {nil, func(q *redrive.Request) { q.Tenant = deadletter.NoTenant }, nil},
		"a later request of several":        {nil, func(q *redrive.Request) { q.After = "2026-11-01 x" }, nil},
		"a tenant that is none":             {nil, func(*redrive.Request) {}, []string{"there is no tenant demo in this deployment"}},
		"an id of a tenant that is none": {
			nil, func(q *redrive.Request) { q.Filter, q.IDs = nil, []string{"e1"} }, []string{"there is no tenant demo in this deployment"},
		},
		"a CRM that is none": {
			kinds{"sales": "hubspot", "hubspot": "hubspot"},
			func(q *redrive.Request) { q.Filter.Stage = "deliver-hubspt" },
			[]string{"filter.stage names the CRM hubspt: demo has hubspot, sales"},
		},
		"a CRM that it has": {kinds{"sales": "hubspot"}, func(q *redrive.Request) { q.Filter.Stage = "receipts-sales" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			id := telemetry.Identity{Function: "redrive", Version: "1"}
			redriver := recorder.NewRedriver(b.store, c.kinds, b.publishers(), time.Second, telemetry.NewLogger(&b.logs, id), telemetry.NewMeter(&b.logs, id))
			q := redrive.Request{Common: request(redrive.Plan), Filter: &redrive.Filter{}}
			c.change(&q)
			answer, err := redriver.Redrive(t.Context(), q)
			if diff := cmp.Diff(c.want, answer.Problems); err != nil || diff != "" {
				t.Errorf("%v (-want +got): %s", err, diff)
			}
		})
	}
}

// TestADeadLetterGoesToTheKindThatItsBindingIsOf: a dead letter names a binding, a queue is one kind's.
func TestADeadLetterGoesToTheKindThatItsBindingIsOf(t *testing.T) {
	for name, c := range map[string]struct {
		stage, crm string
		kinds      kinds
		to, code   string
	}{
		"a binding that is not called like its kind":   {"deliver-sales", "sales", kinds{"sales": "hubspot"}, "deliver-hubspot", ""},
		"a kind that was corrected since":              {"deliver-sales", "sales", kinds{"sales": "hubspot"}, "deliver-hubspot", ""},
		"a stage that a release before called by kind": {"deliver-hubspt", "sales", kinds{"sales": "hubspot"}, "deliver-hubspot", ""},
		"a status":                      {"receipts-sales", "sales", kinds{"sales": "hubspot"}, "receipts-hubspot", ""},
		"a kind that is still mistyped": {"deliver-sales", "sales", kinds{"sales": "hubspt"}, "", recorder.CodeQueue},
		"a binding that was removed":    {"deliver-sales", "sales", kinds{"hubspot": "hubspot"}, "", deadletter.CodeUnbound},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.kinds = c.kinds
			id := telemetry.Identity{Function: "redrive", Version: "1"}
			b.redriver = recorder.NewRedriver(b.store, b.kinds, b.publishers(), time.Second, telemetry.NewLogger(&b.logs, id), telemetry.NewMeter(&b.logs, id))
			rec := letter(0)
			rec.Stage, rec.Kind, rec.Body = c.stage, "blocked", bytes.Replace(rec.Body, []byte(`"crm":"hubspot"`), []byte(`"crm":"`+c.crm+`"`), 1)
			b.write(rec)
			answer := b.ask(redrive.Request{Common: request(redrive.Redrive), Filter: &redrive.Filter{}})
			if len(answer.Items) != 1 || answer.Items[0].Code != c.code {
				t.Fatalf("%+v", answer)
			}
			for stage, q := range b.queues {
				if want := stage == c.to; (len(q.messages) == 1) != want {
					t.Errorf("%s has %d messages", stage, len(q.messages))
				}
			}
		})
	}
}

func TestNothingIsSentThatCannotBeAccountedFor(t *testing.T) {
	b := newBench(t)
	s := memstore.New(memstore.Faulty(func(c memstore.Call) memstore.Fault {
		if c.Operation == memstore.Write && strings.Contains(c.Keys[0].Partition, "/audit/") {
			return memstore.Before
		}
		return memstore.None
	}))
	b.store = s
	id := telemetry.Identity{Function: "redrive", Version: "1"}
	b.redriver = recorder.NewRedriver(s, b.kinds, b.publishers(), time.Second,
		telemetry.NewLogger(&b.logs, id), telemetry.NewMeter(&b.logs, id))
	b.write(letter(0))
	if _, err := b.redriver.Redrive(t.Context(), redrive.Request{Common: request(redrive.Redrive), Filter: &redrive.Filter{}}); err == nil {
		t.Error("no error")
	}
	if n := len(b.queues["deliver-hubspot"].messages); n > 0 {
		t.Errorf("%d messages were sent", n)
	}
}

func TestAnInvocationThatIsNearlyOverBeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.write(letter(0))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		answer, err := b.redriver.Redrive(ctx, redrive.Request{Common: request(redrive.Redrive), Filter: &redrive.Filter{}})
		if err != nil || answer.Counts[redrive.Failed] != 1 || len(b.queues["deliver-hubspot"].messages) > 0 {
			t.Errorf("%v %+v", err, slices.Collect(maps.Keys(answer.Counts)))
		}
	})
}
