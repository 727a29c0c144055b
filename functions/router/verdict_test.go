package router_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/queue"
	"signalbox/shared/receipt"
	"signalbox/shared/tenant"
)

// TestAMessageThatArrivesAfterAllIsShownSo: what failed is, whatever the order in which the receipts come, are told to the router, and are
// told again. What arrived fails no more.
func TestAMessageThatArrivesAfterAllIsShownSo(t *testing.T) {
	t.Parallel()
	for sentence, batches := range map[string][][]string{
		"one after the other":         {{"failed"}, {"delivered"}},
		"read":                        {{"failed"}, {"read"}},
		"delivered, and then read":    {{"failed"}, {"delivered"}, {"read"}},
		"together":                    {{"failed", "delivered"}},
		"backwards":                   {{"delivered"}, {"failed"}},
		"with copies":                 {{"expired"}, {"delivered"}, {"expired"}, {"delivered"}},
		"called off, and then it was": {{"canceled"}, {"failed", "delivered"}},
	} {
		for _, late := range []bool{false, true} { // the router learns of all of it at the end, in either order, and twice
			for _, reverse := range []bool{false, true} {
				t.Run(fmt.Sprintln(sentence, late, reverse), func(t *testing.T) {
					t.Parallel()
					w := shownBy(nil)
					w.routeAll(t, wrote(1, "SM1"))
					w.taken(t)
					var waiting []queue.Message
					for _, states := range batches {
						var events []canonical.Event
						for _, state := range states {
							events = append(events, ofOurs("SM1", state))
						}
						for _, err := range w.receive(t, events...) {
							if err != nil {
								t.Fatal(err)
							}
						}
						_, _, told, _ := w.taken(t)
						if waiting = append(waiting, told...); !late {
							w.follow(t, told)
						}
					}
					if reverse {
						slices.Reverse(waiting)
					}
					w.follow(t, waiting)
					if failed, state := w.failures(t, wrote(1, "SM1").ThreadID); len(failed) > 0 || state.Receipt == "failed" || state.Receipt == "" {
						t.Errorf("failed %v, the conversation's receipt is %q", failed, state.Receipt)
					}
				})
			}
		}
	}
}

// dead is that the address of message sid takes none, of minute n.
func dead(n int, sid string) canonical.Event {
	e := ofOurs(sid, "failed")
	e.Receipt.Error, e.Receipt.Reason, e.Timestamp, e.Receipt.At = "30005", receipt.InvalidNumber, minute(n), minute(n)
	e.ThreadID = event("", nil).ThreadID
	return e
}

// TestAnAddressThatTakesNoMessagesIsTold: once, of whoever a CRM holds, whether anybody told of the message or not, and again after
// something came from it.
func TestAnAddressThatTakesNoMessagesIsTold(t *testing.T) {
	t.Parallel()
	for sentence, change := range map[string]func(*tenant.Timeline){
		"by day": nil, "by message": func(t *tenant.Timeline) { t.Granularity = tenant.ByMessage },
	} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintln(sentence, known), func(t *testing.T) {
				t.Parallel()
				w := shownBy(change)
				if known {
					w.link(t, event("", nil))
				}
				w.routeAll(t, wrote(1, "SM1"))
				w.taken(t)
				tasks := func(e canonical.Event) (subjects []string) {
					for range 2 { // a copy
						for _, err := range w.receive(t, e) {
							if err != nil {
								t.Fatal(err)
							}
						}
						_, _, events, _ := w.taken(t)
						w.follow(t, append(events, events...))
					}
					_, _, _, deliveries := w.taken(t)
					seen := map[string]bool{}
					for _, d := range deliveries {
						for _, a := range d.Actions {
							if a.Kind == delivery.Notify && !seen[a.Value["about"]] {
								seen[a.Value["about"]] = true
								if a.Value[delivery.OfWhom] != delivery.Held || !strings.Contains(a.Value["text"], "(30005)") || d.Person.Links["contacts"] != "501" {
									t.Errorf("%+v by %+v", a, d)
								}
								subjects = append(subjects, a.Value["subject"])
							}
						}
					}
					return subjects
				}
				want := []string{"Messages do not reach this person by sms"}
				if !known {
					want = nil
				}
				history := dead(10, "SM6")
				history.Flags.Historical = true
				if got := tasks(history); len(got) > 0 {
					t.Errorf("of a history it is told %q", got)
				}
				w.routeAll(t, history)
				if head := w.head(t, event("", nil)); len(head.Dead) > 0 {
					t.Errorf("of a history the head says %+v", head.Dead)
				}
				w.taken(t)
				for i, e := range []canonical.Event{dead(31, "SM1"), dead(32, "SM7"), dead(33, "SM8")} {
					if got := tasks(e); i == 0 && !slices.Equal(got, want) || i > 0 && len(got) > 0 {
						t.Errorf("verdict %d: told %q, want %q once", i, got, want)
					}
				}
				if head := w.head(t, event("", nil)); len(head.Dead) != 1 {
					t.Errorf("the head says %+v", head.Dead)
				}
				w.routeAll(t, said(20, "it came late"))
				if head := w.head(t, event("", nil)); len(head.Dead) != 1 {
					t.Error("what was said before took it back")
				}
				w.routeAll(t, said(40, "I am here"))
				if head := w.head(t, event("", nil)); len(head.Dead) != 0 {
					t.Errorf("the head says %+v", head.Dead)
				}
				w.taken(t)
				if got := tasks(dead(50, "SM9")); !slices.Equal(got, want) {
					t.Errorf("told %q, want %q", got, want)
				}
			})
		}
	}
}

// TestAMessageThatArrivesAfterAllRevivesItsAddress, if that was later than the verdict.
func TestAMessageThatArrivesAfterAllRevivesItsAddress(t *testing.T) {
	t.Parallel()
	w := shownBy(nil)
	w.routeAll(t, wrote(1, "SM1"))
	arrived := func(n int) canonical.Event {
		e := ofOurs("SM1", "delivered")
		e.Timestamp, e.Receipt.At, e.ThreadID = minute(n), minute(n), event("", nil).ThreadID
		return e
	}
	for i, e := range []canonical.Event{dead(31, "SM1"), arrived(30), arrived(40)} {
		w.routeAll(t, e)
		if head := w.head(t, event("", nil)); len(head.Dead) != []int{1, 1, 0}[i] {
			t.Errorf("after event %d the head says %+v", i, head.Dead)
		}
	}
}

// TestAVerdictOfBeforeTheLastWordsIsNoNews: of an address from which something came since, by the same channel. What colleagues wrote there
// since, and what came by another channel, says nothing.
func TestAVerdictOfBeforeTheLastWordsIsNoNews(t *testing.T) {
	t.Parallel()
	whatsapp := said(40, "here", func(e *canonical.Event) {
		e.Channel, e.ConversationID = canonical.WhatsApp, "whatsapp:demo-twilio:conv:1"
	})
	for sentence, c := range map[string]struct {
		before []canonical.Event
		dead   int
	}{
		"they wrote since":               {[]canonical.Event{said(40, "I am here")}, 0},
		"they wrote before":              {[]canonical.Event{said(20, "I am here")}, 1},
		"by another channel":             {[]canonical.Event{whatsapp}, 1},
		"we wrote since":                 {[]canonical.Event{wrote(40, "SM2")}, 1},
		"we wrote, and then they did":    {[]canonical.Event{wrote(40, "SM2"), said(41, "I am here")}, 0},
		"they wrote on both sides of it": {[]canonical.Event{said(20, "hello"), said(40, "I am here")}, 0},
	} {
		w := shownBy(nil)
		w.link(t, event("", nil))
		w.routeAll(t, append([]canonical.Event{wrote(1, "SM1")}, c.before...)...)
		w.taken(t)
		w.routeAll(t, dead(31, "SM1"))
		tasks := 0
		_, _, _, deliveries := w.taken(t)
		for _, d := range deliveries {
			for _, a := range d.Actions {
				if a.Kind == delivery.Notify {
					tasks++
				}
			}
		}
		if head := w.head(t, event("", nil)); len(head.Dead) != c.dead || min(tasks, 1) != c.dead {
			t.Errorf("%s: the head says %+v, %d tasks", sentence, head.Dead, tasks)
		}
	}
}

// TestAnotherMessageThatArrivesRevivesAnAddress, however late it does.
func TestAnotherMessageThatArrivesRevivesAnAddress(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		granularity tenant.Granularity
		after       time.Duration
		state       string
		dead        int
	}{
		"at once":          {tenant.ByDay, time.Minute, "delivered", 0},
		"shown by message": {tenant.ByMessage, time.Minute, "read", 0},
		"on the next day":  {tenant.ByDay, 20 * time.Hour, "delivered", 0},
		"it fails":         {tenant.ByDay, time.Minute, "failed", 1},
		"nobody tells":     {tenant.ByDay, time.Minute, "sent", 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := shownBy(func(t *tenant.Timeline) { t.Granularity, t.Close = c.granularity, 0 })
				now := func(e canonical.Event) canonical.Event {
					e.Timestamp, e.ReceivedAt = time.Now(), time.Now()
					if e.Receipt != nil {
						e.Receipt.At = e.Timestamp
					}
					return e
				}
				w.routeAll(t, now(wrote(1, "SM1")))
				time.Sleep(time.Minute)
				w.routeAll(t, now(dead(31, "SM1")))
				time.Sleep(time.Minute)
				w.routeAll(t, now(wrote(40, "SM2")))
				time.Sleep(c.after)
				if err := w.receive(t, now(ofOurs("SM2", c.state)))[0]; err != nil {
					t.Fatal(err)
				}
				w.pass(t, time.Now().Add(5*24*time.Hour))
				if head := w.head(t, event("", nil)); len(head.Dead) != c.dead || len(w.due()) > 0 {
					t.Errorf("the head says %+v, %d wait", head.Dead, len(w.due()))
				}
			})
		})
	}
}
