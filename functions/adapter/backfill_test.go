package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// listing is a provider that can be asked: what was said, by when, and how it fails.
type listing struct {
	said    []Fetched
	fail    error
	most    int // it divides what is more than that, whatever is asked for
	fetched []Span
	filled  int
	slow    []string // the accounts whose host does not answer while it is waited for
	asked   map[string]time.Time
}

func (p *listing) Fetch(ctx context.Context, a tenant.Account, s Span, most int) ([]Fetched, error) {
	if p.asked != nil {
		p.asked[a.ID] = time.Now()
	}
	if slices.Contains(p.slow, a.ID) {
		<-ctx.Done()
		return nil, fault.New(fault.Retryable, "unanswered", nil)
	}
	if p.fail != nil {
		return nil, p.fail
	}
	var found []Fetched
	for _, f := range p.said {
		if !f.At.Before(s.From) && f.At.Before(s.To) {
			found = append(found, f)
		}
	}
	if most > 0 && p.most > 0 && len(found) > p.most {
		return nil, ErrMuch
	}
	p.fetched = append(p.fetched, s)
	return found, nil
}

func (p *listing) Fill(_ context.Context, _ tenant.Account, f Fetched) (Fetched, error) {
	p.filled++
	f.Part = false
	return f, nil
}

// numbered is a channel whose webhooks are a number and an address.
type numbered struct{ batch }

func (numbered) Decode(w Webhook) Content { return oneOf{list{w}} }

// oneOf is a webhook of numbered.
type oneOf struct{ list }

func (w oneOf) Parse() ([]Parsed, error) {
	key, address, _ := strings.Cut(string(w.Body), " ")
	return []Parsed{{
		Event: canonical.Event{
			Channel: canonical.SMS, Direction: canonical.Inbound, Sender: canonical.Participant{Phone: "+15552010001"},
			ProviderMessageID: key, Message: &canonical.Message{Text: key},
		},
		Kind: "message", Key: key, Addresses: []string{address}, Person: "+15552010001", Side: address,
	}}, nil
}

// mayAsk is a directory whose account may be asked.
type mayAsk struct {
	directory
	others []string // accounts beside its own, of which nothing was said
}

func (d *mayAsk) Account(ctx context.Context, id string) (tenant.Account, error) {
	a, err := d.directory.Account(ctx, id)
	a.APIURL = "https://api.example.net"
	return a, err
}

func (d *mayAsk) Accounts(ctx context.Context, _ string) ([]tenant.Account, error) {
	a, err := d.Account(ctx, "shared")
	all := []tenant.Account{a}
	for _, id := range d.others {
		a.ID = id
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b tenant.Account) int { return strings.Compare(a.ID, b.ID) })
	return all, err
}

// backfilling is a reparser that asks, with what it sent.
type backfilling struct {
	*Reparser
	t        *testing.T
	provider *listing
	state    *memstore.Store
	refused  bool
	sent     []canonical.Event
	ids      []string
	out      bytes.Buffer
}

func newBackfilling(t *testing.T) *backfilling {
	t.Helper()
	w := &backfilling{t: t, provider: &listing{}, state: memstore.New()}
	id := telemetry.Identity{Function: "BatchReparse", Version: "1"}
	ring, known := keyringtest.New(), &mayAsk{}
	events := publisher(func(all []queue.Message) error {
		if w.refused {
			return errors.New("refused")
		}
		for _, m := range all {
			var e canonical.Event
			if err := json.Unmarshal(opened(t, ring, m), &e); err != nil {
				t.Error(err)
			}
			w.sent, w.ids = append(w.sent, e), append(w.ids, m.ID)
		}
		return nil
	})
	w.Reparser = NewReparser(New(ring, Parts{
		Channel: numbered{}, Directory: known, Peppers: known, Sinks: Sinks(events, events),
		Logger: telemetry.NewLogger(&w.out, id), Meter: telemetry.NewMeter(&w.out, id),
	}), w.state, memstore.New()).Asks(w.provider, known)
	return w
}

// said adds a message that came to an address, so long ago.
func (w *backfilling) said(ago time.Duration, address string) {
	body := strconv.Itoa(len(w.provider.said)) + " " + address
	w.provider.said = append(w.provider.said, Fetched{Kind: "events", Body: []byte(body), At: time.Now().UTC().Add(-ago).Truncate(time.Second)})
}

// record makes an event known, as the router does.
func (w *backfilling) record(e canonical.Event) {
	w.t.Helper()
	if _, err := w.state.Write(w.t.Context(), store.Change{Kind: store.Put, Record: store.Record{Key: delivery.RecordKey(e.TenantID, e.EventID)}}); err != nil {
		w.t.Fatal(err)
	}
}

// look runs the schedule.
func (w *backfilling) look() error { return w.lookFor(time.Hour) }

// lookFor runs the schedule in an invocation of so long.
func (w *backfilling) lookFor(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	_, err := w.Handle(ctx, redrive.FetchRequest{Common: redrive.Common{Action: redrive.Again}})
	return err
}

// ask runs a request of an operator until it is done, at most so often.
func (w *backfilling) ask(ctx context.Context, action string, ago time.Duration) (redrive.Result, error) {
	now := time.Now().UTC()
	return w.Handle(ctx, redrive.FetchRequest{
		Common: redrive.Common{Action: action, By: "ada", Reason: "INC-1"}, Account: "shared", From: now.Add(-ago).Truncate(time.Hour), To: now.Truncate(time.Hour),
	})
}

// TestWhatNeverCameIsFetched: in its order, at its time, with the id that it would have had, and nothing that came.
func TestWhatNeverCameIsFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBackfilling(t)
		time.Sleep(30 * time.Minute) // of a day
		for _, ago := range []time.Duration{50 * time.Minute, 20 * time.Minute, 10 * time.Minute} {
			w.said(ago, "one")
		}
		w.said(15*time.Minute, "none") // of no line
		w.said(time.Minute, "one")     // it may come by itself yet
		slices.SortFunc(w.provider.said, func(a, b Fetched) int { return a.At.Compare(b.At) })
		w.provider.said[1].Part = true
		if err := w.look(); err != nil {
			t.Fatal(err)
		}
		if len(w.sent) != 3 || w.provider.filled != 1 {
			t.Fatalf("%d events were sent, %d filled", len(w.sent), w.provider.filled)
		}
		for i, e := range w.sent {
			at := w.provider.said[[]int{0, 1, 3}[i]].At
			if !e.Timestamp.Equal(at) || e.ReceivedAt.Before(time.Now().Add(-time.Second)) || e.Flags != (canonical.Flags{Backfilled: true}) || e.TenantID != "first" {
				t.Errorf("event %d: %+v, want it of %s", i, e, at)
			}
		}
		if !bytes.Contains(w.out.Bytes(), []byte(CodeUnowned)) {
			t.Error("what is of no line is not told")
		}
	})
}

// TestALookSeesEverythingOnceItIsSettled, whenever the schedule runs, and sends nothing twice that was recorded.
func TestALookSeesEverythingOnceItIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBackfilling(t)
		for range 40 { // 200 minutes, a message each
			for n := range 5 {
				w.said(-time.Duration(n)*time.Minute, "one")
			}
			time.Sleep(5 * time.Minute)
			before := len(w.sent)
			if err := w.look(); err != nil {
				t.Fatal(err)
			}
			for _, e := range w.sent[before:] {
				w.record(e)
			}
		}
		for _, span := range w.provider.fetched {
			if span.To.After(time.Now().Add(-settled)) {
				t.Fatalf("%v is not settled", span)
			}
		}
		var numbers []string
		for i, e := range w.sent {
			if e.ProviderMessageID != strconv.Itoa(i) {
				t.Fatalf("event %d is %s", i, e.ProviderMessageID)
			}
			numbers = append(numbers, e.ProviderMessageID)
		}
		if len(numbers) < 196 {
			t.Errorf("%d of 200 were sent", len(numbers))
		}
	})
}

// TestAProviderThatDoesNotAnswerIsAskedAgain, from where it was, and is told of when it goes on.
func TestAProviderThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBackfilling(t)
		if err := w.look(); err != nil {
			t.Fatal(err)
		}
		w.provider.fail = fault.New(fault.Retryable, "unanswered", nil)
		failed := 0
		for range 36 { // three hours
			time.Sleep(5 * time.Minute)
			if w.look() != nil {
				failed++
			}
		}
		if failed < 20 || failed > 25 {
			t.Errorf("%d of 36 runs failed, want those after an hour", failed)
		}
		w.said(170*time.Minute, "one")
		w.provider.fail = nil
		if err := w.look(); err != nil || len(w.sent) != 1 {
			t.Errorf("%d events were sent, %v", len(w.sent), err)
		}
	})
}

// TestASlowHostTakesNoOthersTurn: whichever accounts' hosts let themselves be waited for, each account is asked within a few runs.
func TestASlowHostTakesNoOthersTurn(t *testing.T) {
	for name, slow := range map[string][]string{"the first": {"a"}, "most": {"a", "b", "c", "d"}, "the last": {"y", "z"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newBackfilling(t)
				w.accounts = &mayAsk{others: []string{"a", "b", "c", "d", "y", "z"}}
				w.provider.slow, w.provider.asked = slow, map[string]time.Time{}
				failed := false
				for run := range 30 { // for longer than a host may fail to answer
					began := time.Now()
					err := w.lookFor(30 * time.Second)
					if failed = failed || err != nil; err != nil && run < 11 {
						t.Fatalf("run %d: %v", run, err)
					}
					if took := time.Since(began); took > 28*time.Second {
						t.Fatalf("run %d took %s", run, took)
					}
					time.Sleep(5*time.Minute - time.Since(began))
					for _, id := range []string{"a", "b", "c", "d", "shared", "y", "z"} {
						if run > 3 && time.Since(w.provider.asked[id]) > 20*time.Minute {
							t.Fatalf("run %d: %s was last asked %s ago", run, id, time.Since(w.provider.asked[id]))
						}
					}
				}
				if !failed {
					t.Error("nothing tells of hosts that do not answer")
				}
			})
		})
	}
}

// TestAccountsThatNoTimeIsLeftForAreTold: at once in the log, and as a failure when it goes on. They are asked from where they were.
func TestAccountsThatNoTimeIsLeftForAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBackfilling(t)
		w.said(50*time.Minute, "one")
		failed := 0
		for range 24 { // two hours
			if err := w.lookFor(fetchMargin - time.Second); err != nil {
				failed++
			}
			time.Sleep(5 * time.Minute)
		}
		if failed < 10 || failed > 12 || !strings.Contains(w.out.String(), "no time was left") {
			t.Errorf("%d of 24 runs failed, want those after an hour; %s", failed, &w.out)
		}
		if err := w.look(); err != nil || len(w.sent) != 1 {
			t.Errorf("%d events were sent, %v", len(w.sent), err)
		}
	})
}

// TestABackfillGoesOnWhereItWas: whatever ends it, and whoever goes on.
func TestABackfillGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBackfilling(t)
		const all = 30
		for n := range all {
			w.said(time.Duration(all-n)*time.Hour, "one")
		}
		w.provider.most = 1
		runs := 0
		for done := false; !done; runs++ {
			ctx, cancel := context.WithTimeout(t.Context(), fetchMargin+time.Duration(runs)*time.Millisecond)
			if runs%3 == 0 {
				w.provider.fail = fault.New(fault.Retryable, "unanswered", nil)
			}
			if runs%3 == 1 { // time for some of it
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), time.Hour)
				w.provider.fail = nil
				w.refused = runs%2 == 0
			}
			result, err := w.ask(ctx, redrive.Backfill, (all+1)*time.Hour)
			cancel()
			w.refused = false
			if len(result.Problems) > 0 || runs > 50 {
				t.Fatal(result.Problems, runs)
			}
			done = err == nil && result.Fetched != nil && result.Fetched.Done
			if done && (result.Fetched.Found < all || result.Fetched.Missing < all || result.More) {
				t.Errorf("%+v", result.Fetched)
			}
		}
		if len(w.sent) < all {
			t.Errorf("%d events", len(w.sent))
		}
		if !slices.IsSortedFunc(w.sent, func(a, b canonical.Event) int { return a.Timestamp.Compare(b.Timestamp) }) {
			t.Error("the events are not in order")
		}
	})
}

// TestHistoryIsFlaggedSo, and an account that may not be asked is not.
func TestHistoryIsFlaggedSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBackfilling(t)
		w.said(2*time.Hour, "one")
		result, err := w.ask(t.Context(), redrive.Import, 4*time.Hour)
		if err != nil || len(w.sent) != 1 || w.sent[0].Flags != (canonical.Flags{Historical: true}) {
			t.Errorf("%+v, %v, sent %+v", result, err, w.sent)
		}
		if diff := cmp.Diff([]string{redrive.NoAccount}, func() []string {
			r, _ := w.Handle(t.Context(), redrive.FetchRequest{Common: redrive.Common{Action: redrive.Backfill, By: "ada", Reason: "x"}, Account: "gone", From: time.Now().Add(-time.Hour), To: time.Now()})
			return r.Problems
		}()); diff != "" {
			t.Error(diff)
		}
		r, err := w.Handle(t.Context(), redrive.FetchRequest{Common: redrive.Common{Action: redrive.Backfill}, Account: "shared", From: time.Now(), To: time.Now()})
		if err != nil || len(r.Problems) < 2 {
			t.Errorf("%v, %v", r.Problems, err)
		}
	})
}
