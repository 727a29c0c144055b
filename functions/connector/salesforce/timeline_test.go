package salesforce_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/salesforce"
	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/functions/connector/simulatortest"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// showing is a CRM whose steps have what a Connector gives them: the activity of their delivery's session.
type showing struct {
	*salesforce.CRM
	activities []*connector.Activity // in the order of the steps
}

func (s showing) Do(ctx context.Context, steps []connector.Step[salesforce.Request]) []connector.Outcome {
	for i := range steps {
		if steps[i].Logs {
			steps[i].Activity = s.activities[i]
		}
	}
	return s.CRM.Do(ctx, steps)
}

// day is the session of the first n messages of a day, an hour apart.
func day(n int) *connector.Activity {
	began := time.Date(2026, 1, 18, 8, 0, 0, 0, time.UTC)
	a := &connector.Activity{
		Key: strings.Repeat("5e", 32), Channel: "rcs", Zone: time.UTC, Start: began, ConversationKey: strings.Repeat("c0", 32),
		Conversation: &conversation.State{
			Line: "support", Channel: "rcs", Status: conversation.WaitingForUs, FirstInbound: began, Messages: n, Consent: "opted_in",
		},
	}
	for i := range n {
		at := began.Add(time.Duration(i) * time.Hour)
		a.Lines = append(a.Lines, connector.Line{At: at, Inbound: true, Author: "Ana", Text: fmt.Sprint("message ", i+1)})
		a.Conversation.Since, a.Conversation.LastInbound = at, at
	}
	return a
}

// show carries message n of the day of somebody, and returns what the connector keeps of the session then.
func (w *world) show(t *testing.T, d delivery.Delivery, a *connector.Activity) (connector.Result, int) {
	t.Helper()
	wire := &wire{next: simulatortest.Transport(w.Simulator)}
	crm := showing{w.crm(w.binding, wire, slog.New(slog.DiscardHandler)), []*connector.Activity{a}}
	done, errs := connectortest.Carry(t.Context(), crm, d)
	none(t, errs)
	written := connector.Result{}
	for _, step := range []string{"record", "record.again"} {
		if done[0][step] != nil && done[0][step]["gone"] == "" {
			written = done[0][step]
		}
	}
	return written, strings.Count(wire.log.String(), "> ")
}

func (w *world) only(t *testing.T, object string) simulator.Record {
	t.Helper()
	held, _ := w.Records(object)
	if len(held) != 1 {
		t.Fatalf("%d records of %s: %v", len(held), object, held)
	}
	return held[0]
}

// timeline returns an org of a binding that was changed, in which a session is held.
func timeline(t *testing.T, change func(*salesforce.Binding)) *world {
	t.Helper()
	b := org()
	change(&b)
	s := simulator.New(simulator.Options{Apps: apps(t), NoTaskKey: !b.Capabilities.TaskUpsert})
	return &world{Simulator: s, place: signedIn(t, b, s), binding: b, who: s.Add("Contact", map[string]any{"LastName": "Ruiz"})}
}

func unchanged(*salesforce.Binding) {}

func noTaskKey(b *salesforce.Binding) { b.Capabilities.TaskUpsert = false }

func noTasks(b *salesforce.Binding) { b.Capabilities.Tasks = false }

// stored returns how many records hold what was said.
func (w *world) stored() (n int) {
	for _, object := range []string{"Task", "Msg_Event__c", "Msg_Conversation__c"} {
		held, _ := w.Records(object)
		n += len(held)
	}
	return n
}

// whole shows the first n messages of the day one by one and returns what is kept of the session, and the calls.
func (w *world) whole(t *testing.T, n int) (written connector.Result, calls int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		a := day(i)
		a.Written, a.Parts = written, min(1, len(written))
		made := 0
		written, made = w.show(t, linked(message(i, delivery.LogActivity), w.who), a)
		calls += made
	}
	return written, calls
}

// TestWhatADayCosts: a message of a day costs a call, and ten of them one record that shows them and one of the conversation. A record is
// 2 KB whatever it holds.
func TestWhatADayCosts(t *testing.T) {
	for name, c := range map[string]struct {
		change                func(*salesforce.Binding)
		calls, records, alone int
	}{
		"tasks":                   {unchanged, 10, 2, 20},
		"no external id on tasks": {noTaskKey, 11, 2, 20},
		"no tasks":                {noTasks, 10, 2, 10},
		"release 2 of package":    {func(b *salesforce.Binding) { b.Package = 2 }, 10, 1, 20},
	} {
		t.Run(name, func(t *testing.T) {
			w := timeline(t, c.change)
			if _, calls := w.whole(t, 10); calls != c.calls || w.stored() != c.records {
				t.Errorf("%d calls and %d records, want %d and %d", calls, w.stored(), c.calls, c.records)
			}
			alone := timeline(t, c.change)
			for n := range 10 {
				alone.show(t, linked(message(n, delivery.LogActivity), alone.who), nil)
			}
			if alone.stored() != c.alone || float64(w.stored()) > 0.2*float64(alone.stored()) {
				t.Errorf("%d records, and message by message %d, want %d", w.stored(), alone.stored(), c.alone)
			}
		})
	}
}

// TestWhatARepChangedStays: of an activity that is there the words are written, and nothing else.
func TestWhatARepChangedStays(t *testing.T) {
	for name, c := range map[string]struct {
		change       func(*salesforce.Binding)
		object, text string
		edit         map[string]any
	}{
		"of a task":                     {unchanged, "Task", "Description", map[string]any{"Subject": "Call Ana", "Status": "Deferred", "OwnerId": "005000000000007AAA"}},
		"of a task without external id": {noTaskKey, "Task", "Description", map[string]any{"Subject": "Call Ana", "Status": "Deferred", "WhoId": nil}},
		"of our own object":             {noTasks, "Msg_Event__c", "Body__c", map[string]any{"Status__c": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := timeline(t, c.change)
			written, _ := w.whole(t, 2)
			id := w.only(t, c.object).ID
			w.Set(id, c.edit)
			a := day(3)
			a.Written, a.Parts = written, 1
			w.show(t, linked(message(3, delivery.LogActivity), w.who), a)
			got := w.only(t, c.object).Properties
			for field, value := range c.edit {
				if text, _ := value.(string); got[field] != text {
					t.Errorf("%s is %q", field, got[field])
				}
			}
			if text := got[c.text]; !strings.HasSuffix(text, "08:00 [in] Ana: message 1\n09:00 [in] Ana: message 2\n10:00 [in] Ana: message 3") {
				t.Errorf("%q", text)
			}
		})
	}
}

// TestAnActivityIsThereOnce, in full, whatever was lost of it before: on our side or in the org.
func TestAnActivityIsThereOnce(t *testing.T) {
	for org, change := range map[string]func(*salesforce.Binding){"tasks": unchanged, "no external id on tasks": noTaskKey, "no tasks": noTasks} {
		for name, c := range map[string]struct {
			spoil func(w *world, object string, a *connector.Activity)
			calls int
		}{
			"nothing is known of what was written": {func(_ *world, _ string, a *connector.Activity) { a.Written, a.Parts = nil, 0 }, 1},
			"a user deleted it": {func(w *world, object string, _ *connector.Activity) {
				held, _ := w.Records(object)
				w.Delete(held[0].ID)
			}, 2},
			"it was deleted for good": {func(w *world, object string, a *connector.Activity) {
				held, _ := w.Records(object)
				w.Delete(held[0].ID)
				a.Written["part1"] = strings.ReplaceAll(held[0].ID, "1", "2")
			}, 2},
		} {
			t.Run(org+", "+name, func(t *testing.T) {
				w := timeline(t, change)
				object, calls := "Task", c.calls
				if !w.binding.Capabilities.Tasks {
					object = "Msg_Event__c"
				}
				written, _ := w.whole(t, 2)
				a := day(3)
				a.Written, a.Parts = written, 1
				c.spoil(w, object, a)
				if a.Written == nil && !w.binding.Capabilities.TaskUpsert {
					calls++ // it looks
				}
				_, made := w.show(t, linked(message(3, delivery.LogActivity), w.who), a)
				held := w.only(t, object)
				if made != calls || held.Associations["Contact"][0] != w.who || !strings.Contains(held.Properties["Description"]+held.Properties["Body__c"], "message 3") {
					t.Errorf("%d calls, want %d: %+v", made, calls, held)
				}
				if object == "Task" && held.Properties["Subject"] != "RCS conversation of 2026-01-18" {
					t.Errorf("%q", held.Properties["Subject"])
				}
			})
		}
	}
}

// TestAnActivityFollowsItsPerson: who turns out to be somebody else takes it along.
func TestAnActivityFollowsItsPerson(t *testing.T) {
	for name, change := range map[string]func(*salesforce.Binding){"tasks": unchanged, "no external id on tasks": noTaskKey, "no tasks": noTasks} {
		t.Run(name, func(t *testing.T) {
			w := timeline(t, change)
			w.who = w.Add("Lead", map[string]any{"LastName": "Ruiz", "Company": "X"})
			written, _ := w.whole(t, 1)
			to := w.Convert(w.who)
			a := day(2)
			a.Written, a.Parts = written, 1
			written, _ = w.show(t, linked(message(2, delivery.LogActivity), w.who), a)
			if written["who"] != to {
				t.Errorf("%v, want %s", written, to)
			}
			for _, object := range []string{"Task", "Msg_Event__c", "Msg_Conversation__c"} {
				held, _ := w.Records(object)
				for _, r := range held {
					if got := strings.Join(append(r.Associations["Contact"], r.Associations["Lead"]...), " "); got != to {
						t.Errorf("%s is of %q, want %s", object, got, to)
					}
				}
			}
		})
	}
}

// TestAPersonWhoWasDeletedTakesNothingAlong: Salesforce deletes the tasks of whom it deletes.
func TestAPersonWhoWasDeletedTakesNothingAlong(t *testing.T) {
	for name, change := range map[string]func(*salesforce.Binding){"tasks": unchanged, "no external id on tasks": noTaskKey} {
		t.Run(name, func(t *testing.T) {
			w := timeline(t, change)
			written, _ := w.whole(t, 2)
			w.Delete(written["part1"])
			w.Delete(w.who)
			a := day(3)
			a.Written, a.Parts = written, 1
			d := newcomer(3)
			d.Person.Links = map[string]string{"who": w.who}
			written, _ = w.show(t, d, a)
			task, lead := w.only(t, "Task"), w.only(t, "Lead")
			if written["part1"] != task.ID || task.Properties["WhoId"] != lead.ID || !strings.Contains(task.Properties["Description"], "message 1") {
				t.Errorf("%v %+v", written, task)
			}
			if talk := w.only(t, "Msg_Conversation__c"); talk.Properties["Lead__c"] != lead.ID || talk.Properties["Contact__c"] != "" {
				t.Errorf("%+v", talk)
			}
		})
	}
}

func TestALongDayHasParts(t *testing.T) {
	for name, change := range map[string]func(*salesforce.Binding){"tasks": unchanged, "no external id on tasks": noTaskKey, "no tasks": noTasks} {
		t.Run(name, func(t *testing.T) {
			w := timeline(t, change)
			a := day(1)
			a.Lines[0].Text = strings.Repeat("🙂", 40000)
			written, calls := w.show(t, linked(message(1, delivery.LogActivity), w.who), a)
			if w.stored() != 4 || written[connector.ResultParts] != "3" || calls > 2 {
				t.Fatalf("%d records, %d calls: %v", w.stored(), calls, written)
			}
			a = day(2) // the first one was edited
			a.Written, a.Parts = written, 3
			if again, calls := w.show(t, linked(message(2, delivery.LogActivity), w.who), a); w.stored() != 4 || calls != 1 || again["part3"] != written["part3"] {
				t.Errorf("%d records, %d calls: %v, want %v", w.stored(), calls, again, written)
			}
		})
	}
}

func TestTenSessionsAreOneCall(t *testing.T) {
	w := timeline(t, unchanged)
	wire := &wire{next: simulatortest.Transport(w.Simulator)}
	crm := showing{w.crm(w.binding, wire, slog.New(slog.DiscardHandler)), nil}
	var ds []delivery.Delivery
	for n := range 10 {
		a := day(1)
		a.Key, a.ConversationKey = fmt.Sprintf("%064x", n), fmt.Sprintf("%064x", 100+n)
		crm.activities = append(crm.activities, a)
		ds = append(ds, linked(message(n, delivery.LogActivity), w.Add("Contact", map[string]any{"LastName": "Ruiz"})))
	}
	_, errs := connectortest.Carry(t.Context(), crm, ds...)
	none(t, errs)
	if calls := strings.Count(wire.log.String(), "> "); calls != 1 || w.stored() != 20 {
		t.Errorf("%d calls, %d records", calls, w.stored())
	}
}

// TestAConversationIsUpdatedWhereItIs: receipts make none, and take two calls for as many as come at once.
func TestAConversationIsUpdatedWhereItIs(t *testing.T) {
	w := timeline(t, unchanged)
	w.whole(t, 1)
	state := *day(1).Conversation
	state.Receipt, state.ReceiptAt = "delivered", state.Since.Add(time.Minute)
	updates := make([]connector.ConversationUpdate, salesforce.ReceiptsWidth)
	for i := range updates {
		updates[i] = connector.ConversationUpdate{TenantID: tenantID, CRM: "salesforce", Key: fmt.Sprintf("%064x", i), State: state}
	}
	updates[7].Key = strings.Repeat("c0", 32)
	wire := &wire{next: simulatortest.Transport(w.Simulator)}
	none(t, w.crm(w.binding, wire, slog.New(slog.DiscardHandler)).WriteConversations(t.Context(), updates))
	held := w.only(t, "Msg_Conversation__c")
	if calls := strings.Count(wire.log.String(), "> "); calls != 2 || held.Properties["Last_Receipt__c"] != "delivered" || held.Associations["Contact"][0] != w.who {
		t.Errorf("%d calls: %+v", calls, held)
	}
	w.binding.Package = 2
	wire.log.Reset()
	if errs := w.crm(w.binding, wire, slog.New(slog.DiscardHandler)).WriteConversations(t.Context(), updates); errs[7] != nil || wire.log.Len() > 0 {
		t.Errorf("%v %s", errs[7], wire.log.String())
	}
	w.binding.BaseURL = "no address"
	wants(t, w.process().WriteConversations(t.Context(), updates)[0], fault.Blocked, "salesforce_base_url_invalid")
}

// TestAConversationSaysHowItStands, and what is no more is cleared.
func TestAConversationSaysHowItStands(t *testing.T) {
	w := timeline(t, unchanged)
	began := time.Date(2026, 1, 18, 8, 0, 0, 0, time.UTC)
	a := day(1)
	a.Conversation = &conversation.State{
		Line: "support", Channel: "rcs", Status: conversation.WaitingForThem, Since: began.Add(90 * time.Second), FirstInbound: began, LastInbound: began,
		FirstOutbound: began.Add(90 * time.Second), LastOutbound: began.Add(90 * time.Second), FirstAnswer: began.Add(90 * time.Second),
		Messages: 2, Receipt: "read", ReceiptAt: began.Add(2 * time.Minute), Consent: "opted_in", Owner: "Bob",
	}
	w.show(t, linked(message(1, delivery.LogActivity), w.who), a)
	for field, want := range map[string]string{
		"Channel__c": "rcs", "Line__c": "support", "Status__c": "waiting_for_them", "Waiting_Since__c": "2026-01-18T08:01:30.000Z",
		"First_Inbound_At__c": "2026-01-18T08:00:00.000Z", "Last_Inbound_At__c": "2026-01-18T08:00:00.000Z",
		"First_Outbound_At__c": "2026-01-18T08:01:30.000Z", "Last_Outbound_At__c": "2026-01-18T08:01:30.000Z", "First_Response_Seconds__c": "90",
		"Messages__c": "2", "Last_Receipt__c": "read", "Last_Receipt_At__c": "2026-01-18T08:02:00.000Z", "Consent__c": "opted_in", "Owner_Name__c": "Bob",
	} {
		if got := w.only(t, "Msg_Conversation__c").Properties[field]; got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	a.Conversation.Receipt, a.Conversation.ReceiptAt, a.Conversation.Owner = "", time.Time{}, ""
	w.show(t, linked(message(1, delivery.LogActivity), w.who), a)
	for _, field := range []string{"Last_Receipt__c", "Last_Receipt_At__c", "Owner_Name__c"} {
		if got := w.only(t, "Msg_Conversation__c").Properties[field]; got != "" {
			t.Errorf("%s is still %q", field, got)
		}
	}
}
