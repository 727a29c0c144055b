package hubspot_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/functions/connector/connectortest"
	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
)

var morning = time.Date(2026, 1, 18, 9, 0, 0, 0, time.UTC)

// talk returns a session of n messages of the customer's, a minute between them.
func talk(n int) *connector.Activity {
	a := &connector.Activity{Key: strings.Repeat("5e", 32), Channel: canonical.RCS, Start: morning, Zone: time.UTC}
	for i := range n {
		a.Lines = append(a.Lines, connector.Line{At: morning.Add(time.Duration(i) * time.Minute), Inbound: true, Author: "Ana Ruiz", Text: fmt.Sprint("message ", i+1)})
	}
	return a
}

// waiting adds how the conversation stands.
func waiting(a *connector.Activity) *connector.Activity {
	last := a.Lines[len(a.Lines)-1].At
	a.Conversation = &conversation.State{
		Line: "sales", Channel: a.Channel, Status: conversation.WaitingForUs, Since: a.Start, FirstInbound: a.Start, LastInbound: last, Messages: len(a.Lines),
	}
	a.Conversations = []conversation.State{
		{Line: "old", Channel: canonical.SMS, Status: conversation.Closed, LastInbound: morning.Add(-time.Hour), Messages: 7}, *a.Conversation,
	}
	return a
}

// again returns a session as the next write of it finds it.
func again(a *connector.Activity, done connector.Progress) *connector.Activity {
	a.Written, a.Parts = connector.Result{}, 1
	for _, name := range []string{"activity", "activity.again"} {
		maps.Copy(a.Written, done[name])
	}
	if parts := a.Written[connector.ResultParts]; parts != "" {
		a.Parts, _ = strconv.Atoi(parts)
	}
	return a
}

// show carries a delivery out that shows a session, and fails the test for what goes wrong.
func show(t *testing.T, crm *hubspot.CRM, d delivery.Delivery, a *connector.Activity) connector.Progress {
	t.Helper()
	d.Conversation = a.Conversation != nil
	done := connector.Progress{}
	for {
		step, more, err := crm.Next(d, done)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return done
		}
		if logs := strings.HasPrefix(step.Name, "activity") || strings.HasPrefix(step.Name, "conversation"); step.Logs != logs {
			t.Errorf("%s logs: %v", step.Name, step.Logs)
		}
		step.Activity = a
		outcome := crm.Do(t.Context(), []connector.Step[hubspot.Request]{step})[0]
		if outcome.Err != nil {
			t.Fatalf("%s: %v", step.Name, outcome.Err)
		}
		done[step.Name] = outcome.Result
	}
}

// The golden files are what HubSpot is sent and replies, scenario by scenario.
func TestSessions(t *testing.T) {
	noKey := func(b *hubspot.Binding) { b.Capabilities.EngagementUpsert = false }
	cases := map[string]struct {
		binding func(*hubspot.Binding)
		run     func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM, known delivery.Delivery)
		calls   int
		held    int    // communications
		text    string // of the last one
	}{
		"a session of a known contact is made in one call": {nil, func(t *testing.T, _ *simulator.Simulator, crm *hubspot.CRM, known delivery.Delivery) {
			show(t, crm, known, talk(2))
		}, 1, 1, "RCS · Sunday, 18 January 2026 · UTC09:00 received · Ana Ruiz: message 109:01 received · Ana Ruiz: message 2"},
		"a session with its conversation costs two calls a write": {nil, func(t *testing.T, _ *simulator.Simulator, crm *hubspot.CRM, known delivery.Delivery) {
			done := show(t, crm, known, waiting(talk(1)))
			show(t, crm, known, again(waiting(talk(3)), done))
		}, 4, 1, "message 3"},
		"a session whose conversation is not shown is associated at each write": {nil, func(t *testing.T, _ *simulator.Simulator, crm *hubspot.CRM, known delivery.Delivery) {
			done := show(t, crm, known, talk(1))
			show(t, crm, known, again(talk(3), done))
		}, 3, 1, "message 3"},
		"a session that was made by a try that died is found by its key": {nil, func(t *testing.T, _ *simulator.Simulator, crm *hubspot.CRM, known delivery.Delivery) {
			show(t, crm, known, talk(1))
			show(t, crm, known, talk(2))
		}, 4, 1, "message 2"},
		"a session that is there is found, too, where a batch is refused as a whole": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM, known delivery.Delivery) {
			show(t, crm, known, talk(1))
			s.Spoil(simulator.Fault{
				Match: "/crm/objects/2026-03/communications/batch/create", Status: http.StatusBadRequest,
				Body: []byte(`{"status":"error","category":"VALIDATION_ERROR","errors":[{"code":"CONFLICTING_UNIQUE_VALUE"}]}`),
			})
			show(t, crm, known, talk(2))
		}, 4, 1, "message 2"},
		"a session that somebody deleted in the portal is made again": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM, known delivery.Delivery) {
			done := show(t, crm, known, waiting(talk(1)))
			s.Archive("communications", done["activity"]["record"])
			show(t, crm, known, again(waiting(talk(2)), done))
		}, 5, 1, "message 2"},
		"a session of a contact who is gone goes on with another": {nil, func(t *testing.T, s *simulator.Simulator, crm *hubspot.CRM, known delivery.Delivery) {
			done := show(t, crm, known, waiting(talk(1)))
			s.Archive("contacts", known.Person.Links["contact"])
			done = show(t, crm, known, again(waiting(talk(2)), done))
			if contact := done["activity.again"]["contact"]; contact == "" || contact == known.Person.Links["contact"] {
				t.Errorf("the session is on the timeline of %q", contact)
			}
		}, 12, 1, "message 2"},
		"in a portal without unique keys a session is looked for once": {noKey, func(t *testing.T, _ *simulator.Simulator, crm *hubspot.CRM, known delivery.Delivery) {
			done := show(t, crm, known, waiting(talk(1)))
			show(t, crm, known, again(waiting(talk(2)), done))
		}, 5, 1, "message 2"},
		"in a portal without unique keys a session that was made by a try that died is found by its marker": {noKey, func(t *testing.T, _ *simulator.Simulator, crm *hubspot.CRM, known delivery.Delivery) {
			show(t, crm, known, waiting(talk(1)))
			show(t, crm, known, waiting(talk(2)))
		}, 8, 1, "message 2"},
		"a portal with an older package shows no conversation": {func(b *hubspot.Binding) { b.Package = 2 }, func(t *testing.T, _ *simulator.Simulator, crm *hubspot.CRM, known delivery.Delivery) {
			show(t, crm, known, waiting(talk(1)))
		}, 1, 1, "message 1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := simulator.New(simulator.Options{Token: token})
				w := &wire{next: simulator.Transport(s)}
				b := portal()
				if c.binding != nil {
					c.binding(&b)
				}
				c.run(t, s, newCRM(b, w, slog.New(slog.DiscardHandler)), linked(message(1, delivery.LogActivity), s.Add("contacts", nil)))
				if calls := strings.Count(w.log.String(), "> "); calls != c.calls {
					t.Errorf("%d calls, want %d", calls, c.calls)
				}
				h := held(s)
				if len(h.Activities) != c.held {
					t.Fatalf("%d communications, want %d", len(h.Activities), c.held)
				}
				last := h.Activities[c.held-1]
				if len(last.Persons) == 0 || last.ExternalID != talk(1).Key || !strings.Contains(last.Text, c.text) || !last.At.Equal(morning) {
					t.Errorf("%+v", last)
				}
				golden(t, w.log.Bytes())
			})
		})
	}
}

// A session in several parts is several communications, in one call.
func TestASessionThatIsTooLongGoesOnInOtherCommunications(t *testing.T) {
	for name, keyed := range map[string]bool{"with keys": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			s := simulator.New(simulator.Options{Token: token})
			w := &wire{next: simulator.Transport(s)}
			b := portal()
			b.Capabilities.EngagementUpsert = keyed
			crm := newCRM(b, w, slog.New(slog.DiscardHandler))
			known := linked(message(1, delivery.LogActivity), s.Add("contacts", nil))
			long := func(n int) *connector.Activity {
				a := waiting(talk(n))
				for i := range a.Lines {
					a.Lines[i].Text = strings.Repeat("👩‍👩‍👧 & ", 4000)
				}
				return a
			}
			done := show(t, crm, known, long(2))
			first, _ := s.Records("communications")
			before := strings.Count(w.log.String(), "> ")
			show(t, crm, known, again(long(2), done))
			if calls := strings.Count(w.log.String(), "> ") - before; calls != 2 {
				t.Errorf("the second write costs %d calls", calls)
			}
			all := ""
			second, _ := s.Records("communications")
			for i, c := range second {
				body := c.Properties["hs_communication_body"]
				if strings.Contains(body, "…") || len(c.Associations["contacts"]) != 1 || body != first[i].Properties["hs_communication_body"] {
					t.Errorf("part %d: %d of %.80s", i+1, len(body), body)
				}
				all += body
			}
			if len(second) < 3 || len(second) != len(first) || strings.Count(all, "👩‍👩‍👧") != 8000 || strings.Count(all, "&amp;") != 8000 {
				t.Errorf("%d and %d parts with %d of 8000 characters", len(first), len(second), strings.Count(all, "👩‍👩‍👧"))
			}
			shorter := again(waiting(talk(1)), done)
			show(t, crm, known, shorter)
			third, _ := s.Records("communications")
			if len(third) != len(second) || !strings.Contains(third[len(third)-1].Properties["hs_communication_body"], "empty") {
				t.Errorf("%d parts, the last %.200s", len(third), third[len(third)-1].Properties["hs_communication_body"])
			}
		})
	}
}

// Thirty long parts are more than one call is to hold.
func TestALongSessionIsWrittenInSeveralCalls(t *testing.T) {
	s := simulator.New(simulator.Options{Token: token})
	w := &wire{next: simulator.Transport(s)}
	a := talk(30)
	for i := range a.Lines {
		a.Lines[i].Text = strings.Repeat("<", 14000) // which HTML makes four times as long
	}
	show(t, newCRM(portal(), w, slog.New(slog.DiscardHandler)), linked(message(1, delivery.LogActivity), s.Add("contacts", nil)), a)
	records, _ := s.Records("communications")
	if calls := strings.Count(w.log.String(), "> "); calls != 3 || len(records) != 30 {
		t.Errorf("%d calls and %d communications", calls, len(records))
	}
}

// Ten messages of a known contact: HubSpot's calls and records, by granularity.
func TestWhatTenMessagesCost(t *testing.T) {
	for name, c := range map[string]struct {
		writes         []int // messages in the session by each write; nil: one record a message
		shown          bool
		calls, records int
	}{
		"a record a message":                         {nil, false, 20, 10},
		"in two minutes, with their conversation":    {[]int{1, 5, 10}, true, 6, 1},
		"over a day, with their conversation":        {[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, true, 20, 1},
		"in two minutes, without their conversation": {[]int{1, 5, 10}, false, 5, 1},
		"over a day, without their conversation":     {[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, false, 19, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := simulator.New(simulator.Options{Token: token})
			w := &wire{next: simulator.Transport(s)}
			crm := newCRM(portal(), w, slog.New(slog.DiscardHandler))
			contact := s.Add("contacts", nil)
			var done connector.Progress
			for _, n := range c.writes {
				a := talk(n)
				if c.shown {
					waiting(a)
				}
				if done != nil {
					again(a, done)
				}
				done = show(t, crm, linked(message(n, delivery.LogActivity), contact), a)
			}
			for n := range 10 {
				if c.writes == nil {
					_, errs := connectortest.Carry(t.Context(), crm, linked(message(n, delivery.LogActivity), contact))
					none(t, errs)
				}
			}
			records, _ := s.Records("communications")
			if calls := strings.Count(w.log.String(), "> "); calls != c.calls || len(records) != c.records {
				t.Errorf("%d calls and %d records, want %d and %d", calls, len(records), c.calls, c.records)
			}
		})
	}
}

func TestSeveralSessionsAreWrittenTogether(t *testing.T) {
	s := simulator.New(simulator.Options{Token: token})
	w := &wire{next: simulator.Transport(s)}
	crm := newCRM(portal(), w, slog.New(slog.DiscardHandler))
	var steps []connector.Step[hubspot.Request]
	for n := range 4 {
		step, _, err := crm.Next(linked(message(n, delivery.LogActivity), s.Add("contacts", nil)), connector.Progress{})
		if err != nil {
			t.Fatal(err)
		}
		a := waiting(talk(1))
		a.Key = strings.Repeat(fmt.Sprintf("%02d", n), 32)
		step.Activity = a
		steps = append(steps, step)
	}
	steps[2].Activity.Lines[0].At = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) // beyond what RFC 3339 can write
	steps[2].Activity.Start = steps[2].Activity.Lines[0].At
	steps[3].Activity = nil // a message of its own
	for i, o := range crm.Do(t.Context(), steps) {
		if (o.Err != nil) != (i == 2) {
			t.Errorf("step %d: %v", i, o.Err)
		}
		if i < 2 && (o.Result["record"] == "" || o.Result["contact"] == "") {
			t.Errorf("step %d: %v", i, o.Result)
		}
	}
	if records, _ := s.Records("communications"); len(records) != 3 {
		t.Errorf("%d communications", len(records))
	}
}

func TestManyWritersOfOneSessionMakeOneCommunication(t *testing.T) {
	s := simulator.New(simulator.Options{Token: token})
	crm := newCRM(portal(), simulator.Transport(s), slog.New(slog.DiscardHandler))
	step, _, err := crm.Next(linked(message(1, delivery.LogActivity), s.Add("contacts", nil)), connector.Progress{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			own := step
			own.Activity = talk(n + 1)
			if o := crm.Do(t.Context(), []connector.Step[hubspot.Request]{own})[0]; o.Err != nil {
				t.Errorf("writer %d: %v", n, o.Err)
			}
		})
	}
	all.Wait()
	if h := held(s); len(h.Activities) != 1 || len(h.Activities[0].Persons) != 1 || !strings.Contains(h.Activities[0].Text, "message 1") {
		t.Errorf("%+v", h.Activities)
	}
}

func TestReceiptsShowHowAConversationStands(t *testing.T) {
	s := simulator.New(simulator.Options{Token: token})
	crm := newCRM(portal(), simulator.Transport(s), slog.New(slog.DiscardHandler))
	contact := s.Add("contacts", nil)
	u := connector.ConversationUpdate{TenantID: tenantID, CRM: "hubspot", Links: map[string]string{"contact": contact}, All: waiting(talk(3)).Conversations}
	u.All[1].Receipt, u.All[1].LastOutbound, u.All[1].FirstAnswer = "delivered", morning.Add(time.Hour), morning.Add(90*time.Second)
	gone, nobody := u, u
	gone.Links, nobody.Links = map[string]string{"contact": "77"}, nil
	none(t, crm.WriteConversations(t.Context(), []connector.ConversationUpdate{u, gone, nobody}))
	records, _ := s.Records("contacts")
	for property, want := range map[string]string{
		"msg_conversation_status": "waiting_for_us", "msg_conversation_channel": "rcs", "msg_conversation_line": "sales", "msg_messages": "3",
		"msg_waiting_since": "2026-01-18T09:00:00.000Z", "msg_last_inbound_at": "2026-01-18T09:02:00.000Z", "msg_last_outbound_at": "2026-01-18T10:00:00.000Z",
		"msg_first_response_seconds": "90", "msg_last_receipt": "delivered",
	} {
		if got := records[0].Properties[property]; got != want {
			t.Errorf("%s is %q, want %q", property, got, want)
		}
	}
	u.All[1].Status = conversation.WaitingForThem
	none(t, crm.WriteConversations(t.Context(), []connector.ConversationUpdate{u}))
	if records, _ = s.Records("contacts"); records[0].Properties["msg_waiting_since"] != "" {
		t.Error("nobody waits for us, and the contact says so since when")
	}
	b := portal()
	b.Token = "another"
	errs := newCRM(b, simulator.Transport(s), slog.New(slog.DiscardHandler)).WriteConversations(t.Context(), []connector.ConversationUpdate{u})
	if len(errs) != 1 || fault.Of(errs[0]).Kind != fault.Blocked {
		t.Errorf("%v", errs)
	}
}

// A receipt of a conversation that is not the newest one changes nothing of what the contact shows.
func TestAReceiptOfAnOlderConversationLeavesTheNewestShown(t *testing.T) {
	s, kept := simulator.New(simulator.Options{Token: token}), memstore.New()
	states, err := conversation.EncodeStates(conversation.Conversations{All: []conversation.State{
		{Line: "sales", Channel: canonical.SMS, Status: conversation.WaitingForThem, LastOutbound: morning, Messages: 1, Receipt: "delivered"},
		{Line: "sales", Channel: canonical.WhatsApp, Status: conversation.WaitingForUs, LastInbound: morning.Add(time.Hour), Messages: 2},
	}})
	if err != nil {
		t.Fatal(err)
	}
	head, err := conversation.Encode(conversation.Head{Links: map[string]map[string]string{"hubspot": {"contact": s.Add("contacts", nil)}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = kept.Write(t.Context(),
		store.Change{Kind: store.Put, Record: store.Record{Key: conversation.StatesKey(tenantID, "t1_x"), Data: states}},
		store.Change{Kind: store.Put, Record: store.Record{Key: conversation.Key(tenantID, "t1_x"), Data: head}})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(receipt.Update{
		TenantID: tenantID, CRM: "hubspot", Conversation: &receipt.Conversation{Thread: "t1_x", Line: "sales", Channel: canonical.SMS},
	})
	if err != nil {
		t.Fatal(err)
	}
	receipts := connector.NewReceipts(connector.ReceiptOptions{
		CRM: newCRM(portal(), simulator.Transport(s), slog.New(slog.DiscardHandler)), Store: kept, Width: hubspot.ReceiptsWidth, Attempt: time.Minute,
		Logger: slog.New(slog.DiscardHandler), Meter: telemetry.NewMeter(io.Discard, telemetry.Identity{}),
	})
	none(t, receipts.Handle(t.Context(), []queue.Received{{Message: queue.Message{Body: body}}}))
	records, _ := s.Records("contacts")
	if shows := records[0].Properties; shows["msg_conversation_channel"] != "whatsapp" || shows["msg_messages"] != "2" {
		t.Errorf("the contact shows %v", shows)
	}
}
