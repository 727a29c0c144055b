package router_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/calendar"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/queue"
	"signalbox/shared/spool"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	gocmp "github.com/google/go-cmp/cmp"
)

// due returns what waits for its time, the first first.
func (w *world) due() (all []store.Record) {
	for r := range w.store.All() {
		if strings.HasPrefix(r.Partition, "due/") {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b store.Record) int { return cmp.Compare(a.Sort, b.Sort) })
	return all
}

// tick routes what is due by now.
func (w *world) tick(t *testing.T) {
	t.Helper()
	for _, r := range w.due() {
		at, ok := spool.At(r)
		if !ok || at.After(time.Now()) {
			continue
		}
		m, _, _ := spool.Read(r)
		m.Body = w.opened(t, m.Body)
		if err := w.route(t, queue.Received{Message: m, Attempt: 1, FirstSent: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.Write(t.Context(), store.Change{Kind: store.Delete, Record: r}); err != nil {
			t.Fatal(err)
		}
	}
}

// pass lets time pass until an instant, and what is due by then be routed, after each of which it calls then.
func (w *world) pass(t *testing.T, end time.Time, then ...func()) {
	t.Helper()
	for due := w.due(); len(due) > 0; due = w.due() {
		at, _ := spool.At(due[0])
		if at.After(end) {
			break
		}
		time.Sleep(max(0, time.Until(at)))
		w.tick(t)
		for _, f := range then {
			f()
		}
	}
	time.Sleep(max(0, time.Until(end)))
}

// notices returns those of all deliveries.
func (w *world) notices(t *testing.T) (told []map[string]string) {
	t.Helper()
	for _, d := range w.deliveries(t) {
		for _, a := range d.Actions {
			if a.Kind == delivery.Notify {
				told = append(told, a.Value)
			}
		}
	}
	return told
}

// now returns the nth event of a conversation, which happens now.
func now(n int, change func(*canonical.Event)) canonical.Event {
	return event("Are you there?", func(e *canonical.Event) {
		id := fmt.Sprintf("SM%d", n)
		e.EventID, e.ProviderMessageID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", id), id
		e.Timestamp, e.ReceivedAt = time.Now(), time.Now()
		if change != nil {
			change(e)
		}
	})
}

// ours returns the nth event of a conversation: what somebody or something of ours wrote.
func ours(n int, kind string, change func(*canonical.Event)) canonical.Event {
	e := now(n, func(e *canonical.Event) {
		e.Direction, e.Actor = canonical.Outbound, &canonical.Actor{Kind: kind, Via: "ana"}
		if change != nil {
			change(e)
		}
	})
	thread := e.ThreadID
	e.Sender, e.Recipient, e.ThreadID = e.Recipient, e.Sender, thread
	return e
}

// begin lets it be Monday, ten in the morning.
func begin(t *testing.T, w *world) {
	t.Helper()
	monday := time.Date(2000, 1, 3, 10, 0, 0, 0, time.UTC)
	time.Sleep(time.Until(monday))
	w.tenant.Leads = tenant.Leads{
		People:   []tenant.Seller{{Name: "ana", Users: map[string]string{"hubspot": "4711"}}},
		Holidays: []string{"2000-01-05"},
	}
	w.tenant.Lines = []tenant.Line{{ID: "demo-number", Leads: tenant.LineLeads{Owner: "ana", WaitMinutes: 30}}}
}

func TestWhoWaitsIsToldOf(t *testing.T) {
	t.Parallel()
	office := []calendar.Span{{Days: []string{"mon", "tue", "wed", "thu", "fri"}, From: "09:00", To: "17:30"}}
	at := func(hour, minute int) time.Duration { // since Monday ten o'clock
		return time.Duration(hour-10)*time.Hour + time.Duration(minute)*time.Minute
	}
	type step struct {
		at    time.Duration
		event func(n int) canonical.Event
	}
	asks := func(n int) canonical.Event { return now(n, nil) }
	asked := func(change func(*canonical.Event)) func(int) canonical.Event {
		return func(n int) canonical.Event { return now(n, change) }
	}
	answers := func(n int) canonical.Event { return ours(n, "agent", nil) }
	says := func(text string) func(int) canonical.Event {
		return asked(func(e *canonical.Event) { e.Message.Text = text })
	}
	earlier := func(e *canonical.Event) { e.Timestamp = e.Timestamp.Add(-5 * time.Minute) }
	tests := map[string]struct {
		steps []step
		want  []time.Duration // when somebody is told
		set   func(*tenant.Tenant)
	}{
		"nobody answers": {steps: []step{{at(10, 0), asks}}, want: []time.Duration{at(10, 30)}},
		"it is off unless the file says so": {
			steps: []step{{at(10, 0), asks}}, set: func(t *tenant.Tenant) { t.Lines[0].Leads.WaitMinutes = 0 },
		},
		"the line is one that the file has no more": {steps: []step{{at(10, 0), asks}}, set: func(t *tenant.Tenant) { t.Lines = nil }},
		"somebody answers":                          {steps: []step{{at(10, 0), asks}, {at(10, 29), answers}}},
		"somebody answers by another line": {
			steps: []step{{at(10, 0), asks}, {at(10, 29), func(n int) canonical.Event {
				return ours(n, "agent", func(e *canonical.Event) { e.LineID = "other" })
			}}},
		},
		"a machine answers": {
			steps: []step{{at(10, 0), asks}, {at(10, 29), func(n int) canonical.Event { return ours(n, "automation", nil) }}},
			want:  []time.Duration{at(10, 30)},
		},
		"somebody's phone answers by itself": {
			steps: []step{{at(10, 0), asks}, {at(10, 29), func(n int) canonical.Event {
				return ours(n, "agent", func(e *canonical.Event) { e.Flags.AutoReply = true })
			}}},
			want: []time.Duration{at(10, 30)},
		},
		"who asks again waits since the first time, and is told of once": {
			steps: []step{{at(10, 0), asks}, {at(10, 20), asks}, {at(10, 40), asks}, {at(11, 40), asks}}, want: []time.Duration{at(10, 30)},
		},
		"after an answer it is another wait": {
			steps: []step{{at(10, 0), asks}, {at(10, 10), answers}, {at(10, 20), asks}}, want: []time.Duration{at(10, 50)},
		},
		"and after one that came too late": {
			steps: []step{{at(10, 0), asks}, {at(10, 40), answers}, {at(11, 0), asks}, {at(11, 40), answers}, {at(12, 0), asks}, {at(12, 1), answers}},
			want:  []time.Duration{at(10, 30), at(11, 30)},
		},
		"what was said before an answer waits for none, however late it comes": {
			steps: []step{{at(10, 0), answers}, {at(10, 1), asked(earlier)}},
		},
		"an answer to what was said before, told of late": {
			steps: []step{{at(10, 0), asks}, {at(10, 1), func(n int) canonical.Event { return ours(n, "agent", earlier) }}}, want: []time.Duration{at(10, 30)},
		},
		"what was said first counts, although it comes last": {
			steps: []step{{at(10, 10), asks}, {at(10, 11), asked(earlier)}}, want: []time.Duration{at(10, 36)},
		},
		"what comes when everybody has gone waits from the morning on": {
			steps: []step{{at(20, 0), asks}}, want: []time.Duration{at(24+9, 30)}, set: func(t *tenant.Tenant) { t.Lines[0].Leads.Hours = office },
		},
		"the clock stands overnight and on a holiday": {
			steps: []step{{at(24+17, 20), asks}}, want: []time.Duration{at(72+9, 20)}, set: func(t *tenant.Tenant) { t.Lines[0].Leads.Hours = office },
		},
		"hours are those of the tenant's zone": {
			steps: []step{{at(10, 0), asks}}, want: []time.Duration{at(14, 30)},
			set: func(t *tenant.Tenant) { t.Zone, t.Lines[0].Leads.Hours = "America/New_York", office },
		},
		"who asks to be left alone waits for nothing": {steps: []step{{at(10, 0), says("STOP")}}},
		"nor who asks for it while they wait":         {steps: []step{{at(10, 0), asks}, {at(10, 10), says("STOP")}}},
		"a machine waits for nothing":                 {steps: []step{{at(10, 0), says("Automatic reply: back on Monday")}}},
		"nor does a thumb":                            {steps: []step{{at(10, 0), says("Liked “Shall we talk?”")}}},
		"what happened long ago is over":              {steps: []step{{at(10, 0), asked(func(e *canonical.Event) { e.Flags.Historical = true })}}},
		"a colleague is no customer": {
			steps: []step{{at(10, 0), asks}}, set: func(t *tenant.Tenant) { t.Leads.Staff = []string{"+15551234567"} },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				begin(t, w)
				if tt.set != nil {
					tt.set(&w.tenant)
				}
				w.link(t, now(1, nil))
				began := time.Now()
				var told []time.Duration
				tell := func() {
					for range len(w.notices(t)) - len(told) {
						told = append(told, time.Since(began))
					}
				}
				for n, s := range tt.steps {
					w.pass(t, began.Add(s.at), tell)
					if err := w.route(t, message(t, s.event(n))); err != nil {
						t.Fatal(err)
					}
				}
				w.pass(t, began.Add(30*24*time.Hour), tell)
				if diff := gocmp.Diff(tt.want, told); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		})
	}
}

// TestHowItIsTold is what a connector gets of a wait.
func TestHowItIsTold(t *testing.T) {
	t.Parallel()
	for most, words := range map[int]string{30: "30 minutes", 1: "1 minute"} {
		synctest.Test(t, func(t *testing.T) { howItIsTold(t, most, words) })
	}
}

func howItIsTold(t *testing.T, most int, words string) {
	w := newWorld()
	begin(t, w)
	w.tenant.Lines[0].Leads.WaitMinutes = most
	w.tenant.Zone = "America/New_York"
	e := now(1, nil)
	w.link(t, e)
	w.reasons(t, e)
	time.Sleep(time.Duration(most) * time.Minute)
	w.tick(t)
	all := w.deliveries(t)
	last := all[len(all)-1]
	want := []delivery.Action{{Kind: delivery.Notify, Value: map[string]string{
		"about": "waiting/" + string(e.EventID), "subject": "Waiting for an answer since 2000-01-03 05:00",
		"text":          "What this person wrote by SMS to the line demo-number has had no answer for " + words + ". The last messages are on the timeline.",
		delivery.OfWhom: delivery.Held, delivery.To: delivery.TheirOwner, delivery.Owner: "4711",
	}}}
	if diff := gocmp.Diff(want, last.Actions); diff != "" {
		t.Error(diff)
	}
	if last.Person.Links["contacts"] != "501" || last.Event.ThreadID != e.ThreadID || last.Event.Message != nil || last.Event.Type != canonical.TypeChange {
		t.Errorf("%+v", last)
	}
	if strings.Contains(fmt.Sprint(w.due()), "5551234567") {
		t.Error("what waits is in the clear")
	}
}

// TestARouterThatDiesTellsOnce of who waits: whatever call it dies at, when the message comes and when its time has come.
func TestARouterThatDiesTellsOnce(t *testing.T) {
	t.Parallel()
	for call := range 14 {
		for _, kind := range []memstore.Fault{memstore.Before, memstore.After} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				begin(t, w)
				e := now(1, nil)
				w.link(t, e)
				w.fault = func(n int) memstore.Fault {
					if n == call {
						return kind
					}
					return memstore.None
				}
				again := func(m queue.Received) {
					for range 3 {
						if w.route(t, m) == nil {
							return
						}
					}
					t.Fatal("it is not routed")
				}
				again(message(t, e))
				time.Sleep(time.Hour)
				due := w.due()
				if len(due) != 1 {
					t.Fatalf("call %d: %d are due, want 1", call, len(due))
				}
				m, _, _ := spool.Read(due[0])
				m.Body = w.opened(t, m.Body)
				for range 2 { // the one who sent it died, too
					again(queue.Received{Message: m, Attempt: 1, FirstSent: time.Now()})
				}
				about := map[string]bool{}
				for _, d := range w.deliveries(t) {
					if d.Event.Type == canonical.TypeChange {
						about[string(d.ID)] = true
					}
				}
				if len(about) != 1 {
					t.Errorf("call %d, %v: %d deliveries tell, want 1", call, kind, len(about))
				}
			})
		}
	}
}

// TestAWaitCostsNothingWhereNobodyAskedForIt and one call and two write units where somebody did.
func TestAWaitCostsNothingWhereNobodyAskedForIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cost := func(minutes int) int {
			w := newWorld()
			begin(t, w)
			w.tenant.Lines[0].Leads.WaitMinutes = minutes
			e := now(1, nil)
			w.link(t, e)
			w.calls = nil
			w.reasons(t, e)
			return len(w.calls)
		}
		if off, on := cost(0), cost(30); on-off != 2 {
			t.Errorf("%d calls without, %d with", off, on)
		}
	})
}

// TestTwoWhoWaitAndAreOneAreToldOfOnce: who is proved to be one person has one wait.
func TestTwoWhoWaitAndAreOneAreToldOfOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		begin(t, w)
		phone := canonical.Identifier{Kind: canonical.KindPhone, Value: "+15551234567"}
		hidden := canonical.Identifier{Kind: canonical.KindBSUID, Scope: "portfolio", Value: "US.1"}
		other := func(n int, known ...canonical.Identifier) canonical.Event {
			return now(n, func(e *canonical.Event) {
				e.Channel, e.ConversationID = canonical.WhatsApp, "whatsapp:demo-twilio:conv:98765"
				e.Sender = canonical.Participant{ID: "whatsapp:US.1", ChannelAddress: "US.1", Identifiers: known}
			})
		}
		w.reasons(t, now(1, nil))
		time.Sleep(5 * time.Minute)
		w.reasons(t, other(2, hidden))
		time.Sleep(10 * time.Minute)
		proof := other(3, hidden, phone)
		for range 10 { // it waits for what is under way, and goes on in the other group
			err := w.route(t, message(t, proof))
			if err == nil {
				break
			}
			time.Sleep(time.Minute)
		}
		for range 60 {
			time.Sleep(time.Minute)
			w.tick(t)
			var moved []queue.Message
			w.sent = slices.DeleteFunc(w.sent, func(m queue.Message) bool {
				if strings.Contains(string(m.Body), `"deliveryId"`) {
					return false
				}
				moved = append(moved, m)
				return true
			})
			for _, m := range moved {
				m.Body = w.opened(t, m.Body)
				if err := w.route(t, queue.Received{Message: m, Attempt: 1, FirstSent: time.Now()}); err != nil {
					t.Fatal(err)
				}
			}
		}
		told := slices.DeleteFunc(w.notices(t), func(n map[string]string) bool { return !strings.HasPrefix(n["about"], "waiting/") })
		if len(told) != 1 || told[0]["subject"] != "Waiting for an answer since 2000-01-03 10:00" {
			t.Errorf("%v", told)
		}
	})
}
