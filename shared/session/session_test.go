package session_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/session"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func place() session.Place {
	return session.Place{Tenant: "demo", Thread: "t1_x", Channel: canonical.SMS, Line: "number", Start: noon}
}

// message returns a message of an id and two times, in seconds after noon.
func message(id string, at, received int) canonical.Event {
	return canonical.Event{
		EventID: canonical.EventID(id), SchemaVersion: 2, Type: canonical.TypeMessage, Channel: canonical.SMS, Direction: canonical.Inbound,
		ConversationID: "sms:a:conv:b", Timestamp: noon.Add(time.Duration(at) * time.Second), ReceivedAt: noon.Add(time.Duration(received) * time.Second),
		Message: &canonical.Message{Text: "text of " + id},
	}
}

func TestExternalIDsAreFrozen(t *testing.T) {
	t.Parallel()
	const want = "7385398567e5440948530739dbf7953d76d21720d2a9097d2edb98d4295a6c4b"
	if got := place().ExternalID(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, change := range map[string]func(*session.Place){
		"tenant": func(p *session.Place) { p.Tenant = "other" }, "thread": func(p *session.Place) { p.Thread = "t1_y" },
		"channel": func(p *session.Place) { p.Channel = canonical.RCS }, "line": func(p *session.Place) { p.Line = "other" },
		"start": func(p *session.Place) { p.Start = p.Start.Add(time.Hour) }, "part": func(p *session.Place) { p.Part = "2" },
	} {
		other := place()
		change(&other)
		if other.ExternalID() == want || other.Name() == place().Name() && name != "tenant" && name != "thread" {
			t.Errorf("another %s has the same name", name)
		}
	}
}

func TestMessagesAreInTheOrderOfTheirTime(t *testing.T) {
	t.Parallel()
	var r session.Record
	for _, e := range []canonical.Event{message("b", 10, 10), message("late", 5, 60), message("c", 20, 20)} {
		if !r.Add(e) {
			t.Errorf("%s was not added", e.EventID)
		}
	}
	if r.Add(message("late", 5, 90)) {
		t.Error("a repeat changed the record")
	}
	var got []string
	for _, e := range r.Entries {
		got = append(got, string(e.Event.EventID))
	}
	if strings.Join(got, " ") != "late b c" {
		t.Errorf("got %v", got)
	}
}

func TestAWindowIsWrittenOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		received []int
		due      []int
	}{
		"the first is due at once":                       {[]int{0}, []int{0}},
		"what comes in the window is due at its end":     {[]int{0, 13, 26, 59}, []int{0, 60, 60, 60}},
		"a write opens the next window":                  {[]int{0, 13, 61, 119}, []int{0, 60, 120, 120}},
		"after a silence the next is due at once":        {[]int{0, 13, 121}, []int{0, 60, 121}},
		"what comes with the write is in it":             {[]int{0, 30, 60}, []int{0, 60, 60}},
		"ten in two minutes are three writes":            {[]int{0, 13, 26, 39, 52, 65, 78, 91, 104, 117}, []int{0, 60, 60, 60, 60, 120, 120, 120, 120, 120}},
		"what comes a whole window later is due at once": {[]int{0, 60}, []int{0, 60}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r session.Record
			for i, received := range c.received {
				r.Add(message(string(rune('a'+i)), -i, received)) // by event time the other way round
			}
			for i, want := range c.due {
				if got := r.Due(canonical.EventID(rune('a'+i)), time.Minute); !got.Equal(noon.Add(time.Duration(want) * time.Second)) {
					t.Errorf("message %d is due at %v, want %d s", i, got, want)
				}
			}
			if !r.Due("unknown", time.Minute).IsZero() {
				t.Error("what is not held is due")
			}
		})
	}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	ring := keyring.New(keyring.Options{Keys: memkeys.New(), Tenants: memstore.New(), Persons: memstore.New(), Random: rand.Reader})
	key := session.StoreKey("demo", "t1_x", place().Name())
	r := session.Record{Zone: "Europe/Berlin"}
	e := message("a", 0, 1)
	e.Attribution = &canonical.Attribution{SourceID: "77", Headline: "Spring sale", Body: "not shown"}
	r.Add(e)
	r.Entries[0].Failed = "30003"
	if ad := r.Entries[0].Event.Attribution; ad == nil || *ad != (canonical.Attribution{SourceID: "77", Headline: "Spring sale"}) {
		t.Errorf("what brought them is %v", ad)
	}
	sealed, err := session.Seal(t.Context(), ring, key, strings.Repeat("ab", 32), &r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(sealed), "text of a") {
		t.Error("the words are in the clear")
	}
	got, err := session.Open(t.Context(), ring, store.Record{Key: key, Version: 1, Data: sealed})
	if diff := cmp.Diff(r, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := session.Open(t.Context(), ring, store.Record{Key: session.StoreKey("demo", "t1_x", "session/other"), Version: 1, Data: sealed}); err == nil {
		t.Error("what was moved to another place opens")
	}
	if got, err := session.Open(t.Context(), ring, store.Record{Key: key}); err != nil || len(got.Entries) > 0 {
		t.Errorf("%v %v of a record that is not there", got, err)
	}
}

func TestAnotherEventOfAMessageOfOursTakesItsPlace(t *testing.T) {
	t.Parallel()
	ours := func(id string, received int, change func(*canonical.Event)) canonical.Event {
		e := message(id, 10, received)
		e.Direction, e.Provider, e.AccountID, e.ProviderMessageID = canonical.Outbound, "acme", "acme-1", "M1"
		if change != nil {
			change(&e)
		}
		return e
	}
	var r session.Record
	for _, e := range []canonical.Event{message("a", 0, 0), ours("first", 10, nil), message("z", 20, 20)} {
		r.Add(e)
	}
	if again := ours("again", 30, nil); !r.Tells(again) || !r.Add(again) || r.Add(ours("first", 10, nil)) || !r.Holds("first") || !r.Holds("again") {
		t.Errorf("got %+v", r.Entries)
	}
	if len(r.Entries) != 3 || r.Entries[1].Event.EventID != "again" || !r.Due("first", time.Minute).Equal(r.Due("again", time.Minute)) {
		t.Errorf("got %+v", r.Entries)
	}
	for name, e := range map[string]canonical.Event{
		"another message": ours("b", 40, func(e *canonical.Event) { e.ProviderMessageID = "M2" }),
		"another account": ours("c", 40, func(e *canonical.Event) { e.AccountID = "acme-2" }),
		"an edit":         ours("d", 40, func(e *canonical.Event) { e.Type = canonical.TypeEdit }),
		"without an id":   ours("e", 40, func(e *canonical.Event) { e.ProviderMessageID = "" }),
		"the customer's":  ours("f", 40, func(e *canonical.Event) { e.Direction = canonical.Inbound }),
	} {
		if before := len(r.Entries); r.Tells(e) || !r.Add(e) || len(r.Entries) != before+1 {
			t.Errorf("%s is taken for the message", name)
		}
	}
}

func TestASessionIsFoundByItsName(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*session.Place){
		func(*session.Place) {}, func(p *session.Place) { p.Line = "" }, func(p *session.Place) { p.Part = "late-2026-12-01-2" },
	} {
		p := place()
		change(&p)
		if got, ok := session.Named(p.Tenant, p.Thread, p.Name()); !ok || got != p {
			t.Errorf("%+v is read as %+v", p, got)
		}
		if got := session.ExternalID(p.Tenant, p.Thread, p.Name()); got != p.ExternalID() {
			t.Error(got)
		}
	}
	for _, name := range []string{"", "head", "session/", "session/2026-11-27T12:00:00.000Z/sms/number", "session/yesterday/sms/number/", "log/2026-11-27T12:00:00.000Z/a/b/c"} {
		if p, ok := session.Named("demo", "t1_x", name); ok {
			t.Errorf("%q is %+v", name, p)
		}
	}
}

// TestArrivalDoesNotOrderWhatIsOfOneInstant: whoever adds the same events in another order has the same record.
func TestArrivalDoesNotOrderWhatIsOfOneInstant(t *testing.T) {
	t.Parallel()
	var one, other session.Record
	for _, id := range []string{"a", "b", "c"} {
		one.Add(message(id, 0, 0))
	}
	for _, id := range []string{"c", "a", "b"} {
		other.Add(message(id, 0, 0))
	}
	if diff := cmp.Diff(one, other); diff != "" {
		t.Error(diff)
	}
	if !one.Remove("b") || one.Remove("b") || one.Holds("b") || !other.Holds("b") || len(one.Entries) != 2 {
		t.Errorf("%+v", one)
	}
}

func TestASessionHasRoomForSoMuch(t *testing.T) {
	t.Parallel()
	few := func(n int) (r session.Record) {
		for i := range n {
			r.Add(message(fmt.Sprint(i), i, i))
		}
		return r
	}
	next := few(1)
	next.Next = "2"
	for name, c := range map[string]struct {
		record session.Record
		sealed int
		want   bool
	}{
		"the first, however large":         {session.Record{}, session.MaxSealed * 5, true},
		"what just fits":                   {few(1), session.MaxSealed, true},
		"what does not":                    {few(1), session.MaxSealed + 1, false},
		"one that goes on in another part": {next, 100, false},
		"one of a great many messages":     {few(250), 100, false},
	} {
		if got := c.record.HasRoom(c.sealed); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	e := message("a", 0, 0)
	e.ProviderMessageID, e.Message.Text = "SM1", strings.Repeat("x", 1000)
	r := few(1)
	if size := session.Size(e); size < 1000 || size > 2000 {
		t.Errorf("a message of 1000 characters takes %d bytes", size)
	}
	if r.Add(e); !r.HoldsMessage("SM1") || r.HoldsMessage("SM2") || r.HoldsMessage("") {
		t.Error("a message is not found by the provider's name of it, or another is")
	}
}
