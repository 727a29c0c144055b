package connector_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/session"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// plain seals and opens nothing. With a fault it opens nothing at all.
type plain struct{ err error }

func (plain) SealPerson(_ context.Context, _ keyring.Place, _ string, data []byte) ([]byte, error) {
	return data, nil
}

func (p plain) Open(_ context.Context, _ keyring.Place, sealed []byte) ([]byte, error) {
	return sealed, p.err
}

// talk is a conversation that a CRM shows.
type talk struct {
	t *testing.T
	*place
	began  time.Time
	window time.Duration
	shows  string // the CRM's activity
	stands string // and the conversation
	firsts int    // how often it was written as if it were new

	meanwhile func(step) // what happens during a call
	said      int
}

// newTalk returns a talk whose CRM has these steps, of which one that Logs writes all of the activity; without any it is the only one.
func newTalk(t *testing.T, steps ...step) *talk {
	t.Helper()
	if len(steps) == 0 {
		steps = []step{{Name: "activity", Logs: true}}
	}
	k := &talk{t: t, place: newPlace(steps...), began: time.Now(), window: time.Minute}
	k.crm.do = func(_ context.Context, _ string, s step) outcome {
		if k.meanwhile != nil {
			k.meanwhile(s)
		}
		return k.write(s)
	}
	return k
}

func (k *talk) write(s step) outcome {
	if !s.Logs {
		return outcome{}
	}
	if c := s.Stands(); c != nil {
		k.stands = fmt.Sprint(c.State.Messages, " ", c.State.Receipt)
	}
	if s.Activity == nil {
		k.shows = "by itself"
		return outcome{}
	}
	var lines []string
	for _, l := range s.Activity.Lines {
		lines = append(lines, l.Text)
	}
	if s.Activity.Written == nil && s.Name == "activity" {
		k.firsts++
	}
	k.shows = strings.Join(lines, " ")
	return result("record", "r1", "parts", "1")
}

// say does what the router does about a message that came n seconds ago by the provider's word, and returns its delivery.
func (k *talk) say(id string, ago int) delivery.Delivery {
	k.t.Helper()
	return k.sayAll(time.Duration(ago)*time.Second, id)[0]
}

// sayAll is say of several that came together.
func (k *talk) sayAll(ago time.Duration, ids ...string) (all []delivery.Delivery) {
	k.t.Helper()
	k.fault = nil
	at := session.Place{Tenant: "demo", Thread: "t1_x", Channel: "sms", Start: k.began}
	key := session.StoreKey("demo", "t1_x", at.Name())
	var version int64
	k.change(key, func(held store.Record) []byte {
		r, err := session.Open(k.t.Context(), plain{}, held)
		if err != nil {
			k.t.Fatal(err)
		}
		for _, id := range ids {
			d := deliveryOf(id)
			d.Event.ThreadID, d.Event.ProviderMessageID, d.Event.Message.Text = "t1_x", id, id
			k.said++ // of two at once the order would be that of their ids
			d.Event.Timestamp, d.Event.ReceivedAt = time.Now().Add(time.Duration(k.said)*time.Millisecond-ago), time.Now()
			r.Add(d.Event)
			all = append(all, d)
		}
		data, err := session.Seal(k.t.Context(), plain{}, key, "person", &r)
		if err != nil {
			k.t.Fatal(err)
		}
		version = held.Version + 1
		return data
	})
	k.stand(func(s *conversation.State) { s.Messages += len(ids) })
	for i := range all {
		all[i].Session = &delivery.Session{Name: at.Name(), Key: at.ExternalID(), Revision: version, Window: k.window}
		all[i].Conversation = true
	}
	return all
}

// stand changes how the conversation stands.
func (k *talk) stand(change func(*conversation.State)) {
	k.t.Helper()
	k.change(conversation.StatesKey("demo", "t1_x"), func(held store.Record) []byte {
		c, err := conversation.DecodeStates(held.Data)
		if err != nil {
			k.t.Fatal(err)
		}
		if len(c.All) == 0 {
			c.All = []conversation.State{{Channel: "rcs"}, {Channel: "sms"}}
		}
		change(&c.All[1])
		data, err := conversation.EncodeStates(c)
		if err != nil {
			k.t.Fatal(err)
		}
		return data
	})
}

func (k *talk) change(key store.Key, change func(held store.Record) []byte) {
	k.t.Helper()
	held, err := k.store.Get(k.t.Context(), key)
	if err != nil {
		k.t.Fatal(err)
	}
	next := store.Record{Key: key, Version: held[0].Version, Expires: k.began.Add(21 * 24 * time.Hour), Data: change(held[0])}
	if _, err := k.store.Write(k.t.Context(), store.Change{Kind: store.Put, Record: next}); err != nil {
		k.t.Fatal(err)
	}
}

// journal writes the calls of the store into the journal, too, with how many records each is about.
func (k *talk) journal() {
	k.crm.journal = nil
	k.fault = func(c memstore.Call) memstore.Fault {
		switch {
		case c.Operation == memstore.Get:
			k.crm.note(fmt.Sprint("get ", len(c.Keys)))
		case c.Operation == memstore.Write && len(c.Keys) > 1:
			k.crm.note(fmt.Sprint("of ", len(c.Keys)))
		}
		return memstore.None
	}
}

// handle handles deliveries and fails the test unless they end as wanted.
func (k *talk) handle(want string, ds ...delivery.Delivery) []error {
	k.t.Helper()
	errs := k.connector().Handle(k.t.Context(), heads(ds...))
	if got := words(errs); got != want {
		k.t.Errorf("%s, want %s: %v", got, want, errs)
	}
	return errs
}

func (k *talk) showing(want string) {
	k.t.Helper()
	if k.shows != want {
		k.t.Errorf("the CRM shows %q, want %q", k.shows, want)
	}
}

func (k *talk) calls(want ...string) {
	k.t.Helper()
	if !slices.Equal(k.crm.journal, want) {
		k.t.Errorf("calls %q, want %q", k.crm.journal, want)
	}
	k.crm.journal = nil
}

func TestASessionCostsTwoReadsADelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		first := k.say("a", 0)
		k.journal()
		k.handle("done", first)
		k.calls("get 3", "write", "do a activity", "get 3", "write", "of 2") // the mark is beside the completion
		time.Sleep(2 * time.Minute)
		second := k.say("b", 0)
		k.journal()
		k.handle("done", second)
		k.calls("get 3", "write", "do b activity", "get 3", "write") // nobody would know more by another mark
		k.handle("done", second)
		k.calls("get 3", "write") // a copy
		k.showing("a b")
		if k.firsts != 1 || k.stands != "2 " {
			t.Errorf("written %d times as new; the conversation stands %q", k.firsts, k.stands)
		}
	})
}

func TestAMessageOfNoSessionCostsNoRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		k.journal()
		k.handle("done", deliveryOf("a"))
		k.calls("write", "do a activity", "write")
		k.showing("by itself")
	})
}

func TestALateMessageIsAtItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		k.handle("done", k.say("a", 0))
		time.Sleep(5 * time.Minute)
		k.handle("done", k.say("c", 0))
		time.Sleep(5 * time.Minute)
		k.handle("done", k.say("b", 400))
		k.showing("a b c")
	})
}

func TestWhatComesWithinAWindowIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		k.handle("done", k.say("a", 0))
		k.showing("a")
		time.Sleep(13 * time.Second)
		b := k.say("b", 0)
		held, ok := errors.AsType[*queue.HeldError](k.handle("not begun", b)[0])
		if !ok || held.For != 47*time.Second || !held.Gathers {
			t.Errorf("%+v", held)
		}
		time.Sleep(20 * time.Second)
		c, stop := k.say("c", 0), k.say("d", 0)
		k.handle("not begun", c)
		time.Sleep(27 * time.Second)
		k.journal()
		k.handle("done", b)
		k.calls("get 3", "write", "do b activity", "get 3", "write", "of 2")
		k.handle("done", c)
		k.handle("done", stop)
		k.calls("get 3", "get 3") // without a claim, and without the CRM
		k.showing("a b c d")
		if strings.Count(k.out.String(), `"Delivered":1`) != 4 {
			t.Error(k.out.String())
		}
	})
}

// TestADrainWaitsForNoWindow: what waited for a window would keep it going.
func TestADrainWaitsForNoWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		k.atOnce = true
		k.handle("done", k.say("a", 0))
		time.Sleep(13 * time.Second)
		k.handle("done", k.say("b", 0))
		k.showing("a b")
	})
}

func TestWhatCameTogetherIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		for _, ids := range [][]string{{"a", "b", "c"}, {"d", "e", "f"}} {
			all := k.sayAll(0, ids...)
			k.handle("done", all[0])
			k.crm.journal = nil
			k.handle("done", all[1])
			k.handle("done", all[2])
			k.calls()
			time.Sleep(time.Hour)
		}
	})
}

func TestWhatIsMoreThanAMessageWaitsForNoWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		k.handle("done", k.say("a", 0))
		time.Sleep(time.Second)
		stop := k.say("STOP", 0)
		stop.Actions = append(stop.Actions, delivery.Action{Kind: delivery.SetConsent})
		k.handle("done", stop)
		k.showing("a STOP")
	})
}

func TestWhatIsMoreThanAMessageIsCarriedOutAlthoughItIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		a, stop := k.say("a", 0), k.say("STOP", 0)
		k.handle("done", a)
		k.showing("a STOP")
		k.crm.journal = nil
		stop.Actions = append(stop.Actions, delivery.Action{Kind: delivery.SetConsent})
		k.handle("done", stop)
		k.calls("write", "do STOP activity", "write")
	})
}

func TestWhatIsSaidMeanwhileIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		a, more := k.say("a", 0), 1
		var b delivery.Delivery
		k.meanwhile = func(step) {
			if more--; more >= 0 {
				b = k.say("b", 0)
			}
		}
		k.handle("done", a)
		k.showing("a b")
		if k.stands != "2 " || k.firsts != 1 {
			t.Errorf("the conversation stands %q, written %d times as new", k.stands, k.firsts)
		}
		k.crm.journal = nil
		k.handle("done", b)
		k.calls() // the mark says that it is shown
	})
}

func TestAMessageByItselfShowsHowItsConversationStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		a, more := k.say("a", 0), 1
		a.Session = nil
		k.meanwhile = func(step) {
			if more--; more >= 0 {
				k.stand(func(s *conversation.State) { s.Receipt = "delivered" })
			}
		}
		k.journal()
		k.handle("done", a)
		k.showing("by itself")
		if k.stands != "1 delivered" {
			t.Errorf("the conversation stands %q", k.stands)
		}
	})
}

func TestAReceiptThatComesMeanwhileIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		a, more := k.say("a", 0), 1
		k.meanwhile = func(step) {
			if more--; more >= 0 {
				k.stand(func(s *conversation.State) { s.Receipt = "delivered" })
			}
		}
		k.handle("done", a)
		if k.stands != "1 delivered" {
			t.Errorf("the conversation stands %q", k.stands)
		}
	})
}

func TestEveryStepThatShowsASessionIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t, step{Name: "resolve", Seen: true}, step{Name: "activity", Logs: true, Once: true}, step{Name: "stands", Logs: true}, step{Name: "notice"})
		a, more := k.say("a", 0), 1
		k.meanwhile = func(s step) {
			if s.Name == "notice" {
				if more--; more >= 0 {
					k.say("b", 0)
				}
			}
		}
		k.handle("done", a)
		k.showing("a b")
		k.calls("write", "do a resolve", "write", "write", "do a activity", "write", "do a stands", "do a notice",
			"write", "do a activity", "write", "do a stands", "write")
	})
}

// TestAConversationThatIsCountedLaterThanItsSessionIsShown lets a router die between two writes.
func TestAConversationThatIsCountedLaterThanItsSessionIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		a, b := k.say("a", 0), k.say("b", 0)
		k.stand(func(s *conversation.State) { s.Messages-- })
		k.handle("done", a)
		k.showing("a b")
		k.stand(func(s *conversation.State) { s.Messages++ })
		k.handle("done", b)
		if k.stands != "2 " {
			t.Errorf("the conversation stands %q", k.stands)
		}
	})
}

func TestWhoNeverStopsTalkingKeepsNoDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		a, n := k.say("a", 0), 0
		var last delivery.Delivery
		k.meanwhile = func(step) {
			n++
			last = k.say(fmt.Sprint(n), 0)
		}
		k.handle("done", a)
		if n != 3 {
			t.Errorf("%d writes", n)
		}
		k.showing("a 1 2")
		k.meanwhile = nil
		time.Sleep(time.Minute)
		k.handle("done", last)
		k.showing("a 1 2 3")
	})
}

func TestASessionThatIsGoneIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		a := k.say("a", 0)
		time.Sleep(30 * 24 * time.Hour)
		k.handle("done", a)
		k.showing("by itself")
	})
}

func TestAFailureIsNotShownWithoutItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		a := k.say("a", 0)
		a.Event.Type = canonical.TypeReceipt
		time.Sleep(30 * 24 * time.Hour)
		k.handle("done", a)
		k.showing("")
	})
}

func TestTheSessionOfAnErasedPersonIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		a := k.say("a", 0)
		k.opener.err = fault.New(fault.Permanent, keyring.CodeErased, nil)
		k.handle("permanent "+keyring.CodeErased, a)
		if len(k.crm.journal) > 0 {
			t.Errorf("calls %q", k.crm.journal)
		}
	})
}

func TestTwoOfOneSessionAreNotWorkedOnAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		a, b := k.say("a", 0), k.say("b", 0)
		k.handle("done, not begun", a, b)
		k.handle("done", b)
		k.showing("a b")
		if k.firsts != 1 {
			t.Errorf("written %d times as new", k.firsts)
		}
	})
}

// TestASlowWorkerDoesNotSetASessionBack lets a worker hang until another one has taken its claim and has written more.
func TestASlowWorkerDoesNotSetASessionBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newTalk(t)
		a := k.say("a", 0)
		hang := make(chan struct{})
		k.meanwhile = func(step) { <-hang }
		slow := k.connector()
		done := make(chan []error)
		go func() { done <- slow.Handle(context.WithoutCancel(t.Context()), heads(a)) }()
		synctest.Wait()
		time.Sleep(40 * time.Second)
		k.meanwhile = nil
		b := k.say("b", 0)
		k.handle("done", a)
		k.handle("done", b)
		k.showing("a b")
		close(hang)
		if got := words(<-done); got != "retryable claim_lost" {
			t.Error(got)
		}
		k.showing("a b")
	})
}

// killer kills a process at one of its calls: nothing it does from then on has an effect.
type killer struct {
	at    int // the call, from 1
	after bool
	calls int
	dead  bool
}

func (k *killer) call() (lives, effect bool) {
	k.calls++
	if k.dead || k.calls != k.at {
		return !k.dead, !k.dead
	}
	k.dead = true
	return false, k.after
}

// TestKillsAtEveryCallLoseNothing kills a process at each of its calls, of the store and of the CRM, before or after the effect;
// afterwards all of a conversation is shown, and copies change nothing.
func TestKillsAtEveryCallLoseNothing(t *testing.T) {
	plans := map[string][]step{
		"one step":      nil,
		"several steps": {{Name: "resolve", Seen: true}, {Name: "activity", Logs: true, Once: true}, {Name: "stands", Logs: true}, {Name: "notice", Once: true, Last: true}},
	}
	for name, pause := range map[string]time.Duration{"one at a time": 70 * time.Second, "within a window": 10 * time.Second} {
		for plan, steps := range plans {
			t.Run(name+", "+plan, func(t *testing.T) {
				for at, met := 1, true; met && at < 200; at++ {
					for _, after := range []bool{false, true} {
						synctest.Test(t, func(t *testing.T) { met = killedAt(t, newTalk(t, steps...), pause, &killer{at: at, after: after}) })
					}
				}
			})
		}
	}
}

// killedAt lets a conversation go by with one kill and reports whether it happened.
func killedAt(t *testing.T, k *talk, pause time.Duration, by *killer) bool {
	t.Helper()
	k.crm.do = func(_ context.Context, _ string, s step) outcome {
		lives, effect := by.call()
		out := outcome{}
		if effect {
			out = k.write(s)
		}
		if !lives {
			return outcome{Err: fault.New(fault.Retryable, "killed", nil)}
		}
		return out
	}
	killing := func(memstore.Call) memstore.Fault {
		switch lives, effect := by.call(); {
		case lives:
			return memstore.None
		case effect:
			return memstore.After
		default:
			return memstore.Before
		}
	}
	var all, waiting []delivery.Delivery
	for _, id := range []string{"a", "b", "c", "d"} {
		d := k.say(id, 0)
		k.fault = killing
		all, waiting = append(all, d), append(waiting, d)
		for len(waiting) > 0 && k.connector().Handle(t.Context(), heads(waiting[0]))[0] == nil && !by.dead {
			waiting = waiting[1:]
		}
		by.dead = false
		time.Sleep(pause)
	}
	for tries := 0; len(waiting) > 0 && tries < 20; tries++ {
		if k.connector().Handle(t.Context(), heads(waiting[0]))[0] == nil && !by.dead {
			waiting = waiting[1:]
			continue
		}
		by.dead = false
		time.Sleep(35 * time.Second)
	}
	met := by.calls >= by.at
	k.fault, k.crm.journal = nil, nil
	k.showing("a b c d")
	for _, d := range all {
		k.handle("done", d)
	}
	k.showing("a b c d")
	if calls := strings.Join(k.crm.journal, ","); len(waiting) > 0 || strings.Contains(calls, "do") || k.firsts > 2 || k.stands != "4 " {
		t.Errorf("call %d, after %t: %d wait, copies made calls %q, written %d times as new, the conversation stands %q", by.at, by.after, len(waiting), calls, k.firsts, k.stands)
	}
	return met
}
