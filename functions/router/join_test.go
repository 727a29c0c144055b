package router_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/router"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/delivery"
	"signalbox/shared/idempotency"
	"signalbox/shared/queue"
	"signalbox/shared/session"
	"signalbox/shared/store"

	"github.com/google/go-cmp/cmp"
)

func quiet(t *testing.T) *office { return newOffice(t, rand.New(rand.NewPCG(1, 1))) }

// receiveAll lets events arrive and be carried out one after another.
func (o *office) receiveAll(events ...canonical.Event) {
	o.t.Helper()
	for _, e := range events {
		o.receive(e)
		o.drain()
	}
}

// TestWithoutProofTheyStayTwo holds what is no proof: a name, what people say of themselves, a chat that both are in, the same text in
// another kind or another scope.
func TestWithoutProofTheyStayTwo(t *testing.T) {
	t.Parallel()
	with := func(p canonical.Participant, i ...canonical.Identifier) canonical.Participant {
		p.Identifiers = append(slices.Clone(p.Identifiers), i...)
		return p
	}
	mailbox := canonical.Identifier{Kind: canonical.KindEmail, Value: mail}
	claimed := mailbox
	claimed.Claimed = true
	chat := canonical.Identifier{Kind: canonical.KindChat, Value: "chat-1"}
	name := canonical.Identifier{Kind: "username", Value: "@ana"}
	for what, pair := range map[string][2]canonical.Participant{
		"the same name":                    {{Phone: phone, DisplayName: "Ana"}, {ID: "whatsapp:" + user, DisplayName: "Ana", Identifiers: []canonical.Identifier{bsuid(user)}}},
		"an address that one claims":       {with(canonical.Participant{Phone: phone}, claimed), with(byUser(user), mailbox)},
		"an address that both claim":       {with(canonical.Participant{Phone: phone}, claimed), with(byUser(user), claimed)},
		"one chat":                         {with(canonical.Participant{Phone: phone}, chat), with(byUser(user), chat)},
		"a user name":                      {with(canonical.Participant{Phone: phone}, name), with(byUser(user), name)},
		"one identifier of two portfolios": {with(canonical.Participant{Phone: phone}, canonical.Identifier{Kind: canonical.KindParentBSUID, Scope: "AC1", Value: user}), with(canonical.Participant{Phone: phone2}, canonical.Identifier{Kind: canonical.KindParentBSUID, Scope: "AC2", Value: user})},
		"one text as two kinds":            {with(canonical.Participant{Phone: phone}, canonical.Identifier{Kind: canonical.KindWeb, Value: "v1"}), with(byUser(user), canonical.Identifier{Kind: canonical.KindRCS, Value: "v1"})},
		"nothing that they have in common": {{Phone: phone}, byUser(user)},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := quiet(t)
				o.receiveAll(says("1", 0, "hello", canonical.WhatsApp, pair[0]), says("2", 1, "hello", canonical.WhatsApp, pair[1]))
				a, b := o.shown[0], o.shown[1]
				if a.Event.ThreadID == b.Event.ThreadID || a.Person.Key == b.Person.Key || o.made != 2 || o.joins() != 0 {
					t.Errorf("%d leads, %d joins, threads %s and %s", o.made, o.joins(), a.Event.ThreadID, b.Event.ThreadID)
				}
			})
		})
	}
}

// TestAJoinTakesEverythingOver: two persons who are proved one are one, by one entry of the audit chain, which a repeat does not add to.
func TestAJoinTakesEverythingOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := quiet(t)
		outreach := says("outreach", 2, "shall we talk?", canonical.SMS, canonical.Participant{Phone: phone})
		outreach.Direction, outreach.Sender, outreach.Recipient = canonical.Outbound, outreach.Recipient, outreach.Sender
		proof := says("proof", 3, "it is me", canonical.WhatsApp, byBoth(phone, user))
		o.receiveAll(
			says("1", 0, "hello", canonical.WhatsApp, byUser(user)),
			says("2", 1, "stop", canonical.SMS, canonical.Participant{Phone: phone}),
			outreach, proof,
		)
		root, head := o.home(phone)
		if other := canonical.NewThreadID(o.pepper, "whatsapp:"+user); root != other {
			t.Errorf("the root is %s, not the thread that was there first, %s", root, other)
		}
		if o.joins() != 1 || head.Consent[canonical.SMS].State != "opted_out" || len(head.Outreach) != 0 || head.Reply == nil {
			t.Errorf("%d joins, %+v", o.joins(), head)
		}
		want := map[string][]map[string]string{"hubspot": {{"contact": "lead 2"}}}
		if diff := cmp.Diff(want, head.Duplicates); diff != "" || head.Links["hubspot"]["contact"] != "lead 1" {
			t.Errorf("links %v, duplicates: %s", head.Links, diff)
		}
		if last := o.shown[len(o.shown)-1]; last.Event.EventID != proof.EventID || len(last.Actions) != 4 || last.Actions[1].Kind != delivery.MarkReplied {
			t.Errorf("what proved it answers what was sent to the other: %+v", last)
		} else if tells := last.Actions[3]; tells.Kind != delivery.Notify || tells.Value["subject"] != "One person has several records: lead 1, lead 2" || tells.Value[delivery.OfWhom] != delivery.Held {
			t.Errorf("a task says %+v", tells)
		}
		o.receiveAll(proof)
		time.Sleep(10 * time.Minute)
		o.receiveAll(proof, says("2", 1, "stop", canonical.SMS, canonical.Participant{Phone: phone}))
		if o.joins() != 1 || len(o.shown) != 4 {
			t.Errorf("a repeat: %d joins, %d deliveries", o.joins(), len(o.shown))
		}
		o.receiveAll(says("3", 9, "again", canonical.SMS, canonical.Participant{Phone: phone}))
		if last := o.shown[len(o.shown)-1]; len(last.Actions) != 1 {
			t.Errorf("it is told again: %+v", last.Actions)
		}
	})
}

// TestACopyThatComesAfterAJoinIsTheSameEvent was a dead letter, event_id_reused: the copy came in another thread than is recorded.
func TestACopyThatComesAfterAJoinIsTheSameEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := quiet(t)
		first := says("1", 0, "hello", canonical.SMS, canonical.Participant{Phone: phone})
		later := first
		later.Timestamp = at.Add(time.Hour)
		taken := changes("moved", 30, canonical.NumberChanged, canonical.Participant{Phone: phone2}, []canonical.Identifier{number(phone)}, []canonical.Identifier{number(phone2)})
		o.receiveAll(says("0", -1, "hi", canonical.WhatsApp, byUser(user)), first, says("2", 1, "me", canonical.WhatsApp, byBoth(phone, user)))
		time.Sleep(10 * time.Minute)
		o.receiveAll(first, taken)
		time.Sleep(10 * time.Minute)
		o.receiveAll(later)
		if len(o.shown) != 4 { // one tells of the number
			t.Errorf("%d deliveries", len(o.shown))
		}
	})
}

// TestOneIDForTwoPeopleIsStillRefused: a thread is no other's because it is somewhere.
func TestOneIDForTwoPeopleIsStillRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := quiet(t)
		o.receiveAll(says("1", 0, "hello", canonical.WhatsApp, byBoth(phone, user)))
		time.Sleep(10 * time.Minute)
		o.receive(says("1", 0, "hello", canonical.WhatsApp, byBoth(phone2, user2)))
		workOnce(t, o.worker, o.events)
		dead := slices.Collect(o.dead.All())
		if len(dead) != 1 || !strings.Contains(string(dead[0].Body), "event_id_reused") {
			t.Errorf("%d dead letters", len(dead))
		}
	})
}

// TestANumberThatWasAnothersIsTakenWithoutTheirHistory: the number that a person changes to had somebody else before.
func TestANumberThatWasAnothersIsTakenWithoutTheirHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := quiet(t)
		o.receiveAll(
			says("1", 0, "hello", canonical.SMS, canonical.Participant{Phone: phone2}), // a stranger, months before
			says("2", 60, "hello", canonical.WhatsApp, byBoth(phone, user)),
			changes("moved", 90, canonical.NumberChanged, byBoth(phone2, user3), []canonical.Identifier{number(phone), bsuid(user)}, []canonical.Identifier{number(phone2), bsuid(user3)}),
			says("3", 100, "me again", canonical.SMS, canonical.Participant{Phone: phone2}),
			says("4", 1, "late", canonical.SMS, canonical.Participant{Phone: phone2}),
		)
		stranger, person, again, late := o.shown[0], o.shown[1], o.shown[3], o.shown[4] // between them, the CRM is told of the number
		if again.Person.Key != person.Person.Key || again.Event.ThreadID != person.Event.ThreadID || stranger.Person.Key == person.Person.Key || o.joins() != 0 {
			t.Errorf("who took the number is %.8s, was %.8s; who had it is %.8s", again.Person.Key, person.Person.Key, stranger.Person.Key)
		}
		if late.Person.Key != stranger.Person.Key {
			t.Errorf("what was said by the number before is of %.8s, not of %.8s", late.Person.Key, stranger.Person.Key)
		}
	})
}

// TestWhoGotANumberIsNotWhoLostIt, until they prove that they never lost it.
func TestWhoGotANumberIsNotWhoLostIt(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{canonical.Deactivated, canonical.Reassigned} {
		synctest.Test(t, func(t *testing.T) {
			o := quiet(t)
			o.receiveAll(
				says("1", 0, "hello", canonical.WhatsApp, byBoth(phone, user)),
				changes("lost", 10, reason, canonical.Participant{Phone: phone}, []canonical.Identifier{number(phone)}, nil),
				says("2", 20, "hello", canonical.SMS, canonical.Participant{Phone: phone}),
				says("3", 21, "hidden number", canonical.WhatsApp, byUser(user)),
			)
			before, after, user1 := o.shown[0], o.shown[2], o.shown[3] // between them, a task tells of the number
			if after.Person.Key == before.Person.Key || len(after.Person.Links) > 0 || !after.Person.Unmatched || user1.Person.Key != before.Person.Key || before.Person.Unmatched {
				t.Errorf("%s: before %+v, after %+v, by the other identifier %+v", reason, before.Person, after.Person, user1.Person)
			}
			o.receiveAll(says("4", 30, "I have it still", canonical.WhatsApp, byBoth(phone, user)), says("5", 31, "really", canonical.SMS, canonical.Participant{Phone: phone}))
			if last := o.shown[len(o.shown)-1]; last.Person.Key != before.Person.Key || o.joins() != 1 {
				t.Errorf("%s: proved to be the same: %.8s and %.8s", reason, last.Person.Key, before.Person.Key)
			}
		})
	}
}

// TestEachIdentifiersOrderHolds while everything arrives at once and two threads become one in the middle of it.
func TestEachIdentifiersOrderHolds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3))
			o := newOffice(t, random)
			senders := []canonical.Participant{{Phone: phone}, byUser(user), byBoth(phone, user), {Phone: phone2}, byBoth(phone2, user)}
			next := map[int]int{}
			for range 30 {
				n := random.IntN(len(senders))
				next[n]++
				at := []int{next[n], 0, 30 - next[n]}[seed%3] // what comes later may be of one time, or of an earlier
				o.receive(says(fmt.Sprint(n, "-", next[n]), at, "hello", canonical.WhatsApp, senders[n]))
				if random.IntN(8) == 0 {
					o.failing = seed%2 == 0
					o.drain()
				}
			}
			o.failing = seed%2 == 0
			o.drain()
			got := map[string]int{}
			for _, d := range o.shown {
				var sender string
				var n int
				if _, err := fmt.Sscanf(strings.Replace(d.Event.ProviderMessageID, "-", " ", 1), "%s %d", &sender, &n); err != nil {
					t.Fatal(err)
				}
				if n != got[sender]+1 {
					t.Errorf("seed %d: %s comes after %d", seed, d.Event.ProviderMessageID, got[sender])
				}
				got[sender] = n
			}
			if len(o.shown) != 30 {
				t.Errorf("seed %d: %d of 30", seed, len(o.shown))
			}
		})
	}
}

// TestAJoinWaitsForWhatWasDecidedLast, which need not be of the latest event time.
func TestAJoinWaitsForWhatWasDecidedLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, pepper := newWorld(), canonical.NewPepper("local-use-only-pepper", "demo")
		route := func(e canonical.Event, identifier string) error {
			time.Sleep(time.Second)
			e.ThreadID = canonical.NewThreadID(pepper, identifier)
			return w.route(t, message(t, e))
		}
		byPhone := says("0", 0, "hello", canonical.WhatsApp, canonical.Participant{Phone: phone})
		first, second := says("1", 10, "hello", canonical.WhatsApp, byUser(user)), says("2", 5, "hello", canonical.WhatsApp, byUser(user))
		proof := says("3", 20, "hello", canonical.WhatsApp, byBoth(phone, user))
		carryOut := func(e canonical.Event) {
			claims := idempotency.New(w.store, 35*time.Second)
			for _, crm := range w.tenant.CRMNames() {
				claim, err := claims.Claim(t.Context(), store.Key{Partition: router.Key("demo", e.EventID).Partition, Sort: idempotency.DeliveryClaims + crm})
				if err == nil {
					err = claims.Complete(t.Context(), claim)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, err := range []error{route(byPhone, phone), route(first, "whatsapp:"+user), route(second, "whatsapp:"+user)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		carryOut(first)
		if _, held := errors.AsType[*queue.HeldError](route(proof, "whatsapp:"+user)); !held {
			t.Error("the join does not wait for what was decided last")
		}
		carryOut(second)
		if err := route(proof, "whatsapp:"+user); err != nil {
			t.Errorf("the join waits for nothing: %v", err)
		}
	})
}

// TestAJoinWaitsForNothingThatIsShown: what another delivery showed with its own has no claim.
func TestAJoinWaitsForNothingThatIsShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, pepper := shownBy(nil), canonical.NewPepper("local-use-only-pepper", "demo")
		byPhone := says("0", 0, "hello", canonical.WhatsApp, canonical.Participant{Phone: phone})
		spoken, proof := says("1", 10, "hello", canonical.WhatsApp, byUser(user)), says("2", 20, "hello", canonical.WhatsApp, byBoth(phone, user))
		byPhone.ThreadID, spoken.ThreadID = canonical.NewThreadID(pepper, phone), canonical.NewThreadID(pepper, "whatsapp:"+user)
		proof.ThreadID = spoken.ThreadID
		w.routeAll(t, byPhone, spoken)
		if _, held := errors.AsType[*queue.HeldError](w.route(t, message(t, proof))); !held {
			t.Error("the join does not wait for what is not shown")
		}
		of := w.deliveries(t)[len(w.deliveries(t))-1].Session
		for _, crm := range w.tenant.CRMNames() {
			mark := store.Record{Key: session.MarkKey("demo", spoken.ThreadID, crm, of.Name), Data: fmt.Appendf(nil, `{"revision":%d}`, of.Revision)}
			if _, err := w.store.Write(t.Context(), store.Change{Kind: store.Put, Record: mark}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.route(t, message(t, proof)); err != nil {
			t.Errorf("the join waits: %v", err)
		}
	})
}

// TestWhatIdentifiersCost: a person who is known costs what they did, also where every message names two identifiers.
func TestWhatIdentifiersCost(t *testing.T) {
	t.Parallel()
	steady := []string{"get head", "note log", "write event", "publish"}
	w := newWorld()
	route := func(id string, from canonical.Participant) []string {
		t.Helper()
		w.calls = nil
		e := says(id, 0, "hello", canonical.WhatsApp, from)
		e.ThreadID = canonical.NewThreadID(canonical.NewPepper("local-use-only-pepper", "demo"), phone)
		if err := w.route(t, message(t, e)); err != nil {
			t.Fatal(err)
		}
		return w.calls
	}
	of := says("0", 0, "", canonical.WhatsApp, byBoth(phone, user))
	of.ThreadID = canonical.NewThreadID(canonical.NewPepper("local-use-only-pepper", "demo"), phone)
	w.link(t, of)
	if diff := cmp.Diff([]string{"get head", "get now", "write now", "note log", "write event", "publish"}, route("1", byBoth(phone, user))); diff != "" {
		t.Errorf("the first time: %s", diff)
	}
	for id, from := range map[string]canonical.Participant{"2": byBoth(phone, user), "3": byUser(user), "4": {Phone: phone}} {
		if diff := cmp.Diff(steady, route(id, from)); diff != "" {
			t.Errorf("by %v: %s", from, diff)
		}
	}
}

// TestLinksFollowAThreadThatIsPartOfAnother: what a delivery finds out, which was under way when two became one, is the one's, or a
// duplicate of what it has.
func TestLinksFollowAThreadThatIsPartOfAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := quiet(t)
		o.receiveAll(says("1", 0, "stop", canonical.WhatsApp, byUser(user)), says("2", 1, "hello", canonical.SMS, canonical.Participant{Phone: phone}))
		was, _ := o.home(phone)
		o.receiveAll(says("3", 2, "me", canonical.WhatsApp, byBoth(phone, user)))
		root, head := o.home(phone)
		if root == was {
			t.Fatal("nothing was joined")
		}
		held := head.Links["hubspot"]["contact"]
		for _, link := range []string{held, "another", "another"} {
			if err := conversation.Link(t.Context(), o.state, "demo", was, "hubspot", nil, map[string]string{"contact": link}); err != nil {
				t.Fatal(err)
			}
		}
		before, _ := o.state.Get(t.Context(), conversation.Key("demo", was))
		_, head = o.home(phone)
		duplicates := head.Duplicates["hubspot"]
		if head.Links["hubspot"]["contact"] != held || len(duplicates) == 0 || duplicates[len(duplicates)-1]["contact"] != "another" {
			t.Errorf("links %v, duplicates %v", head.Links, duplicates)
		}
		if decoded, err := conversation.Decode(before[0].Data); err != nil || decoded.Joined == nil {
			t.Errorf("the head of what was joined: %+v, %v", decoded, err)
		}
	})
}

// TestAnOutreachFindsItsAnswerInAThreadThatIsPartOfItsOwn: it comes to be known after the answer, and after two were found to be one.
func TestAnOutreachFindsItsAnswerInAThreadThatIsPartOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := quiet(t)
		outreach := says("outreach", 1, "shall we talk?", canonical.SMS, canonical.Participant{Phone: phone})
		outreach.Direction, outreach.Sender, outreach.Recipient = canonical.Outbound, outreach.Recipient, outreach.Sender
		answer := says("1", 2, "yes, let us", canonical.SMS, canonical.Participant{Phone: phone})
		o.receiveAll(says("0", 0, "hi", canonical.WhatsApp, byUser(user)), answer, says("2", 3, "me", canonical.WhatsApp, byBoth(phone, user)), outreach)
		last := o.shown[len(o.shown)-1]
		if last.Event.EventID != outreach.EventID || len(last.Actions) != 3 || last.Actions[1].Value["at"] != answer.Timestamp.Format(time.RFC3339Nano) {
			t.Errorf("the outreach was answered at %s: %+v", answer.Timestamp, last)
		}
	})
}
