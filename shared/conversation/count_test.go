package conversation_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
	"signalbox/shared/fault"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"

	"github.com/google/go-cmp/cmp"
)

// said returns a message of an hour: in of the customer, auto of their phone, out of a person of ours, sent of a machine.
func said(n int, kind string) conversation.Counted {
	x := conversation.Counted{
		Event: canonical.EventID(fmt.Sprintf("%08x-%04x-x", n, len(kind))), Line: "number", Channel: canonical.SMS, At: hour(n),
		Outbound: kind == "out" || kind == "sent", ByPerson: kind == "in" || kind == "out",
	}
	if x.Outbound {
		x.Key = fmt.Sprintf("key-%02d-%s", n, kind)
	}
	return x
}

type state = conversation.State

func TestWhatAConversationCounts(t *testing.T) {
	t.Parallel()
	is := func(change func(*state)) state {
		s := state{Line: "number", Channel: canonical.SMS}
		change(&s)
		return s
	}
	of := func(line string, x conversation.Counted) conversation.Counted { x.Line = line; return x }
	for name, c := range map[string]struct {
		said []conversation.Counted
		want state // of the first one's line
	}{
		"who wrote waits for us": {[]conversation.Counted{said(3, "in")}, is(func(s *state) {
			s.Status, s.Since, s.Messages = conversation.WaitingForUs, hour(3), 1
			s.FirstInbound, s.LastInbound = hour(3), hour(3)
		})},
		"who got an answer is waited for": {[]conversation.Counted{said(3, "in"), said(5, "out")}, is(func(s *state) {
			s.Status, s.Since, s.Messages = conversation.WaitingForThem, hour(5), 2
			s.FirstInbound, s.LastInbound, s.FirstOutbound, s.LastOutbound, s.FirstAnswer, s.LastSent = hour(3), hour(3), hour(5), hour(5), hour(5), "key-05-out"
		})},
		"what a machine sends answers nobody": {[]conversation.Counted{said(3, "in"), said(5, "sent")}, is(func(s *state) {
			s.Status, s.Since, s.Messages = conversation.WaitingForUs, hour(3), 2
			s.FirstInbound, s.LastInbound, s.FirstOutbound, s.LastOutbound, s.LastSent = hour(3), hour(3), hour(5), hour(5), "key-05-sent"
		})},
		"an automatic note waits for nobody": {[]conversation.Counted{said(3, "out"), said(5, "auto")}, is(func(s *state) {
			s.Status, s.Since, s.Messages = conversation.WaitingForThem, hour(3), 2
			s.FirstInbound, s.LastInbound, s.FirstOutbound, s.LastOutbound, s.LastSent = hour(5), hour(5), hour(3), hour(3), "key-03-out"
			s.Early = []time.Time{hour(3)}
		})},
		"a message that comes late changes no turn": {[]conversation.Counted{said(6, "out"), said(3, "in")}, is(func(s *state) {
			s.Status, s.Since, s.Messages = conversation.WaitingForThem, hour(6), 2
			s.FirstInbound, s.LastInbound, s.FirstOutbound, s.LastOutbound, s.FirstAnswer, s.LastSent = hour(3), hour(3), hour(6), hour(6), hour(6), "key-06-out"
		})},
		"who wrote at the instant of an answer has not read it": {[]conversation.Counted{said(3, "in"), said(3, "out")}, is(func(s *state) {
			s.Status, s.Since, s.Messages = conversation.WaitingForUs, hour(3), 2
			s.FirstInbound, s.LastInbound, s.FirstOutbound, s.LastOutbound, s.LastSent = hour(3), hour(3), hour(3), hour(3), "key-03-out"
			s.Early = []time.Time{hour(3)}
		})},
		"told of twice it is counted once": {[]conversation.Counted{said(3, "in"), said(5, "out"), said(3, "in")}, is(func(s *state) {
			s.Status, s.Since, s.Messages = conversation.WaitingForThem, hour(5), 2
			s.FirstInbound, s.LastInbound, s.FirstOutbound, s.LastOutbound, s.FirstAnswer, s.LastSent = hour(3), hour(3), hour(5), hour(5), hour(5), "key-05-out"
		})},
		"another line is another conversation": {[]conversation.Counted{said(3, "in"), of("other", said(5, "out"))}, is(func(s *state) {
			s.Status, s.Since, s.Messages = conversation.WaitingForUs, hour(3), 1
			s.FirstInbound, s.LastInbound = hour(3), hour(3)
		})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all conversation.Conversations
			for _, x := range c.said {
				all.Count(x)
			}
			data, err := conversation.EncodeStates(all)
			if err != nil {
				t.Fatal(err)
			}
			if all, err = conversation.DecodeStates(data); err != nil {
				t.Fatal(err)
			}
			got, _ := all.Of("number", canonical.SMS)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTheOrderOfArrivalDoesNotMatter counts the same messages in orders that are drawn, some twice.
func TestTheOrderOfArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	kinds := []string{"in", "auto", "out", "sent"}
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		var all []conversation.Counted
		for n := range 6 {
			all = append(all, said(n/2, kinds[random.IntN(len(kinds))]))
			all[n].Event = canonical.EventID(fmt.Sprintf("%08x-aaaa", n))
			all[n].Key += fmt.Sprint(n)
		}
		var want conversation.Conversations
		for round := range 20 {
			var got conversation.Conversations
			for i, n := range random.Perm(len(all)) {
				got.Count(all[n])
				if i%2 == 0 {
					got.Count(all[n])
				}
			}
			got.Recent = nil
			if round == 0 {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
		}
	}
}

func TestAConversationShowsHowFarTheLastMessageGot(t *testing.T) {
	t.Parallel()
	at := func(n int, state string) receipt.Status { return receipt.Status{State: state, At: hour(n)} }
	for name, c := range map[string]struct {
		do   func(*conversation.Conversations) bool
		want string
	}{
		"nothing at first":             {func(*conversation.Conversations) bool { return false }, ""},
		"what is told":                 {func(c *conversation.Conversations) bool { return raise(c, "key-05-out", at(6, "sent")) }, "sent"},
		"of another message it is not": {func(c *conversation.Conversations) bool { return !raise(c, "key-04-out", at(6, "sent")) }, ""},
		"of no message it is not":      {func(c *conversation.Conversations) bool { return !raise(c, "", at(6, "sent")) }, ""},
		"it only rises": {func(c *conversation.Conversations) bool {
			return raise(c, "key-05-out", at(7, "read")) && !raise(c, "key-05-out", at(8, "sent"))
		}, "read"},
		"twice is once": {func(c *conversation.Conversations) bool {
			return raise(c, "key-05-out", at(7, "read")) && !raise(c, "key-05-out", at(7, "read"))
		}, "read"},
		"what is sent next has none": {func(c *conversation.Conversations) bool {
			return raise(c, "key-05-out", at(7, "read")) && c.Count(said(8, "out"))
		}, ""},
		"what was sent before has none": {func(c *conversation.Conversations) bool {
			return raise(c, "key-05-out", at(7, "read")) && c.Count(said(2, "out"))
		}, "read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all conversation.Conversations
			all.Count(said(3, "in"))
			all.Count(said(5, "out"))
			if !c.do(&all) && name != "nothing at first" {
				t.Error("it changed what it should not, or nothing")
			}
			if got, _ := all.Of("number", canonical.SMS); got.Receipt != c.want || got.ReceiptAt.IsZero() != (c.want == "") {
				t.Errorf("%q at %v, want %q", got.Receipt, got.ReceiptAt, c.want)
			}
		})
	}
}

func raise(c *conversation.Conversations, key string, s receipt.Status) bool {
	_, changed := c.RaiseReceipt(key, s)
	return changed
}

func TestASilenceClosesAConversation(t *testing.T) {
	t.Parallel()
	const silence = 4 * time.Hour
	for name, c := range map[string]struct {
		do     func(*conversation.Conversations)
		status conversation.Status
		closed time.Time
	}{
		"not before its time":  {func(c *conversation.Conversations) { c.All[0].Close(hour(7), silence+time.Second) }, conversation.WaitingForUs, time.Time{}},
		"at its time":          {func(c *conversation.Conversations) { c.All[0].Close(hour(7), silence) }, conversation.Closed, hour(7)},
		"long after, the same": {func(c *conversation.Conversations) { c.All[0].Close(hour(20), silence) }, conversation.Closed, hour(7)},
		"a message opens it": {func(c *conversation.Conversations) {
			c.All[0].Close(hour(9), silence)
			c.Count(said(10, "in"))
		}, conversation.WaitingForUs, time.Time{}},
		"one that was said before and comes late, too": {func(c *conversation.Conversations) {
			c.All[0].Close(hour(9), silence)
			c.Count(said(5, "out"))
		}, conversation.WaitingForThem, time.Time{}},
		"an older one does not": {func(c *conversation.Conversations) {
			c.All[0].Close(hour(9), silence)
			c.Count(said(2, "out"))
		}, conversation.Closed, hour(7)},
		"a machine's does not": {func(c *conversation.Conversations) {
			c.All[0].Close(hour(9), silence)
			c.Count(said(10, "sent"))
		}, conversation.Closed, hour(7)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all conversation.Conversations
			all.Count(said(3, "in"))
			c.do(&all)
			if got := all.All[0]; got.Status != c.status || !got.ClosedAt.Equal(c.closed) {
				t.Errorf("%s at %v, want %s at %v", got.Status, got.ClosedAt, c.status, c.closed)
			}
			if got := all.All[0]; got.Status == conversation.Closed && all.All[0].Close(hour(23), silence) {
				t.Error("it is closed twice")
			}
		})
	}
}

// TestAConversationTakesLessThanAKilobyte, which the database bills as one.
func TestAConversationTakesLessThanAKilobyte(t *testing.T) {
	t.Parallel()
	var all conversation.Conversations
	for n := range 20 {
		x := said(n, []string{"in", "out"}[n%2])
		x.Key, x.Consent, x.Owner, x.Line = canonical.MessageKey("demo", "twilio", "demo-twilio", x.Key), "opted_out", "somebody-of-ours", "a-line-of-some-length"
		all.Count(x)
	}
	all.RaiseReceipt(all.All[0].LastSent, receipt.Status{State: "delivered", At: hour(23)})
	all.All[0].Close(hour(23).Add(1000*time.Hour), time.Hour)
	if data, err := conversation.EncodeStates(all); err != nil || len(data) > 900 {
		t.Errorf("%d bytes: %s, %v", len(data), data, err)
	}
}

func TestConversationsAreUpdatedBesideOthers(t *testing.T) {
	t.Parallel()
	count := func(n int) func(*conversation.Conversations) bool {
		return func(c *conversation.Conversations) bool { return c.Count(said(n, "in")) }
	}
	s := memstore.New()
	stale, err := conversation.UpdateStates(t.Context(), s, "demo", "t1_x", nil, count(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 3} {
		if _, err := conversation.UpdateStates(t.Context(), s, "demo", "t1_x", &stale, count(n)); err != nil {
			t.Fatal(err)
		}
	}
	held, err := conversation.UpdateStates(t.Context(), s, "demo", "t1_x", &stale, count(3))
	if c, _ := conversation.DecodeStates(held.Data); err != nil || held.Version != 3 || c.All[0].Messages != 3 {
		t.Errorf("version %d, %+v, %v", held.Version, c, err)
	}
	never := func(c *conversation.Conversations) bool {
		if _, err := s.Write(t.Context(), store.Change{Record: store.Record{Key: held.Key, Version: held.Version, Data: held.Data}}); err != nil {
			t.Error(err)
		}
		held.Version++
		return c.Count(said(9, "in"))
	}
	if _, err := conversation.UpdateStates(t.Context(), s, "demo", "t1_x", nil, never); fault.Of(err) == nil || fault.Of(err).Kind != fault.Retryable {
		t.Errorf("%v where others always come between", err)
	}
}
