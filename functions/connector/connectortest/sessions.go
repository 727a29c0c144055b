package connectortest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/keyring"
	"signalbox/shared/session"
	"signalbox/shared/store"
)

// Sessions says what is true of a CRM that shows sessions, so that the suite can hold it to the contract.
type Sessions struct {
	Calls int // the limit: requests for a message of a person with links, with how the conversation stands
	// Held returns what the simulator holds of sessions: each record that shows one, or a part of one.
	Held func() []Shown
	// Edit changes what a record says beside the words, as a user of the CRM would.
	Edit func(key string)
	// Standings returns how the simulator shows that conversations stand. Nil: this binding does not show it.
	Standings func() []Standing
}

// Shown is a record that shows a session, or a part of one.
type Shown struct {
	Key     string   // its external id
	Persons []string // the ids of those it is associated with
	Text    string   // without mark-up
	Rest    string   // all that Edit changes
}

// Standing is how a conversation stands.
type Standing struct {
	Person   string
	Status   conversation.Status
	Messages int
	Receipt  string
}

// showsSessions runs the cases of CRMs that show sessions.
func showsSessions[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	t.Helper()
	if fresh(t).Sessions == nil {
		t.Skip("this CRM shows each message by itself")
	}
	cases := map[string]func(*world[R]){
		"ten messages of a day are one activity in their order":       sessionOfADay[R],
		"ten messages in two minutes cost little":                     sessionGathered[R],
		"a message that comes late is at its place":                   sessionLate[R],
		"a copy changes nothing and costs no request":                 sessionRedelivered[R],
		"what was written and forgotten is found":                     sessionForgotten[R],
		"an edit, a retraction and a reaction are where they belong":  sessionAmended[R],
		"what was offered, chosen and sent reads as people saw it":    sessionRich[R],
		"what is too long goes on in a part, and no character is cut": sessionInParts[R],
		"a part of which nothing is left says so":                     sessionShrinks[R],
		"what a user changed stays":                                   sessionEdited[R],
		"how the conversation stands is shown, and shown again":       sessionStands[R],
		"a message by itself shows how its conversation stands":       standsAlone[R],
		"a receipt changes how the conversation stands":               sessionReceipt[R],
		"what is said while it is written is shown":                   sessionMeanwhile[R],
		"sessions of several persons in a batch":                      sessionBatch[R],
		"who has to be made gets the session":                         sessionOfNobody[R],
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(newWorld(t, fresh(t))) })
		})
	}
	t.Run("killed", func(t *testing.T) { sessionKilled(t, fresh) })
}

// unsealed seals and opens nothing.
type unsealed struct{}

func (unsealed) SealPerson(_ context.Context, _ keyring.Place, _ string, plain []byte) ([]byte, error) {
	return plain, nil
}

func (unsealed) Open(_ context.Context, _ keyring.Place, sealed []byte) ([]byte, error) {
	return sealed, nil
}

// word is what message m says: no other's words hold it.
func word(m int) string { return fmt.Sprintf("word%03d", m) }

// talk adds the event of a delivery to the session of its person's day and counts it, as the router does.
func (w *world[R]) talk(d delivery.Delivery) delivery.Delivery {
	w.t.Helper()
	e := d.Event
	day := e.Timestamp.Truncate(24 * time.Hour)
	at := session.Place{Tenant: w.Tenant, Thread: e.ThreadID, Channel: e.Channel, Line: e.LineID, Start: day}
	key := session.StoreKey(w.Tenant, e.ThreadID, at.Name())
	version := w.change(key, time.Now().Add(21*24*time.Hour), func(held store.Record) []byte {
		r, err := session.Open(w.t.Context(), unsealed{}, held)
		if err != nil {
			w.t.Fatal(err)
		}
		r.Add(e)
		data, err := session.Seal(w.t.Context(), unsealed{}, key, "person", &r)
		if err != nil {
			w.t.Fatal(err)
		}
		return data
	})
	w.stand(e, func(s *conversation.State) {
		s.Messages++
		s.Status, s.Since, s.LastInbound = conversation.WaitingForUs, e.Timestamp, e.Timestamp
		if s.FirstInbound.IsZero() {
			s.FirstInbound = e.Timestamp
		}
	})
	d.Session, d.Conversation = &delivery.Session{Name: at.Name(), Key: at.ExternalID(), Revision: version, Window: time.Minute}, true
	return d
}

// stand changes how the conversation of an event stands.
func (w *world[R]) stand(e canonical.Event, change func(*conversation.State)) {
	w.t.Helper()
	w.change(conversation.StatesKey(w.Tenant, e.ThreadID), time.Time{}, func(held store.Record) []byte {
		c, err := conversation.DecodeStates(held.Data)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(c.All) == 0 {
			c.All = []conversation.State{{Line: e.LineID, Channel: e.Channel}}
		}
		change(&c.All[0])
		data, err := conversation.EncodeStates(c)
		if err != nil {
			w.t.Fatal(err)
		}
		return data
	})
}

// change changes a record and returns its version.
func (w *world[R]) change(key store.Key, expires time.Time, change func(held store.Record) []byte) int64 {
	w.t.Helper()
	held, err := w.store.Get(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	next := store.Record{Key: key, Version: held[0].Version, Expires: expires, Data: change(held[0])}
	if _, err := w.store.Write(w.t.Context(), store.Change{Kind: store.Put, Record: next}); err != nil {
		w.t.Fatal(err)
	}
	return next.Version + 1
}

// says returns the delivery of message m of person n, who is known, in the session of the day.
func (w *world[R]) says(n, m int, text string) delivery.Delivery {
	w.t.Helper()
	d := w.known(n, m)
	d.Event.Message.Text, d.Event.Message.Summary = text, ""
	return w.talk(d)
}

// amends returns the delivery of what person n does about message m.
func (w *world[R]) amends(n, m, about int, kind canonical.Type, change func(*canonical.Event)) delivery.Delivery {
	w.t.Helper()
	d := w.known(n, m)
	d.Event.Type, d.Event.Message = kind, nil
	d.Event.RelatesTo = &canonical.Relation{Kind: string(kind), ProviderMessageID: w.known(n, about).Event.ProviderMessageID}
	change(&d.Event)
	return w.talk(d)
}

// meet makes person n known by a message of another day.
func (w *world[R]) meet(n int) {
	w.t.Helper()
	w.finish(w.unknown(n, 1))
	w.wire.spoil(nil)
}

// sessions returns the records that show sessions, and fails the test unless each is with one person, whom the CRM holds.
func (w *world[R]) sessions() []Shown {
	w.t.Helper()
	var known []string
	for _, p := range w.Held().Persons {
		known = append(known, p.ID)
	}
	met := map[string]bool{}
	for n := range 20 {
		met[messageKey(w.unknown(n, 1))] = true
	}
	all := slices.DeleteFunc(w.Sessions.Held(), func(s Shown) bool { return met[s.Key] }) // what meet wrote
	for _, s := range all {
		if len(s.Persons) != 1 || !slices.Contains(known, s.Persons[0]) {
			w.t.Errorf("a session is associated with %q, want one person", s.Persons)
		}
	}
	return all
}

// reads fails the test unless the CRM shows one session, in one part, which has words in this order.
func (w *world[R]) reads(words ...string) Shown {
	w.t.Helper()
	all := w.sessions()
	if len(all) != 1 {
		w.t.Fatalf("%d records of sessions, want one: %+v", len(all), all)
	}
	rest := all[0].Text
	for _, one := range words {
		_, after, found := strings.Cut(rest, one)
		if !found {
			w.t.Fatalf("no %q in its place in %q", one, all[0].Text)
		}
		rest = after
	}
	return all[0]
}
