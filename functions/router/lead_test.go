package router_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/calendar"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/delivery"
	"signalbox/shared/queue"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// TestWhoMakesNoLead: the message is written where the CRM turns out to hold its sender, and the record says why nobody is made.
func TestWhoMakesNoLead(t *testing.T) {
	t.Parallel()
	from := func(change func(*canonical.Event)) canonical.Event { return event("hello", change) }
	sender := func(p canonical.Participant) func(*canonical.Event) {
		return func(e *canonical.Event) { e.Sender = p }
	}
	tests := map[string]struct {
		event canonical.Event
		want  string
	}{
		"a person": {from(nil), ""},
		"a short code": {
			from(sender(canonical.Participant{ID: "sms:55501", ChannelAddress: "55501"})), router.NoLeadShortCode,
		},
		"a name in place of a number": {
			from(sender(canonical.Participant{ID: "sms:MYBANK", ChannelAddress: "MYBANK"})), router.NoLeadAlphanumeric,
		},
		"a visitor of a web site, who is known by a name": {from(func(e *canonical.Event) {
			e.Channel, e.ConversationID = canonical.Web, "web:demo-twilio:conv:98765"
			e.Sender = canonical.Participant{ID: "web:visitor", ChannelAddress: "visitor"}
		}), ""},
		"a person of WhatsApp without a number": {from(func(e *canonical.Event) {
			e.Channel, e.ConversationID = canonical.WhatsApp, "whatsapp:demo-twilio:conv:98765"
			e.Sender = canonical.Participant{ID: "whatsapp:US.4566", ChannelAddress: "US.4566"}
		}), ""},
		"one of our own lines":               {from(sender(canonical.Participant{Phone: "+15557654321"})), router.NoLeadOwnLine},
		"the number of a line of WhatsApp":   {from(sender(canonical.Participant{Phone: "+15557654322"})), router.NoLeadOwnLine},
		"an agent of ours":                   {from(sender(canonical.Participant{ID: "rcs:acme", ChannelAddress: "acme"})), router.NoLeadOwnLine},
		"a colleague":                        {from(sender(canonical.Participant{Phone: "+15550001111"})), router.NoLeadStaff},
		"a group":                            {from(func(e *canonical.Event) { e.Participants = make([]canonical.Participant, 3) }), router.NoLeadGroup},
		"two who are listed as participants": {from(func(e *canonical.Event) { e.Participants = make([]canonical.Participant, 2) }), ""},
		"a machine":                          {event("Automatic reply: back on Monday", nil), router.NoLeadAutoReply},
		"who asks to be left alone":          {event("STOP", nil), router.NoLeadOptOut},
		"who asks to be written to":          {event("START", nil), ""},
		"who asks for help":                  {event("HELP", nil), ""},
		"a provider's word for a machine":    {from(func(e *canonical.Event) { e.Flags.AutoReply = true }), router.NoLeadAutoReply},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range tt.event.Participants {
				tt.event.Participants[i].ID = "sms:participant"
			}
			w := newWorld()
			w.tenant.Leads = tenant.Leads{Staff: []string{"+15550001111"}}
			w.tenant.Lines = []tenant.Line{{Address: "+15557654321"}, {Address: "whatsapp:+15557654322"}, {Address: "rcs:acme"}}
			if err := w.route(t, message(t, tt.event)); err != nil {
				t.Fatal(err)
			}
			record, _ := w.record(t, tt.event)
			if record.Decision.NoLead != tt.want {
				t.Errorf("the record says %q, want %q", record.Decision.NoLead, tt.want)
			}
			makes, logs := false, false
			for _, a := range w.deliveries(t)[0].Actions {
				makes = makes || a.MakesPerson()
				logs = logs || a.Kind == delivery.LogActivity
			}
			if !logs || makes == (tt.want != "") {
				t.Errorf("logged: %t, somebody is made: %t", logs, makes)
			}
		})
	}
}

// TestWhoWasNoLeadIsMarkedWhenTheyAreOne: nobody is made of a stop, and whoever is made later shows it.
func TestWhoWasNoLeadIsMarkedWhenTheyAreOne(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.routeAll(t, spoken("STOP", 0), spoken("is the flat still free?", time.Hour))
	var made, marked bool
	for _, a := range w.deliveries(t)[1].Actions {
		made = made || a.Kind == delivery.EnsurePerson
		marked = marked || a.Kind == delivery.SetConsent && a.Value["state"] == consent.OptedOut
	}
	if !made || !marked {
		t.Errorf("somebody is made: %t, and marked: %t", made, marked)
	}
}

// TestWhoIsInTheCRMIsWrittenToWhoeverItIs: what makes no lead takes nothing from somebody who is linked.
func TestWhoIsInTheCRMIsWrittenToWhoeverItIs(t *testing.T) {
	t.Parallel()
	w, e := newWorld(), event("Automatic reply: back on Monday", nil)
	w.link(t, e)
	if err := w.route(t, message(t, e)); err != nil {
		t.Fatal(err)
	}
	record, _ := w.record(t, e)
	actions := w.deliveries(t)[0].Actions
	if record.Decision.NoLead != "" || len(actions) != 1 || actions[0].Kind != delivery.LogActivity || len(actions[0].Value) > 0 {
		t.Errorf("%q, %v", record.Decision.NoLead, actions)
	}
}

// TestAnOptOutOfWhoMakesNoLeadIsSet where the CRM turns out to hold them.
func TestAnOptOutOfWhoMakesNoLeadIsSet(t *testing.T) {
	t.Parallel()
	w, e := newWorld(), event("STOP", func(e *canonical.Event) {
		e.Sender = canonical.Participant{ID: "sms:55501", ChannelAddress: "55501"}
	})
	if err := w.route(t, message(t, e)); err != nil {
		t.Fatal(err)
	}
	var kinds []delivery.Kind
	for _, a := range w.deliveries(t)[0].Actions {
		kinds = append(kinds, a.Kind)
	}
	if len(kinds) != 2 || kinds[0] != delivery.SetConsent || kinds[1] != delivery.LogActivity {
		t.Errorf("%v", kinds)
	}
}

// newcomer returns the nth event of a line, from somebody new.
func newcomer(n int, change func(*canonical.Event)) canonical.Event {
	return event("hello", func(e *canonical.Event) {
		id := fmt.Sprintf("SM%d", n)
		e.EventID, e.ProviderMessageID = canonical.NewEventID("demo", "twilio", "demo-twilio", "message", id), id
		e.Sender.Phone = fmt.Sprintf("+1555333%04d", n)
		if change != nil {
			change(e)
		}
	})
}

// reasons routes events and returns why each makes no lead.
func (w *world) reasons(t *testing.T, events ...canonical.Event) (reasons []string) {
	t.Helper()
	for _, e := range events {
		if err := w.route(t, message(t, e)); err != nil {
			t.Fatal(err)
		}
		record, _ := w.record(t, e)
		reasons = append(reasons, record.Decision.NoLead)
	}
	return reasons
}

func TestALineMakesOnlySoManyLeadsADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.tenant.Zone, w.tenant.Leads.DailyCap = "America/New_York", 2
		now := time.Now()
		time.Sleep(time.Date(now.Year(), now.Month(), now.Day()+1, 4, 0, 0, 0, time.UTC).Sub(now)) // 23:00 there
		again := newcomer(3, func(e *canonical.Event) { e.Sender.Phone = newcomer(1, nil).Sender.Phone })
		other := newcomer(5, func(e *canonical.Event) { e.LineID = "other" })
		old := newcomer(6, func(e *canonical.Event) { e.Flags.Historical = true })
		got := w.reasons(t, newcomer(1, nil), newcomer(2, nil), again, newcomer(4, nil), other, old)
		want := []string{"", "", "", router.NoLeadCap, "", router.NoLeadHistorical} // who wrote before is counted already, and another line counts for itself
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		time.Sleep(time.Hour) // the next day in the tenant's zone
		if got := w.reasons(t, newcomer(7, nil)); got[0] != "" {
			t.Errorf("the next day: %s", got[0])
		}
	})
}

// TestWhoComesBeforeTheyAreCountedIsCountedOnce: of several at once only as many are made as the cap lets, and never fewer.
func TestWhoComesBeforeTheyAreCountedIsCountedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.tenant.Leads.DailyCap = 3
	var heads []queue.Received
	var events []canonical.Event
	for n := range 8 { // two messages each of four people
		e := newcomer(n, func(e *canonical.Event) { e.Sender.Phone = fmt.Sprintf("+1555333%04d", n/2) })
		events, heads = append(events, e), append(heads, message(t, e))
	}
	for left := heads; len(left) > 0; {
		var rest []queue.Received
		for i, err := range w.router.Handle(t.Context(), left) {
			if err != nil {
				rest = append(rest, left[i])
			}
		}
		left = rest
	}
	made := map[canonical.ThreadID]bool{}
	for _, e := range events {
		if record, _ := w.record(t, e); record.Decision.NoLead == "" {
			made[e.ThreadID] = true
		}
	}
	if len(made) != 3 {
		t.Errorf("%d of four people become leads, want 3", len(made))
	}
}

func TestARouterThatDiesCountsNobodyTwice(t *testing.T) {
	t.Parallel()
	for call := range 12 {
		for _, kind := range []memstore.Fault{memstore.Before, memstore.After} {
			w := newWorld()
			w.tenant.Leads.DailyCap = 2
			w.fault = func(n int) memstore.Fault {
				if n == call {
					return kind
				}
				return memstore.None
			}
			first := newcomer(1, nil)
			if err := w.route(t, message(t, first)); err != nil {
				w.fault = nil
				if err := w.route(t, message(t, first)); err != nil {
					t.Fatal(err)
				}
			}
			w.fault = nil
			if record, _ := w.record(t, first); record.Decision.NoLead != "" {
				t.Errorf("call %d, %v: %s", call, kind, record.Decision.NoLead)
			}
		}
	}
}

func TestWhoGetsALead(t *testing.T) {
	t.Parallel()
	people := []tenant.Seller{
		{Name: "ana", Users: map[string]string{"hubspot": "1"}},
		{Name: "bo", Users: map[string]string{"hubspot": "2"}},
		{Name: "cy", Users: map[string]string{"hubspot": "3"}, Hours: []calendar.Span{{Days: []string{"sat"}, From: "09:00", To: "10:00"}}},
		{Name: "di", Users: map[string]string{"salesforce": "4"}},
	}
	tests := map[string]struct {
		line tenant.LineLeads
		want []string // of three leads, on the first of January 2000, a Saturday at midnight
	}{
		"nothing is said":                     {tenant.LineLeads{}, []string{"", "", ""}},
		"the CRM's rules":                     {tenant.LineLeads{Assign: tenant.AssignCRM, Owner: "ana"}, []string{"", "", ""}},
		"the owner":                           {tenant.LineLeads{Assign: tenant.AssignOwner, Owner: "bo"}, []string{"2", "2", "2"}},
		"who is no user of this CRM":          {tenant.LineLeads{Assign: tenant.AssignOwner, Owner: "di"}, []string{"", "", ""}},
		"in turn":                             {tenant.LineLeads{Assign: tenant.AssignTurn, People: []string{"ana", "bo"}}, []string{"2", "1", "2"}},
		"in turn, but who is not at work":     {tenant.LineLeads{Assign: tenant.AssignTurn, People: []string{"ana", "cy"}}, []string{"1", "1", "1"}},
		"nobody is at work":                   {tenant.LineLeads{Assign: tenant.AssignTurn, People: []string{"cy"}}, []string{"3", "3", "3"}},
		"a name that an older file still has": {tenant.LineLeads{Assign: tenant.AssignTurn, People: []string{"ed", "ana"}}, []string{"1", "1", "1"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.tenant.Leads.People = people
				w.tenant.Lines = []tenant.Line{{ID: "demo-number", Leads: tt.line}}
				w.reasons(t, newcomer(1, nil), newcomer(2, nil), newcomer(3, nil))
				var got []string
				for _, d := range w.deliveries(t) {
					got = append(got, d.Actions[0].Value[delivery.Owner])
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
				e := newcomer(4, nil)
				w.link(t, e)
				w.reasons(t, e)
				if last := w.deliveries(t)[3].Actions; len(last) != 1 || last[0].Value[delivery.Owner] != "" {
					t.Errorf("who is known already: %v", last)
				}
			})
		})
	}
}

func TestThatThereAreTooManyIsToldOnce(t *testing.T) {
	t.Parallel()
	tells := func(w *world, e canonical.Event) (told []map[string]string) {
		for _, d := range w.deliveries(t) {
			if d.Event.EventID != e.EventID {
				continue
			}
			for _, a := range d.Actions {
				if a.Kind == delivery.Notify {
					told = append(told, a.Value)
				}
			}
		}
		return told
	}
	w := newWorld()
	w.tenant.Leads = tenant.Leads{DailyCap: 1, People: []tenant.Seller{{Name: "ana", Users: map[string]string{"hubspot": "4711"}}}}
	w.tenant.Lines = []tenant.Line{{ID: "demo-number", Leads: tenant.LineLeads{Owner: "ana"}}}
	first, second, third := newcomer(1, nil), newcomer(2, nil), newcomer(3, nil)
	w.reasons(t, first)
	w.fault = func(call int) memstore.Fault { // the router dies before it has recorded what it told
		if w.calls[call] == "write event" {
			return memstore.Before
		}
		return memstore.None
	}
	if err := w.route(t, message(t, second)); err == nil {
		t.Fatal("the router lives")
	}
	w.fault = nil
	w.reasons(t, third, second)
	told := tells(w, second)
	if len(tells(w, first))+len(tells(w, third)) > 0 || len(told) != 1 {
		t.Fatalf("%v and %v and %v", tells(w, first), told, tells(w, third))
	}
	if told[0][delivery.Owner] != "4711" || !strings.HasPrefix(told[0]["subject"], "Line demo-number has had its 1 new leads of ") || told[0]["about"] == "" {
		t.Errorf("%v", told[0])
	}
}

// TestANewLeadOfNobodysIsLookedAtAgain where the CRM's own rules give it out, and nowhere else.
func TestANewLeadOfNobodysIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	none, hour := 0, 60
	tests := map[string]struct {
		set  func(*tenant.Tenant)
		want time.Duration // after which the line's owner may be told, zero if nothing is looked at
	}{
		"five minutes later":              {func(*tenant.Tenant) {}, 5 * time.Minute},
		"as the file says":                {func(t *tenant.Tenant) { t.Leads.OwnerMinutes = &hour }, time.Hour},
		"at once, by the file":            {func(t *tenant.Tenant) { t.Leads.OwnerMinutes = &none }, 0},
		"nobody is told, by the file":     {func(t *tenant.Tenant) { t.Leads.Tell = new(bool) }, 0},
		"it is given to the line's owner": {func(t *tenant.Tenant) { t.Lines[0].Leads.Assign = tenant.AssignOwner }, 0},
		"the owner is no user of the CRM": {func(t *tenant.Tenant) {
			t.Lines[0].Leads.Assign, t.Leads.People[0].Users = tenant.AssignOwner, nil
		}, 5 * time.Minute},
		"there have been too many": {func(t *tenant.Tenant) { t.Leads.DailyCap = -1 }, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				begin(t, w)
				w.tenant.Lines[0].Leads.WaitMinutes = 0
				tt.set(&w.tenant)
				e := now(1, nil)
				w.reasons(t, e)
				w.reasons(t, now(2, nil)) // again, before the CRM tells of the person
				if tt.want == 0 {
					if due := w.due(); len(due) > 0 {
						t.Errorf("%v", due)
					}
					return
				}
				time.Sleep(tt.want)
				w.tick(t)
				told := w.notices(t)
				if len(told) == 0 || told[0]["text"] != "Are you there?" || told[0]["about"] != "person/"+w.deliveries(t)[0].Person.Key ||
					told[0][delivery.To] != delivery.TheirOwner || told[0][delivery.MadeSince] != "2000-01-03T10:00:00Z" || told[0][delivery.Owner] != w.tenant.Leads.People[0].Users["hubspot"] {
					t.Errorf("%v", told)
				}
				if len(told) > 1 && told[1]["about"] != told[0]["about"] {
					t.Error("what tells of one person is two tasks")
				}
			})
		})
	}
}

func TestWhoIsKnownIsNobodysNewLead(t *testing.T) {
	t.Parallel()
	w, e := newWorld(), event("hello", nil)
	w.link(t, e)
	w.reasons(t, e)
	if due := w.due(); len(due) > 0 {
		t.Errorf("%v", due)
	}
}
